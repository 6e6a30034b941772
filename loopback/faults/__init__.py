"""Faults of the embedded Discord, injected by tests, chaos and benchmarks.

`discord.faults.of(guild, ...)` is for some guilds, `discord.faults.everywhere` for all of them; every fault
is noted in `discord.faults.log` with its exact times. What lasts is a :class:`Fault` with `end`, usable as
the context of a `with` block, and ends with the embedded Discord at the latest.
"""

from __future__ import annotations

from loopback.faults.faults import Faults, GuildFaults
from loopback.faults.log import Fault, FaultKind, FaultLog
from loopback.voice.conditions import Silence
from loopback.voice.network import Direction

__all__ = ["Direction", "Fault", "FaultKind", "FaultLog", "Faults", "GuildFaults", "Silence"]
