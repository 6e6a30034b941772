"""What chaos does to a process from outside, what it sees of it, and when it leaves a bot alone."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from loopback.chaos import stepped_clock
from loopback.chaos.bot import ON_FULL_DISK, BotProcess
from loopback.chaos.kinds import BY_NAME, Kind
from loopback.chaos.lateness import Lateness, WorkersLateness
from loopback.chaos.ledger import Cost, Ledger
from loopback.chaos.performance import Performance
from loopback.chaos.plan import Step
from loopback.chaos.strikes import NOBODY, kick, move
from loopback.processes import descendants, stolen_ns

if TYPE_CHECKING:
    from pathlib import Path

    from loopback.chaos.kinds import Strike
    from loopback.chaos.ledger import Entry

pytestmark = pytest.mark.anyio

TELL = """
import sys, time
for line in sys.stdin:
    print(time.time(), time.time_ns() / 1e9, time.monotonic(), sys.argv, flush=True)
"""
WRITE = """
import sys
for line in sys.stdin:
    try:
        with open("file", "w") as file:
            file.write("x" * 100)
        print("written", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


def talk(*command: str, folder: Path, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - a program of this file
        [*before, sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )


def say(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_a_wall_clock_is_stepped_while_the_module_runs(tmp_path: Path) -> None:
    (tmp_path / "tell.py").write_text(TELL)
    clock = tmp_path / "clock"
    stepped_clock.set_step(clock, 0.0)
    with talk(stepped_clock.__file__, str(clock), "tell", "word", folder=tmp_path) as process:
        true, true_ns, before, *_ = map(float, say(process).split()[:3])
        stepped_clock.set_step(clock, -3600.0)
        wrong, wrong_ns, after, *argv = say(process).split()
        assert process.stdin is not None
        process.stdin.close()
    assert float(wrong) - true == pytest.approx(-3600, abs=30)
    assert float(wrong_ns) - true_ns == pytest.approx(-3600, abs=30)
    assert 0 <= float(after) - before < 30
    assert "word" in " ".join(argv)


def bot_of(process: subprocess.Popen[str], folder: Path) -> BotProcess:
    class Bot(BotProcess):
        pid = process.pid

    return Bot(discord=None, folder=folder, log=folder, group=None)  # type: ignore[arg-type]  # not needed


async def test_a_disk_is_full_from_the_start(tmp_path: Path) -> None:
    with talk("-c", WRITE, folder=tmp_path, before=ON_FULL_DISK) as process:
        bot = bot_of(process, tmp_path)
        assert say(process) == "File too large"
        bot.fill_disk()
        bot.empty_disk()
        assert say(process) == "written"
        assert process.stdin is not None
        process.stdin.close()


async def test_a_disk_is_full_and_empty_again(tmp_path: Path) -> None:
    with talk("-c", WRITE, folder=tmp_path) as process:
        bot = bot_of(process, tmp_path)
        assert say(process) == "written"
        before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        bot.fill_disk()
        assert say(process) == "File too large"
        bot.empty_disk()
        assert say(process) == "written"
        assert resource.prlimit(process.pid, resource.RLIMIT_FSIZE) == before
        assert process.pid in descendants(os.getpid())
        assert process.stdin is not None
        process.stdin.close()


async def test_a_machine_that_keeps_waiting_is_noticed() -> None:
    class Player:
        life, pid = 1, os.getpid()

        async def start(self) -> None: ...

        async def kill(self) -> None: ...

    late = Lateness()
    with anyio.move_on_after(0.2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(late.watch, Player())
            await anyio.sleep(0.05)
            subprocess.run([sys.executable, "-c", "import time; time.sleep(0.06)"], check=True)  # noqa: ASYNC221 - it is to block
            await anyio.sleep_forever()
    assert late.take_most_ms() > 30
    assert late.within_ms(0, 2**63) > 30
    assert late.within_ms(0, 1) == 0
    assert late.take_most_ms() == 0


async def test_of_the_bot_that_thread_counts_which_waits_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chaos, seed 602: 83 ms of silence while a thread of the bot that held the lock got no processor."""
    looks = iter([{1: 5, 2: 7}, {1: 5, 2: 7}, {1: 20_000_005, 2: 80_000_007}, {1: 20_000_005, 3: 90_000_000}])
    monkeypatch.setattr("loopback.chaos.lateness.waited_ns", lambda _pid: next(looks))
    player: Any = SimpleNamespace(pid=1)
    late = Lateness()
    with pytest.raises(RuntimeError, match="StopIteration"):
        await late.watch(player)
    assert [ns // 10_000_000 for ns in late.late_ns if ns > 60_000_000] == [8, 9]


async def test_a_wait_that_is_counted_after_what_it_held_up_began_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chaos, seed 604: 76 ms of silence everywhere, and 72 ms of waiting that were counted only after it."""
    times = iter([0, 20, 40, 60, 80])
    looks = iter([{1: 0}, {1: 0}, {1: 0}, {1: 0}, {1: 45_000_000}])
    monkeypatch.setattr("loopback.chaos.lateness.time", SimpleNamespace(time_ns=lambda: next(times) * 10**6))
    monkeypatch.setattr("loopback.chaos.lateness.waited_ns", lambda _pid: next(looks))
    monkeypatch.setattr("loopback.chaos.lateness.stolen_ns", dict)
    player: Any = SimpleNamespace(pid=1)
    late = Lateness()
    with pytest.raises(RuntimeError, match="StopIteration"):
        await late.watch(player)
    ends_ms = [34, 36, 59, 81]
    assert [late.within_ms(0, end * 10**6) for end in ends_ms] == [0, 45, 45, 45]
    assert late.within_ms(81 * 10**6, 90 * 10**6) == 0


async def test_a_processor_that_the_host_withholds_makes_the_machine_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stolen = iter([{"cpu0": 5, "cpu1": 7}, {"cpu0": 5, "cpu1": 7}, {"cpu0": 60_000_005, "cpu1": 10_000_007}])
    monkeypatch.setattr("loopback.chaos.lateness.waited_ns", lambda _pid: {1: 0})
    monkeypatch.setattr("loopback.chaos.lateness.stolen_ns", lambda: next(stolen))
    player: Any = SimpleNamespace(pid=1)
    late = Lateness()
    with pytest.raises(RuntimeError, match="StopIteration"):
        await late.watch(player)
    assert late.late_ns[-1] >= 60_000_000
    assert all(ns >= 0 for ns in stolen_ns().values())


def test_of_the_workers_that_one_counts_which_waits_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chaos, seed 706: they waited for a processor for 20 s, while the bot itself was hardly late."""
    looks = iter([{2: {2: 5}, 3: {3: 7, 4: 7}}, {2: {2: 25}, 3: {3: 17, 4: 17}}, {5: {5: 30}}, {}])
    now: dict[int, dict[int, int]] = {}

    def below(_pid: int) -> list[int]:
        now.clear()
        now.update(next(looks))
        return list(now)

    monkeypatch.setattr("loopback.chaos.lateness.descendants", below)
    monkeypatch.setattr("loopback.chaos.lateness.waited_ns", now.__getitem__)
    player: Any = SimpleNamespace(pid=1)
    late = WorkersLateness(player)
    totals = [late.total_ns() for _ in range(4)]
    assert [then - totals[0] for then in totals] == [0, 20, 50, 50]


@pytest.mark.parametrize("strike", [move, kick])
async def test_nobody_is_moved_or_kicked_while_the_bot_is_not_there_to_be_told(strike: Strike) -> None:
    """Chaos, seed 11: a process that was killed left its place, and its successor knew nothing of a kick."""
    assert await refused(strike, SimpleNamespace(sessions=[], bot=None)) == NOBODY


@pytest.mark.parametrize("session", [None, SimpleNamespace(connection=None)])
async def test_what_a_killed_process_has_left_is_not_kicked_either(session: object) -> None:
    """Chaos, seed 11: its successor was logged in already, and had not come back yet."""
    voice = SimpleNamespace(session=lambda _guild, _user: session)
    bot = SimpleNamespace(id=2)
    assert await refused(kick, SimpleNamespace(sessions=["one"], bot=bot, voice=voice)) == NOBODY


async def test_nobody_comes_to_listen_to_a_bot_that_is_in_no_channel() -> None:
    """Chaos, seed 33: it had lost the right to connect."""
    strike = BY_NAME["DAVE: members join and leave"].strike
    assert await refused(strike, SimpleNamespace(bot=SimpleNamespace(id=2)), channel_id=None) == NOBODY


async def test_what_is_done_ends_when_the_bot_is_back_though_it_is_called_again() -> None:
    """Chaos, seed 708: until its place is saved; meanwhile it is to be heard."""

    async def strike(_scene: object, _seat: object, _dice: Random, entry: Entry) -> None:
        entry.end_ns = 7

    scene: Any = SimpleNamespace(seats=[SimpleNamespace(guild=SimpleNamespace(name="g"))], ledger=Ledger())
    performance = Performance(scene, began_ns=time.time_ns())
    await performance._strike(Step(0.05, Kind("kicked", Cost("place"), strike), 0, "seed"))
    assert [one.end_ns for one in scene.ledger.entries] == [7]


async def refused(strike: Strike, discord: object, channel_id: int | None = 1) -> str | None:
    """Why that is not done to the bot, which is in that channel."""
    state = None if channel_id is None else SimpleNamespace(channel_id=channel_id)
    guild = SimpleNamespace(id=1, voice_of=lambda _user: state)
    seat: Any = SimpleNamespace(guild=guild, guest=SimpleNamespace(turn=anyio.Lock()), discord=discord)
    entry = Ledger().begin("fault", Cost("place"), "g")
    scene: Any = SimpleNamespace()
    await strike(scene, seat, Random(0), entry)  # noqa: S311 - nothing secret
    return entry.refused
