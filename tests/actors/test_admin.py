"""The admin socket: its answers, who may use it, and that neither rubbish nor crowds disturb it."""

from __future__ import annotations

import json
import socket
import stat
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread
from rich.console import Console

from actors.admin import MAX_CONNECTIONS, MAX_REQUEST_BYTES, Admin, AdminSocketBusyError
from actors.admin_client import AdminError, NotRunningError, ask, is_served
from actors.admin_view import duration, print_tree, render_tree
from supervision import ChildSpec, ChildStarted, SupervisorSpec, open_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from supervision import System, TreeNode

pytestmark = pytest.mark.anyio


@pytest.fixture
def path() -> Iterator[Path]:
    """A place for the socket; pytest's own folders may be too deep for one."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "deeper" / "admin.sock"


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[System]:
    """A system whose only actor serves the socket, and shows the system's own tree."""
    holder: list[System] = []

    async def survey() -> TreeNode:
        return await holder[0].survey()

    spec = ChildSpec("admin", lambda: Admin(path, survey))
    async with open_system(SupervisorSpec((spec,)), name="ostinato") as system:
        holder.append(system)
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
    assert [child["path"] for child in tree["children"]] == ["admin"]


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
        (b'["tree"]\n', "unknown op; known are tree"),
        (b'{"op": ["tree"]}\n', "unknown op"),
        (b'{"op": "kill"}\n', "unknown op"),
        (b"x" * (MAX_REQUEST_BYTES + 1), "bytes"),
    ],
)
async def test_rubbish_is_answered_and_changes_nothing(path: Path, line: bytes, words: str) -> None:
    async with serving(path) as system:
        (answer,) = await talk(path, line)
        assert answer["ok"] is False
        assert words in answer["error"]
        assert (await ask_tree(path))["ok"]
        assert [node.restarts for node in system.tree().walk()] == [0, 0]


async def test_a_connection_that_breaks_off_changes_nothing(path: Path) -> None:
    async with serving(path) as system:
        async with await anyio.connect_unix(path) as stream:
            await stream.send(b'{"op": ')
        assert (await ask_tree(path))["ok"]
        assert [node.restarts for node in system.tree().walk()] == [0, 0]


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


def test_a_person_sees_names_states_restarts_and_errors() -> None:
    node = {"id": "ostinato", "kind": "supervisor", "state": "running", "uptime_s": 7200.0, "children": [
        {"id": "[red]42", "kind": "actor", "state": "backoff", "restarts": 3, "mailbox_depth": 2,
         "last_error": "ValueError: [bold]x"}]}  # fmt: skip
    console = Console(width=200)
    with console.capture() as captured:
        console.print(render_tree(node))
    root, child = captured.get().splitlines()
    assert root == "ostinato  running  2 h"
    assert "[red]42  backoff" in child
    assert "restarts 3  waiting 2  last error: ValueError: [bold]x" in child


def test_a_program_gets_json(capsys: pytest.CaptureFixture[str]) -> None:
    node = {"id": "x" * 300, "children": []}
    print_tree(node, as_json=True)
    assert json.loads(capsys.readouterr().out) == node


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_a_time_span_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
