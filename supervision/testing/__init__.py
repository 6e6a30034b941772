"""A kit for tests of actors: virtual time, a probe, and puppets that fail when told."""

from __future__ import annotations

from ._clock import virtual_backend as virtual_backend
from ._probe import Probe as Probe
from ._puppet import (
    Crash as Crash,
    Do as Do,
    Echo as Echo,
    Hang as Hang,
    Puppet as Puppet,
    PuppetError as PuppetError,
    Quit as Quit,
    Stage as Stage,
)

__all__ = [
    "Crash",
    "Do",
    "Echo",
    "Hang",
    "Probe",
    "Puppet",
    "PuppetError",
    "Quit",
    "Stage",
    "virtual_backend",
]
