"""What can be done to the sound while a spool is made, by name, as filters of FFmpeg.

None changes how long the sound is: positions stay what they are, and a spool with an effect joins at the very
frame where one without it stops. A limiter ends each chain that makes anything louder (ffmpeg-filters(1)).
"""

from __future__ import annotations

from typing import Final

OFF: Final = "off"

_LIMITER: Final = ("alimiter", "limit=0.95:level=disabled:latency=1")

EFFECTS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    OFF: (),
    "bass": (("bass", "gain=7:frequency=110"), _LIMITER),
    "treble": (("treble", "gain=6:frequency=4000"), _LIMITER),
    "soft": (("treble", "gain=-9:frequency=2500"),),
    # Quiet passages come up, within 1.4 s: what is decoded ahead for it is soon there.
    "normalise": (("dynaudnorm", "framelen=250:gausssize=11:maxgain=8"),),
}
"""Filters and their arguments, by the name that the command takes."""
