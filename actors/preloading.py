"""How many tracks beyond the next one are made ahead of their turn."""

from __future__ import annotations

from typing import Final

FURTHEST: Final = 4
"""Tracks beyond the next one, at most: whoever queues more changes the order often enough."""

TRACK_BYTES: Final = 8 << 20
"""What a track is taken to need on disk: eight minutes at 128 kbit/s."""

_STEPS: Final = ((4.0, 1), (12.0, 2), (30.0, FURTHEST))  # from so many times as fast as it is heard: so far


def how_far(waiting: int, speed: float | None, room_bytes: int) -> int:
    """Tracks to make beyond the next one, if `waiting` others wait behind that.

    A slow line is left to what is heard now and next. Each track further ahead takes place on disk.

    :param speed: how many times faster than it is heard a track was made of late; None: not known yet
    :param room_bytes: of the disk, that spools may still take
    """
    by_speed = 1 if speed is None else max((far for least, far in _STEPS if speed >= least), default=0)
    return max(0, min(waiting, by_speed, room_bytes // TRACK_BYTES))
