"""Worker processes: what they are told, how they end, and that nothing is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from structlog.contextvars import bound_contextvars

from actors.media import ErrorKind, MediaError, pool as pool_module
from actors.media.pool import Pool
from actors.media.turns import Turn
from actors.media.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

# A worker whose jobs are named by their request. `child` starts a process that would live on for a minute.
WORKER = """
import os, subprocess, sys, time
from actors.media import lifeline
from actors.media.errors import ErrorKind, MediaError
from actors.media.serving import connect, serve

def child(job):
    return {"pid": subprocess.Popen(["sleep", "60"]).pid}

def hang(job):
    job.send({"begun": True})
    time.sleep(60)

def obey(job):
    job.send({"begun": True})
    job.cancelled.wait()
    job.check_cancelled()

def chatter(job):
    print("to standard output " * 1000, flush=True)
    sys.stderr.write("x" * 1_000_000 + "the last words")
    sys.stderr.flush()
    return {}

def fail(job):
    raise MediaError(ErrorKind.NOT_FOUND, "no such thing")

def crash(job):
    raise ZeroDivisionError

def die(job):
    os._exit(3)

def look(job):
    return {"environment": dict(os.environ), "fds": sorted(map(int, os.listdir("/proc/self/fd")))}

def say_half_a_pair(job):
    return {"title": "half \\ud800 of a pair"}

def say_too_much(job):
    return {"title": "x" * (2 << 20)}

def question(job):
    return job.ask({"what": "name"}, timeout_s=10)

def write(job):
    os.write(job.fd, b"written by the worker")
    return {}

lifeline.bind_to_parent(int(sys.argv[1]))
serve(lambda job: globals()[job.request["do"]](job), connect())
"""

# A bot: starts a worker that has a child, says the numbers of both, and waits.
BOT = """
import anyio, os, sys
from actors.media.worker import Worker

