"""Hours of playback in minutes, and whether anything grows: `make soak [HOURS=4] [FACTOR=24] [LEAK=0]`.

The bot plays in three guilds of an embedded Discord, whose listeners ask for a track every few minutes, use
the other commands, and lose their connections now and then. The clocks of both processes run FACTOR times as
fast (see haste.py); FACTOR=1 HOURS=24 is a day in real time. After a warm-up of an hour the upper 95 % bound
of the memory's slope must be below 1 MiB/h, and no count may grow; LEAK (MiB/h) plants a leak that must be
found. The exit status is 1 if anything grows. Written are `soak.json` and `soak.png` into `build/bench`.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from tests.soak.playback.haste import hasten

HOURS: Final = float(os.environ.get("HOURS") or 4)
FACTOR: Final = float(os.environ.get("FACTOR") or 24)
LEAK: Final = float(os.environ.get("LEAK") or 0)


if __name__ == "__main__":
    hasten(FACTOR)
    from tests.soak.playback.soak import main

    sys.exit(0 if main(HOURS, FACTOR, LEAK) else 1)
