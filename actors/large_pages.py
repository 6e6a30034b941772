"""The heap in pages of 2 MiB, where Linux can do that.

A frame of one stream touches some forty objects, and those of a thousand streams are spread over 200 MB. The
processor remembers where some 2,000 pages are, 8 MB of the usual 4 KiB: nearly each object has to be looked
up in the page tables. Since Linux 6.1 a process may have memory that is in use moved into large pages
(madvise(2), MADV_COLLAPSE). Measured with 600 streams, before and after it in one process: 9 % less processor
time.

Elsewhere, and where the kernel refuses, nothing is done.
"""

from __future__ import annotations

import ctypes
import mmap
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = 2 << 20
"""Bytes; of x86_64, and of aarch64 with small pages of 4 KiB."""

LOOK_EVERY_S: Final = 5.0
GROWN: Final = 8 << 20
"""Bytes that the process has grown by when it is worth another pass."""

PAUSE_S: Final = 0.02
"""After each page: moving one may hold up whoever uses it for half a millisecond."""

USED: Final = 0.9
"""The share of an area that has to be in use: the stacks of threads, 8 MB each, would else become real."""

_MADV_COLLAPSE: Final = 25
_AREA: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw.p \S+ \S+ 0 *(\[heap\])?\n")
_RESIDENT: Final = re.compile(r"Rss: +([0-9]+) kB\n")
_STATM, _SMAPS = Path("/proc/self/statm"), Path("/proc/self/smaps")

log = structlog.get_logger(__name__)


async def keep_in_large_pages() -> None:
    """Move what has come to the heap into large pages, again and again; until cancelled, or in vain."""
    before = 0
    while sys.platform == "linux":
        await anyio.sleep(LOOK_EVERY_S)
        resident = _resident()
        if resident - before >= GROWN:
            before = resident
            if not await _pass():
                return


def _resident() -> int:
    return int(_STATM.read_text().split()[1]) * mmap.PAGESIZE


async def _pass() -> bool:
    """One time through the heap; whether the kernel moves anything."""
    text = await anyio.to_thread.run_sync(_SMAPS.read_text)
    moved = tried = 0
    for address in pages(text):
        tried += 1
        moved += await anyio.to_thread.run_sync(collapse, address)
        await anyio.sleep(PAUSE_S)
    log.debug("large_pages", moved=moved, tried=tried)
    return moved > 0 or tried == 0


def pages(smaps: str) -> Iterator[int]:
    """Where a large page has room: aligned addresses in writable memory that is no file's and is in use.

    :param smaps: as /proc/self/smaps, see proc(5)
    """
    for area in _AREA.finditer(smaps):
        begin, end = int(area[1], 16), int(area[2], 16)
        resident = _RESIDENT.search(smaps, area.end())
        if resident is not None and int(resident[1]) * 1024 >= USED * (end - begin):
            yield from range(-(-begin // PAGE) * PAGE, end - PAGE + 1, PAGE)


def collapse(address: int) -> bool:
    """Move what lies at that address into one large page; whether it is in one now. It may be free by now."""
    return _madvise(ctypes.c_void_p(address), ctypes.c_size_t(PAGE), _MADV_COLLAPSE) == 0


_madvise = ctypes.CDLL(None).madvise if sys.platform == "linux" else lambda *_: -1
