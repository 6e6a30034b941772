"""What of a process is moved into large pages."""

from __future__ import annotations

import ctypes
import mmap
import platform
import sys
from pathlib import Path

import pytest

from actors.large_pages import PAGE, collapse, pages

AREA = """{begin:x}-{end:x} {rights} 00000000 00:00 {inode}{name}
Size:               {size} kB
KernelPageSize:        4 kB
Rss:                {resident} kB
VmFlags: rd wr mr mw me ac sd
"""


def area(begin: int, pages: float, used: float, rights: str = "rw-p", inode: int = 0, name: str = "") -> str:
    size = int(pages * PAGE)
    resident = int(size * used) // 1024
    return AREA.format(
        begin=begin,
        end=begin + size,
        rights=rights,
        inode=inode,
        name=name and f"                          {name}",
        size=size // 1024,
        resident=resident,
    )


def test_whole_large_pages_of_memory_in_use_are_found() -> None:
    text = (
        area(10 * PAGE, 3, 1.0)
        + area(20 * PAGE + PAGE // 2, 2, 0.95, name="[heap]")
        + area(30 * PAGE, 4, 0.05)  # a stack
        + area(40 * PAGE, 2, 1.0, rights="r--p")
        + area(50 * PAGE, 2, 1.0, inode=77, name="/lib/libc.so.6")
        + area(60 * PAGE, 0.5, 1.0)
        + area(70 * PAGE, 2, 1.0, name="[stack]")
    )
    assert list(pages(text)) == [10 * PAGE, 11 * PAGE, 12 * PAGE, 21 * PAGE]


@pytest.mark.skipif(sys.platform != "linux", reason="a system call of Linux")
def test_what_is_moved_stays_what_it_was() -> None:
    release = tuple(int(part) for part in platform.release().split(".")[:2])
    can = release >= (6, 1) and Path("/sys/kernel/mm/transparent_hugepage").exists()
    with mmap.mmap(-1, 3 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[:] = b"\x5a" * (3 * PAGE)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        assert collapse(-(-begin // PAGE) * PAGE) or not can
        assert memory[:] == b"\x5a" * (3 * PAGE)


@pytest.mark.skipif(sys.platform != "linux", reason="a system call of Linux")
def test_memory_that_was_freed_meanwhile_is_none_of_its_business() -> None:
    assert not collapse(0)
