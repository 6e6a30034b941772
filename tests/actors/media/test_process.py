"""Starting a worker holds nobody up, and what was begun is ended and leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint

from actors.media import ErrorKind, MediaError, spawning
from actors.media.pool import Pool
from actors.media.process import ChildProcess
from loopback.processes import descendants, descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

SLEEPER = ["-c", "import time; time.sleep(60)"]


@contextmanager
def no_processor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """Children do not get as far as their program: each opens a pipe before that, which nobody reads.

    What is given does so after some seconds, so that whoever is held up by a child can be told it.
    """
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(spawning, "_NOWHERE", str(pipe))
    later = "import sys, time; time.sleep(5); open(sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", later, str(pipe)]) as late:  # noqa: S603 - our own words
        try:
            yield late
        finally:
            late.kill()


async def until_born(before: list[int], number: int = 1) -> None:
    with anyio.fail_after(20):
        while len(set(descendants(os.getpid())) - set(before)) < number:  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.005)


async def test_a_child_that_gets_no_processor_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chaos: all guilds were silent while the bot had its workers started again."""
    with no_processor(tmp_path, monkeypatch) as late:
        before = descendants(os.getpid())
        children: list[ChildProcess] = []

        async def start() -> None:
            children.append(await ChildProcess.start(SLEEPER))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start)
            tasks.start_soon(start)
            await until_born(before, 2)
            assert children == []
            assert late.poll() is None, "nobody waited for the children"
            reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        os.close(reader)
        for child in children:
            await child.end()
        assert [child.returncode for child in children] == [-9, -9]
        assert descendants(os.getpid()) == before


async def test_one_that_nobody_wants_any_more_ends_when_it_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descendants(os.getpid())
    pool = Pool(SLEEPER, processes=1, capacity=1, recycle_after=9, grace_s=0)

    async def ask() -> None:
        async with pool.job({}):
            raise AssertionError  # it is not even begun

    with no_processor(tmp_path, monkeypatch):
        inside = descendants(os.getpid())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.run)
            tasks.start_soon(ask)
            await until_born(inside)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await checkpoint()
                os.close(os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK))
    assert descendants(os.getpid()) == before


async def test_a_start_that_fails_is_an_error_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    held = descriptors(os.getpid())
    monkeypatch.setattr(sys, "executable", "/there/is/no/python")
    pool = Pool([], processes=1, capacity=1, recycle_after=9, grace_s=0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pool.run)
        with pytest.raises(MediaError) as caught:
            async with pool.job({}):
                raise AssertionError  # there is no worker
        tasks.cancel_scope.cancel()
    assert (caught.value.kind, caught.value.retryable) == (ErrorKind.UNAVAILABLE, True)
    assert descriptors(os.getpid()) == held