async def main():
    worker = Worker([sys.argv[1], str(os.getpid())])
    async with anyio.create_task_group() as tasks:
        await tasks.start(worker.run)
        conversation = worker.open({"do": "child"})
        print(worker.pid, (await conversation.result())["pid"], flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "worker.py"
    path.write_text(WORKER)
    return str(path)


@pytest.fixture
async def worker(script: str) -> AsyncIterator[Worker]:
    worker = Worker([script, str(os.getpid())])
    async with anyio.create_task_group() as tasks:
        await tasks.start(worker.run)
        yield worker
        tasks.cancel_scope.cancel()
    assert worker.pid is not None
    assert not lives(worker.pid)


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and is only not reaped (by init) does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until_gone(*pids: int) -> None:
    with anyio.fail_after(10):
        while any(map(lives, pids)):  # noqa: ASYNC110 - the kernel does not tell
            await anyio.sleep(0.01)


async def ask(worker: Worker, name: str, fd: int | None = None) -> Any:
    conversation = worker.open({"do": name}, fd)
    try:
        with anyio.fail_after(20):
            return await conversation.result()
    finally:
        conversation.close()


async def begun(worker: Worker, name: str) -> Any:
    conversation = worker.open({"do": name})
    with anyio.fail_after(20):
        assert await conversation.receive() == {"message": {"begun": True}}
    return conversation


async def test_a_worker_ends_with_its_children_when_its_owner_is_cancelled(script: str) -> None:
    worker = Worker([script, str(os.getpid())])
    async with anyio.create_task_group() as tasks:
        await tasks.start(worker.run)
        child = (await ask(worker, "child"))["pid"]
        assert lives(child)
        tasks.cancel_scope.cancel()
    assert worker.pid is not None
    await until_gone(worker.pid, child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_death_of_the_bot_ends_everything(script: str, tmp_path: Path, number: int) -> None:
    bot = tmp_path / "bot.py"
    bot.write_text(BOT)
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(  # noqa: ASYNC220, S603 - a bot of its own, to be killed
        [sys.executable, str(bot), script], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    ) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(lives, pids))
        process.send_signal(number)
    await until_gone(*pids)


async def test_a_worker_that_dies_takes_its_children_along_and_its_jobs_are_told(worker: Worker) -> None:
    child = (await ask(worker, "child"))["pid"]
    waiting = await begun(worker, "hang")
    with pytest.raises(MediaError) as caught:
        await ask(worker, "die")
    assert (caught.value.kind, caught.value.retryable) == (ErrorKind.WORKER_DIED, True)
    with pytest.raises(MediaError):
        await waiting.receive()
    waiting.close()
    await until_gone(child)
    with pytest.raises(MediaError):
        await ask(worker, "look")


async def test_errors_are_data_and_the_worker_lives_on(worker: Worker) -> None:
    with pytest.raises(MediaError, match="no such thing"):
        await ask(worker, "fail")
    with pytest.raises(MediaError) as caught, bound_contextvars(command_id="1a2b3c4d"):
        await ask(worker, "crash")
    assert caught.value.kind is ErrorKind.INTERNAL
    await ask(worker, "look")
    assert "ZeroDivisionError" in worker.last_words
    assert "a job of command 1a2b3c4d failed" in worker.last_words


async def test_an_answer_that_cannot_be_told_is_an_error_and_not_a_silence(worker: Worker) -> None:
    assert await ask(worker, "say_half_a_pair") == {"title": "half ? of a pair"}
    with pytest.raises(MediaError) as caught:
        await ask(worker, "say_too_much")
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    await ask(worker, "look")


async def test_what_a_library_prints_harms_nothing_and_is_bounded(worker: Worker) -> None:
    for _ in range(3):
        assert await ask(worker, "chatter") == {}
    with anyio.fail_after(5):
        while not worker.last_words.endswith("the last words"):  # noqa: ASYNC110 - another pipe than the answers
            await anyio.sleep(0.01)
    assert len(worker.last_words) <= 8192


async def test_a_worker_knows_nothing_that_it_need_not(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await ask(worker, "look")
    assert set(found["environment"]) <= {
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "TMPDIR",
        "PYTHONPATH",
        "YTDLP_NO_PLUGINS",
    } | {
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    }
    assert len(found["fds"]) <= 5, "three standard ones, the connection, and the listing of the folder"


async def test_a_descriptor_goes_with_a_job_and_is_closed_after_it(worker: Worker, tmp_path: Path) -> None:
    before = (await ask(worker, "look"))["fds"]
    with (tmp_path / "file").open("w+b") as file:
        await ask(worker, "write", file.fileno())
        file.seek(0)
        assert file.read() == b"written by the worker"
    assert (await ask(worker, "look"))["fds"] == before


async def test_a_job_can_ask_back(worker: Worker) -> None:
    conversation = worker.open({"do": "question"})
    assert await conversation.receive() == {"message": {"what": "name"}}
    conversation.reply({"name": "Bach"})
    assert await conversation.result() == {"name": "Bach"}
    conversation.close()


async def test_a_cancelled_job_ends_and_others_go_on(worker: Worker) -> None:
    conversation = await begun(worker, "obey")
    await worker.leave(conversation, grace_s=10)
    assert (conversation.ended, worker.alive, worker.busy) == (True, True, 0)
    conversation.close()


async def test_a_job_that_does_not_end_is_ended_with_its_worker(worker: Worker) -> None:
    conversation = await begun(worker, "hang")
    await worker.leave(conversation, grace_s=0.05)
    assert not worker.alive
    conversation.close()


async def test_a_pool_is_bounded_reuses_and_recycles(script: str) -> None:
    pool = Pool([script, str(os.getpid())], processes=2, capacity=1, recycle_after=3, grace_s=5)
    seen, most = set[int | None](), 0

    async def one() -> None:
        nonlocal most
        async with pool.job({"do": "look"}) as conversation:
            busy = [worker for worker in pool.workers if worker.busy]
            most = max(most, len(busy))
            assert all(worker.busy == 1 for worker in busy)
            await conversation.result()
            seen.update(worker.pid for worker in pool.workers)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pool.run)
        async with anyio.create_task_group() as jobs:
            for _ in range(9):
                jobs.start_soon(one)
        tasks.cancel_scope.cancel()
    assert most <= 4, "two that take jobs, beside two at the last of their three jobs"
    assert 3 <= len(seen) <= 6, "nine jobs, three for each worker"
    assert not any(lives(pid) for pid in seen if pid)


async def test_leaving_a_job_early_cancels_it_and_frees_its_place(script: str) -> None:
    pool = Pool([script, str(os.getpid())], processes=1, capacity=1, recycle_after=99, grace_s=5)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pool.run)
        for _ in range(3):
            with anyio.fail_after(20):
                async with pool.job({"do": "obey"}) as conversation:
                    await conversation.receive()
        assert len(pool.workers) == 1
        tasks.cancel_scope.cancel()


async def test_a_worker_nobody_needs_yet_waits_until_the_bot_has_started(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_WARM_UP_S", 0.3)
    pool = Pool([script, str(os.getpid())], processes=1, capacity=1, recycle_after=99, grace_s=5)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pool.run)
        await anyio.wait_all_tasks_blocked()
        assert pool.workers == []
        with anyio.fail_after(20):
            while not pool.workers or pool.workers[0].pid is None:  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.01)
        assert os.getpriority(os.PRIO_PROCESS, pool.workers[0].pid) == 19, "from its birth on"
        tasks.cancel_scope.cancel()


async def test_jobs_begin_by_turns_and_who_waits_no_more_holds_nobody_up(script: str) -> None:
    pool = Pool([script, str(os.getpid())], processes=1, capacity=1, recycle_after=99, grace_s=5)
    begun: list[tuple[int, int]] = []
    gone = anyio.CancelScope()

    async def one(turn: Turn, scope: anyio.CancelScope) -> None:
        with scope:
            async with pool.job({"do": "look"}, turn=turn) as conversation:
                begun.append((turn.asker, turn.rank))
                await conversation.result()

    async with anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as jobs:  # nothing runs yet
            for asker, rank in ((1, 1), (1, 1), (1, 1), (2, 1), (3, 0)):
                jobs.start_soon(one, Turn(asker, rank), anyio.CancelScope())
            jobs.start_soon(one, Turn(4, 0), gone)
            await anyio.wait_all_tasks_blocked()
            gone.cancel()
            tasks.start_soon(pool.run)
        tasks.cancel_scope.cancel()
    assert begun == [(3, 0), (1, 1), (2, 1), (1, 1), (1, 1)]
