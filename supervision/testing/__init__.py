"""A kit for tests of actors: virtual time and a probe."""

from __future__ import annotations

from ._clock import virtual_backend as virtual_backend
from ._probe import Probe as Probe

__all__ = ["Probe", "virtual_backend"]
