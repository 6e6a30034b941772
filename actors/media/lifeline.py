"""A worker process lives exactly as long as the bot, and so do the processes it starts.

Each worker leads a process group of its own. It kills that whole group when the bot is gone, whichever sign
comes first: the end of its connection, or the kernel's parent-death signal (Linux, `prctl(2)`). So the bot
may even be killed with SIGKILL: no worker and no JavaScript runtime of yt-dlp is left.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_group() -> NoReturn:
    """Kill this process and everything it started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)  # not the leader of a group: somebody runs the worker by hand


def bind_to_parent(parent: int) -> None:
    """End with the process `parent`, and with SIGTERM. To be called first, in the main thread."""
    signal.signal(signal.SIGTERM, _on_signal)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the signal was set
        end_group()


def _on_signal(number: int, frame: FrameType | None) -> None:
    end_group()


def be_modest(*, data_bytes: int, file_bytes: int | None = None) -> None:
    """No core files, and bounds for memory and files written. The bot gives it the lowest priority.

    A page of a few megabytes can unpack to gigabytes, and a manifest can go on for ever: then an allocation
    fails in here, or the kernel, short of memory, ends this process rather than the bot.
    """
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
        Path("/proc/self/oom_score_adj").write_text("500")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if file_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write fails with EFBIG instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
