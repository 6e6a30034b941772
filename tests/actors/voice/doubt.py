"""How many frames a fresh session may send again: those that may have met the dead one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.voice import Clock

UNSURE = 8
"""Frames: 100 ms of sends that nobody may have heard, and what a test's own server takes to close."""
UNSURE_IF_LATE = 5
"""More of them where the clock was late, as it is on a busy machine: it then sent more in that time."""


def unsure(clock: Clock, guild_id: int) -> int:
    """As late as the clock was."""
    was_late = clock.stream(guild_id).status().late > 0
    return UNSURE + was_late * UNSURE_IF_LATE
