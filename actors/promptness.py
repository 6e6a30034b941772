"""How soon the kernel lets the bot run when a frame is due, while other programs want the processor too.

Since Linux 6.12 a thread may say, without privileges, how long it wants to run at a stretch
(sched_setattr(2), `sched_runtime` of an ordinary thread): one that wants little is let in at once, where it
would else wait until whoever runs has used up its own 1 to 4 ms. Measured with five guilds whose tracks are
being made meanwhile, on two processors: the 99th percentile of a stream's inter-arrival error fell from up to
3.9 ms to 0.5 ms at most. Older kernels take the call and do nothing.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from typing import Final

SLICE_NS: Final = 100_000
"""The least that the kernel grants."""

SWITCH_S: Final = 0.0005
"""For so long may another thread keep the interpreter that frames are due in. Python's own value is 5 ms."""

_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
_RESET_ON_FORK: Final = 0x01
"""Threads and worker processes that are started later have the usual slice again."""

_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
"""<linux/sched/types.h>, first version: size, policy, flags, nice, priority, runtime, deadline, period."""


def hand_over() -> None:
    """Have threads of this process hand the interpreter over soon.

    Whoever sends a packet lets go of it for that moment, and gets it back when the other thread does so, or
    after this time: of the thread that writes the positions of 1,000 guilds that used to be up to 5 ms.
    """
    sys.setswitchinterval(SWITCH_S)


def be_prompt() -> bool:
    """Ask for short slices for the calling thread; whether the kernel took it.

    Whoever gave the bot another scheduling policy (chrt) or a nice value has decided, and keeps it.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, _RESET_ON_FORK, nice, 0, SLICE_NS, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0)
