"""A timer that rings when it is due, not up to a millisecond later.

asyncio's own timers end in epoll's timeout, which counts whole milliseconds and is rounded up. The timerfd of
Linux (timerfd_create(2)) is exact to some microseconds and is read like a socket. Python has it from 3.13 on;
here it is called through the C library, so that every supported version sends as evenly. Elsewhere the loop's
own timer serves.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOCK_MONOTONIC: Final = 1
_TFD_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_TFD_TIMER_ABSTIME: Final = 1
_NS: Final = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Calls `ring` in the running loop at the time that was set last. `close` it when done.

    `exact` says whether the kernel's timer is used; False asks for the loop's.
    """

    def __init__(self, ring: Callable[[], None], *, exact: bool = sys.platform == "linux") -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._setting = _Setting()
        self._when = self._setting.value  # each look at the field would make another object
        self._due: int | None = None
        self._descriptor = _create() if exact else None
        if self._descriptor is not None:
            self._loop.add_reader(self._descriptor, self._expired)

    def set(self, when: int) -> None:
        """Ring at `when` (ns of CLOCK_MONOTONIC, as `time.monotonic_ns`); at once if that is past."""
        if self._descriptor is None:
            self.cancel()
            delay_s = max(when - time.monotonic_ns(), 0) / _NS
            self._handle = self._loop.call_at(self._loop.time() + delay_s, self._ring)
        else:
            self._due = max(when, 1)  # 0 would disarm it
            self._arm(self._descriptor, self._due)

    def cancel(self) -> None:
        """Do not ring."""
        if self._descriptor is not None:
            self._due = None
            self._arm(self._descriptor, 0)
        elif self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def close(self) -> None:
        """Give the kernel's timer back; the alarm is of no use afterwards."""
        self.cancel()
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _arm(self, descriptor: int, when: int) -> None:
        self._when.seconds, self._when.nanoseconds = divmod(when, _NS)
        if _libc.timerfd_settime(descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(self._setting), None) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def _expired(self) -> None:
        if self._due is None or time.monotonic_ns() < self._due:
            return  # set anew, or cancelled, between the expiry and this call
        self._due = None
        self._ring()
        if not self._is_set():
            self._settle()  # setting it anew has done so

    def _is_set(self) -> bool:
        return self._due is not None

    def _settle(self) -> None:
        """Take the expiry off the descriptor, which would else be ready again at once."""
        if self._descriptor is None:
            return  # closed meanwhile
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            pass


_libc = ctypes.CDLL(None, use_errno=True)


def _create() -> int | None:
    """A timer's descriptor, or None where the kernel or the C library has none to give."""
    try:
        descriptor = int(_libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC))
    except AttributeError:
        return None
    return descriptor if descriptor >= 0 else None
