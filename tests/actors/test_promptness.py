"""The kernel lets the bot in when a frame is due."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import pytest

from actors.promptness import SLICE_NS, SWITCH_S, be_prompt, hand_over

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
USUAL_S = 0.005  # of CPython, where nobody has set another
GETATTR = {"x86_64": 315, "aarch64": 275, "riscv64": 275}
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in GETATTR, reason="a system call of Linux"
)


def slice_ns() -> int:
    """What the kernel grants the calling thread at a stretch; 0 before Linux 6.12."""
    attributes = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(GETATTR[platform.machine()], 0, attributes, 48, 0) == 0
    return int(struct.unpack("=IIQiIQQQ", attributes.raw)[5])


def in_a_thread(work: Callable[[], R]) -> R:
    """Slices belong to threads, and the one of the tests keeps its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_a_short_slice_is_asked_for_and_granted_where_the_kernel_has_them() -> None:
    mine, usual = slice_ns(), in_a_thread(slice_ns)

    def ask() -> tuple[bool, int]:
        return be_prompt(), slice_ns()

    taken, granted = in_a_thread(ask)
    assert taken
    assert granted == (SLICE_NS if usual else 0)
    assert slice_ns() == mine


def test_threads_that_are_started_later_have_the_usual_slice() -> None:
    def ask() -> int:
        be_prompt()
        return in_a_thread(slice_ns)

    assert in_a_thread(ask) == in_a_thread(slice_ns)


def test_a_nice_value_is_kept() -> None:
    wanted = max(7, os.getpriority(os.PRIO_PROCESS, 0))  # a lower one takes privileges

    def ask() -> int:
        os.setpriority(os.PRIO_PROCESS, 0, wanted)  # of the thread, on Linux
        assert be_prompt()
        return os.getpriority(os.PRIO_PROCESS, 0)

    assert in_a_thread(ask) == wanted


def test_a_thread_that_computes_hands_the_interpreter_over_sooner_than_usual() -> None:
    found_s = sys.getswitchinterval()  # a bot of another test may have changed that of Python
    sys.setswitchinterval(USUAL_S)
    try:
        hand_over()
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    finally:
        sys.setswitchinterval(found_s)
    assert SWITCH_S < USUAL_S


@pytest.mark.parametrize("strange", ["pdp11", ""])
def test_elsewhere_nothing_is_done(strange: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: strange)
    assert not be_prompt()
