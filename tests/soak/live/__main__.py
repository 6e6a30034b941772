"""A live stream that stalls: `make soak-live [MINUTES=10]`, in real time.

The bot, as a process of its own, plays an HLS stream whose segments appear in real time, and a listener of
the embedded Discord hears it. Twice the stream's server is silent for 3 s: less than the bot's window lasts,
so nothing of it may be heard. Then it is silent for 15 s, longer than any segment is still handed out: the
stream must be back at its live edge within 2 s. The exit status is 1 if it is not so; `live.json` goes into
`build/bench`.
"""

from __future__ import annotations

import os
import sys
from typing import Final

MINUTES: Final = float(os.environ.get("MINUTES") or 10)

if __name__ == "__main__":
    from tests.soak.live.stalls import main

    sys.exit(0 if main(MINUTES * 60) else 1)
