"""A kit for tests of actors: virtual time, a probe, puppets that fail when told, and scripts.

Fixtures for pytest stand in :mod:`supervision.testing.fixtures`.
"""

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
from ._script import Kill as Kill, Step as Step, run_script as run_script

__all__ = [
    "Crash",
    "Do",
    "Echo",
    "Hang",
    "Kill",
    "Probe",
    "Puppet",
    "PuppetError",
    "Quit",
    "Stage",
    "Step",
    "run_script",
    "virtual_backend",
]
