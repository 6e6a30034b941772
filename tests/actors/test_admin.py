"""The admin socket: its answers, who may use it, and that neither rubbish nor crowds disturb it."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import structlog
from anyio import to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from actors.admin import MAX_CONNECTIONS, MAX_REQUEST_BYTES, Admin, AdminSocketBusyError
from actors.admin_client import AdminError, NotRunningError, ask, converse, is_served
from actors.admin_operations import Caller
from supervision import ChildSpec, ChildStarted, SupervisorSpec, open_system
from supervision.testing import Crash, Echo, Hang, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from supervision import System

pytestmark = pytest.mark.anyio


@pytest.fixture
def path() -> Iterator[Path]:
    """A place for the socket; pytest's own folders may be too deep for one."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "deeper" / "admin.sock"


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[System]:
    """A system of an actor that serves the socket, and of a puppet."""
    specs = (ChildSpec("admin", lambda: Admin(path)), ChildSpec("puppet", Stage()))
    async with open_system(SupervisorSpec(specs), name="ostinato") as system:
        yield system


def mode(path: Path) -> str:
    return stat.filemode(path.stat().st_mode)


def there(path: Path) -> bool:
    return path.is_socket()


async def talk(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send lines over one connection; the answers until the other side closes or each line is answered."""
    async with await anyio.connect_unix(path) as stream:
        with suppress(anyio.BrokenResourceError):  # turned away before it was asked
            await stream.send(b"".join(lines))
        received = bytearray()
        while received.count(b"\n") < len(lines):
            try:
                received += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                break
        return [json.loads(line) for line in received.splitlines()]


async def ask_tree(path: Path) -> dict[str, Any]:
    answer: dict[str, Any] = await to_thread.run_sync(ask, path, {"op": "tree"})
    return answer


async def test_the_tree_is_answered(path: Path) -> None:
    async with serving(path):
        tree = (await ask_tree(path))["tree"]
    assert (tree["id"], tree["kind"]) == ("ostinato", "supervisor")
    assert [child["path"] for child in tree["children"]] == ["admin", "puppet"]


async def test_only_the_owner_may_use_it_and_it_is_gone_afterwards(path: Path) -> None:
    async with serving(path):
        assert (mode(path), mode(path.parent)) == ("srw-------", "drwx------")
    assert not there(path)


async def test_a_connection_may_ask_several_times(path: Path) -> None:
    async with serving(path):
        answers = await talk(path, b'{"op": "tree"}\n', b'{"op": "tree"}\n')
    assert [answer["ok"] for answer in answers] == [True, True]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"tree\n", "one line of JSON"),
        (b"\xff\xfe\n", "one line of JSON"),
        (b"[" * 30_000 + b"\n", "one line of JSON"),
        (b'["tree"]\n', "one line of JSON, an object"),
        (b'{"op": ["tree"]}\n', "unknown op; known are tree, kill, suspend, resume, trace, events, chaos"),
        (b'{"op": "love"}\n', "unknown op"),
        (b'{"op": "kill"}\n', "path must be the path of an actor"),
        (b'{"op": "kill", "path": ["admin"]}\n', "path must be the path of an actor"),
        (b'{"op": "kill", "path": "' + b"x" * 301 + b'"}\n', "300 characters at most"),
        (b'{"op": "kill", "path": ""}\n', "the root cannot be killed"),
        (b'{"op": "kill", "path": "admin"}\n', "cannot kill itself"),
        (b'{"op": "kill", "path": "nobody"}\n', "nobody is up at 'nobody'"),
        (b'{"op": "suspend", "path": "nobody"}\n', "nobody lives at 'nobody'"),
        (b'{"op": "resume", "path": "nobody"}\n', "nobody lives at 'nobody'"),
        (b'{"op": "trace", "path": ""}\n', "is a supervisor"),
        (b'{"op": "trace", "path": "nobody"}\n', "nobody lives at 'nobody'"),
        (b'{"op": "trace", "path": "puppet", "seconds": "1"}\n', "seconds must be a number"),
        (b'{"op": "trace", "path": "puppet", "seconds": true}\n', "seconds must be a number"),
        (b'{"op": "trace", "path": "puppet", "seconds": 1e9}\n', "from 0 to 600"),
        (b'{"op": "trace", "path": "puppet", "seconds": NaN}\n', "seconds must be a number"),
        (b"x" * (MAX_REQUEST_BYTES + 1), "bytes"),
    ],
)
async def test_rubbish_is_answered_and_changes_nothing(path: Path, line: bytes, words: str) -> None:
    async with serving(path) as system:
        (answer,) = await talk(path, line)
        assert answer["ok"] is False
        assert words in answer["error"]
        assert (await ask_tree(path))["ok"]
        assert sum(node.restarts for node in system.tree().walk()) == 0


async def test_a_connection_that_breaks_off_changes_nothing(path: Path) -> None:
    async with serving(path) as system:
        async with await anyio.connect_unix(path) as stream:
            await stream.send(b'{"op": ')
        assert (await ask_tree(path))["ok"]
        assert sum(node.restarts for node in system.tree().walk()) == 0


async def test_a_crowd_is_turned_away_and_room_comes_back(path: Path) -> None:
    async with serving(path):
        crowd = [await anyio.connect_unix(path) for _ in range(MAX_CONNECTIONS)]
        for member in crowd:  # each is answered: so each is counted
            await member.send(b'{"op": "?"}\n')
            await member.receive()
        assert (await talk(path, b'{"op": "tree"}\n'))[0]["error"] == "too many connections"
        for member in crowd:
            await member.aclose()
        with anyio.fail_after(10):
            while True:
                if (await talk(path, b'{"op": "tree"}\n'))[0]["ok"]:
                    break


async def test_an_idle_connection_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.admin.IDLE_TIMEOUT_S", 0.05)
    async with serving(path), await anyio.connect_unix(path) as stream:
        with anyio.fail_after(10), pytest.raises(anyio.EndOfStream):
            await stream.receive()


async def test_what_a_killed_process_left_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert there(path)
    assert not is_served(path)
    async with serving(path):
        assert (await ask_tree(path))["ok"]


async def test_a_socket_that_is_served_by_another_is_left_alone(path: Path) -> None:
    async with serving(path):
        with pytest.raises(AdminSocketBusyError, match="another bot serves the admin socket"):
            async with serving(path):
                pytest.fail("started")
        assert (await ask_tree(path))["ok"]


async def test_a_killed_server_is_restarted_and_serves_again(path: Path) -> None:
    async with serving(path) as system:
        async with system.subscribe() as events:
            await system.kill("admin")
            with anyio.fail_after(10):
                async for event in events:
                    if isinstance(event, ChildStarted):
                        break
        assert (await ask_tree(path))["tree"]["children"][0]["restarts"] == 1
    assert not there(path)


# operations


async def operate(path: Path, op: str, whom: str = "puppet", **more: object) -> list[dict[str, Any]]:
    """All answers to one operation."""
    request = {"op": op, "path": whom, **more}
    return await to_thread.run_sync(lambda: list(converse(path, request)))


async def test_a_kill_tells_what_its_supervisor_decides(path: Path) -> None:
    async with serving(path) as system:
        (answer,) = await operate(path, "kill")
        assert answer["outcome"] == "it is up again, incarnation 2"
        (answer,) = await operate(path, "kill")
        assert "incarnation 3" in answer["outcome"] or "started again" in answer["outcome"]
        await system.terminate_child("", "puppet")
        with pytest.raises(AdminError, match="nobody is up"):
            await operate(path, "kill")


async def test_one_that_is_suspended_holds_still_until_it_is_resumed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.admin_operations.SUSPEND_S", 0.05)
    async with serving(path) as system:
        puppet = system.lookup("puppet")
        (answer,) = await operate(path, "suspend")
        assert "holds still until" in answer["outcome"]
        puppet.tell(Echo("later"))
        row = (await ask_tree(path))["tree"]["children"][1]
        assert (row["state"], row["mailbox_depth"]) == ("suspended", 1)
        (answer,) = await operate(path, "resume")
        assert answer["outcome"] == "it goes on"
        assert await puppet.ask(Echo("now"), timeout=5) == "now"
        puppet.tell(Hang())
        (answer,) = await operate(path, "suspend")
        assert "still has a message in hand" in answer["outcome"]


async def test_a_trace_tells_of_each_message_as_it_happens(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.admin_requests.SIGN_OF_LIFE_S", 0.02)
    async with serving(path) as system, await anyio.connect_unix(path) as stream:
        lines = BufferedByteReceiveStream(stream)

        async def answer() -> dict[str, Any]:
            found: dict[str, Any] = json.loads(await lines.receive_until(b"\n", 10_000))
            return found

        await stream.send(b'{"op": "trace", "path": "puppet", "seconds": 60}\n')
        assert await answer() == {"ok": True, "more": True}  # a sign of life: it is looking
        system.lookup("puppet").tell(Echo("words"))
        system.lookup("puppet").tell(Crash())
        steps: list[tuple[str, str, str]] = []
        while len(steps) < 4:
            if step := (await answer()).get("step"):
                steps.append((step["step"], step["message"], step["text"]))
        await system.terminate_child("", "puppet")
        while (last := await answer()).get("more"):
            pass
    echo, crash = ("Echo", "Echo(value='words')"), ("Crash", "Crash(text='as told')")
    assert steps == [("received", *echo), ("handled", *echo), ("received", *crash), ("crashed", *crash)]
    assert last == {"ok": True, "steps": 4, "lost": 0}


async def test_a_trace_ends_in_time_or_with_its_reader(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.admin_requests.SIGN_OF_LIFE_S", 0.02)
    async with serving(path):
        assert (await operate(path, "trace", seconds=0.05))[-1] == {"ok": True, "steps": 0, "lost": 0}
        for _ in range(MAX_CONNECTIONS + 1):  # room comes back
            async with await anyio.connect_unix(path) as stream:
                await stream.send(b'{"op": "trace", "path": "puppet", "seconds": 600}\n')
                await stream.receive()
        with anyio.fail_after(10):
            while not (await talk(path, b'{"op": "tree"}\n'))[0]["ok"]:
                pass


async def test_a_trace_has_an_end_however_much_happens(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.admin_operations.MAX_STEPS", 3)
    async with serving(path) as system, anyio.create_task_group() as group:

        async def chatter() -> None:
            while True:
                await system.lookup("puppet").ask(Echo())

        group.start_soon(chatter)
        answers = await operate(path, "trace", seconds=600)
        group.cancel_scope.cancel()
    assert len([each for each in answers if "step" in each]) == 3


async def test_chaos_tells_of_each_deed_and_spares_who_serves_it(path: Path) -> None:
    request = {
        "paths": ["*"],
        "seed": 3,
        "every_s": 0.02,
        "seconds": 0.4,
        "faults": ["kill", "hang"],
        "longest_s": 0,
    }
    async with serving(path) as system:
        *deeds, last = await operate(path, "chaos", "", **request)
        done = [each["deed"] for each in deeds if "deed" in each]
        assert len(done) > 10
        assert {deed["path"] for deed in done} == {"puppet"}
        assert {deed["fault"] for deed in done} == {"kill", "hang"}
        kills = [deed for deed in done if deed["fault"] == "kill" and deed["refused"] is None]
        assert last["done"] + last["refused"] == len(done)
        assert last["untold"] == 0
        row = system.tree().find("puppet")
        assert row is not None
        assert row.restarts <= len(kills) <= 5, "its supervisor bears five in ten seconds"


async def test_chaos_does_the_deeds_that_are_listed(path: Path) -> None:
    deeds = [
        {"step": 1, "at_s": 0.0, "fault": "kill", "path": "puppet"},
        {"step": 2, "at_s": 0.01, "fault": "kill", "path": "nobody"},
    ]
    async with serving(path) as system:
        *told, last = await operate(path, "chaos", "", deeds=deeds)
        done = {each["deed"]["path"]: each["deed"]["refused"] for each in told if "deed" in each}
        assert done["puppet"] is None
        assert "nobody" in done["nobody"]
        assert (last["done"], last["refused"]) == (1, 1)
        await wait_incarnation(system, 2)


async def test_events_tell_of_every_restart(path: Path) -> None:
    seen: list[object] = []
    async with serving(path) as system, await anyio.connect_unix(path) as stream:
        await stream.send(b'{"op": "events", "seconds": 60}\n')
        lines = BufferedByteReceiveStream(stream)
        await lines.receive_until(b"\n", 4096)  # it listens
        while len(seen) < 2:
            await system.kill("puppet")
            event = None
            while event is None:  # a sign of life
                event = json.loads(await lines.receive_until(b"\n", 4096)).get("event")
            seen.append(event)
    assert seen == [
        {"kind": "restarted", "path": "puppet", "incarnation": 2},
        {"kind": "restarted", "path": "puppet", "incarnation": 3},
    ]


async def wait_incarnation(system: System, number: int) -> None:
    with anyio.fail_after(5):
        while (row := system.tree().find("puppet")) is None or row.incarnation < number:  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def test_chaos_ends_with_its_reader(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.admin_requests.SIGN_OF_LIFE_S", 0.02)
    async with serving(path) as system:
        async with await anyio.connect_unix(path) as stream:
            lasting = {
                "op": "chaos",
                "paths": ["puppet"],
                "every_s": 0.01,
                "faults": ["hang"],
                "longest_s": 60,
            }
            await stream.send(json.dumps(lasting).encode() + b"\n")
            await stream.receive()
        assert await system.lookup("puppet").ask(Echo("free"), timeout=10) == "free"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"seconds": -1}, "seconds must be a number from 0 to"),
        ({"every_s": 0}, "every_s must be a number from 0.01"),
        ({"faults": ["love"]}, "love"),
        ({"faults": []}, "faults need weights"),
        ({"paths": "*"}, "paths must be a list"),
        ({"spared": [1]}, "spared must be texts"),
        ({"deeds": {}}, "deeds must be a list"),
        ({"deeds": [1]}, "a deed is an object"),
        ({"deeds": [{"fault": "love", "path": "puppet"}]}, "love"),
        ({"deeds": [{"fault": "kill", "path": "admin"}]}, "neither the root nor who serves"),
        ({"deeds": [{"fault": "hang", "path": "puppet", "seconds": 1e9}]}, "seconds must be a number"),
        ({"deeds": [{"fault": "kill", "path": "puppet", "whim": 1}]}, "whim"),
    ],
)
async def test_chaos_that_makes_no_sense_is_refused(path: Path, wrong: dict[str, object], words: str) -> None:
    async with serving(path):
        with pytest.raises(AdminError, match=words):
            await operate(path, "chaos", "", **wrong)


async def test_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(path):
        monkeypatch.setattr("actors.admin.caller_of", lambda _: Caller(os.getuid() + 1, 1))
        with pytest.raises(AdminError, match="another user's"):
            await ask_tree(path)


async def test_who_did_what_is_on_record(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.admin_requests.SIGN_OF_LIFE_S", 0.02)
    async with serving(path):
        with structlog.testing.capture_logs() as logs:
            await ask_tree(path)
            await operate(path, "suspend")
            with pytest.raises(AdminError):
                await operate(path, "kill", "nobody")
            await operate(path, "trace", seconds=0.01)
            async with await anyio.connect_unix(path) as stream:
                await stream.send(b'{"op": "trace", "path": "puppet", "seconds": 600}\n')
                await stream.receive()
            with anyio.fail_after(10):
                while not any(line.get("outcome") == "broken off" for line in logs):  # noqa: ASYNC110 - nobody tells
                    await anyio.sleep(0.01)
    told = [line for line in logs if line["event"] == "admin_operation"]
    assert [(line["op"], line["path"]) for line in told] == [
        ("suspend", "puppet"), ("kill", "nobody"), ("trace", "puppet"), ("trace", "puppet")]  # fmt: skip
    assert {(line["uid"], line["pid"]) for line in told} == {(os.getuid(), os.getpid())}
    assert [line["outcome"] for line in told] == ["done", "nobody is up at 'nobody'", "done", "broken off"]


# the client


def test_where_nobody_serves_the_client_says_so(path: Path) -> None:
    with pytest.raises(NotRunningError, match="no bot is running"):
        ask(path, {"op": "tree"})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "broke off"),
        (b"nonsense\n", "not JSON"),
        (b'{"ok": false, "error": "no"}\n', "refused: no"),
        (b"[]\n", "no reason given"),
        (b'{"ok": true, "more": true}\n', "broke off"),
    ],
)
async def test_the_client_names_what_is_wrong_with_an_answer(path: Path, answer: bytes, words: str) -> None:
    path.parent.mkdir()

    async def serve_once(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(answer)

    async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve_once)
        with pytest.raises(AdminError, match=words):
            await to_thread.run_sync(ask, path, {"op": "tree"})
        group.cancel_scope.cancel()
