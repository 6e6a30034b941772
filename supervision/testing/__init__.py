"""A kit for tests of actors: virtual time, a probe, and puppets that fail when told."""

from __future__ import annotations

from ._clock import virtual_backend as virtual_backend
from ._probe import Probe as Probe
from ._puppet import Crash as Crash
from ._puppet import Do as Do
from ._puppet import Echo as Echo
from ._puppet import Hang as Hang
from ._puppet import Puppet as Puppet
from ._puppet import PuppetError as PuppetError
from ._puppet import Quit as Quit
from ._puppet import Stage as Stage

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
