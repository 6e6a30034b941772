"""The tree in a terminal: what of it is shown, in which words, and the live view with its keys."""

from __future__ import annotations

import json
import os
import termios
import time
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console, ConsoleDimensions

from actors import admin_watch
from actors.admin_client import NotRunningError
from actors.admin_screen import Page, screen
from actors.admin_view import is_troubled, print_tree, render_tree, select, walk
from actors.durations import duration

if TYPE_CHECKING:
    from rich.console import RenderableType

SMALL = ConsoleDimensions(100, 26)
FIVE = ("persistence", "connection", "preloader", "player", "display")


def node(path: str, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row as the bot tells it, of one who is well."""
    row = {"id": path.rpartition("/")[2] or "ostinato", "path": path,
           "kind": "supervisor" if children else "actor", "state": "running", "incarnation": 1, "restarts": 0,
           "mailbox_depth": 0, "mailbox_peak": 3,
           "mailbox_dropped": 0, "uptime_s": 7200.0, "restart_in_s": None, "last_error": None,
           "last_error_at": None, "current_message": None, "current_message_s": 0.0}  # fmt: skip
    return row | more | {"children": list(children)}


def guild(number: int, **player: Any) -> dict[str, Any]:
    actors = (node(f"guilds/{number}/{name}", **(player if name == "player" else {})) for name in FIVE)
    return node(f"guilds/{number}", *actors)


def backing_off() -> dict[str, Any]:
    return {"state": "backoff", "restart_in_s": 3.21, "incarnation": 4, "restarts": 3, "mailbox_depth": 2,
            "last_error": "KeyError: [bold]x", "last_error_at": time.time() - 12.5,
            "uptime_s": 0.0}  # fmt: skip


def house(*guilds: dict[str, Any]) -> dict[str, Any]:
    return node("", node("store"), node("voice", node("voice/clock")), node("guilds", *guilds), node("admin"))


def lines(shown: RenderableType, width: int = 160) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(shown)
    return [line.rstrip() for line in captured.get().splitlines()]


# words


def test_a_person_sees_names_states_restarts_and_errors() -> None:
    busy = node("[red]42", current_message="Play", current_message_s=1.26, mailbox_dropped=4)
    root, first, second = lines(render_tree(node("", node("player", **backing_off()), busy)))
    assert root == "ostinato  running  2 h"
    assert "player  again in 3.2 s  incarnation 4  restarts 3  waiting 2" in first
    assert "last error 12 s ago: KeyError: [bold]x" in first
    assert "[red]42  running  2 h  dropped 4  handles Play 1.3 s" in second


def test_a_line_is_whole_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    failed = node("player", last_error=f"KeyError: {'long ' * 40}end", last_error_at=time.time() - 2.5)
    print_tree(node("", failed), as_json=False)
    (_, line) = capsys.readouterr().out.splitlines()
    assert line.startswith("└── player  running  2 h  last error 2 s ago: KeyError: long long")
    assert line.endswith("long end")


def test_a_program_gets_json(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": "x" * 300, "children": []}
    print_tree(row, as_json=True)
    assert json.loads(capsys.readouterr().out) == row


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_a_time_span_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# what is shown


def paths(root: Any) -> list[str]:
    return [] if root is None else [row["path"] for _, row in walk(root)]


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        ("guilds/2", ["", "guilds", "guilds/2", *(f"guilds/2/{name}" for name in FIVE)]),
        ("guilds/*/player", ["", "guilds", "guilds/1", "guilds/1/player", "guilds/2", "guilds/2/player"]),
        ("store", ["", "store"]),
        ("guild", []),
    ],
)
def test_a_part_is_chosen_by_path_or_pattern(pattern: str, shown: list[str]) -> None:
    assert paths(select(house(guild(1), guild(2)), pattern, trouble=False)) == shown


def test_only_those_in_trouble_and_the_way_to_them() -> None:
    root = house(guild(1), guild(2, **backing_off()))
    assert paths(select(root, None, trouble=True)) == ["", "guilds", "guilds/2", "guilds/2/player"]
    assert select(root, "guilds/1", trouble=True) is None
    assert select(house(), None, trouble=True) is None


@pytest.mark.parametrize(
    ("more", "troubled"),
    [
        ({}, False),
        ({"state": "stopped"}, False),
        ({"state": "suspended"}, True),
        ({"current_message_s": 4.0}, False),
        ({"current_message_s": 6.0}, True),
        ({"mailbox_depth": 15}, False),
        ({"mailbox_depth": 16}, True),
        ({"last_error": "x", "last_error_at": 0.0}, False),
    ],
)
def test_what_trouble_is(more: dict[str, Any], troubled: bool) -> None:
    assert is_troubled(node("x", **more)) is troubled


def test_a_failure_is_trouble_for_a_minute() -> None:
    assert is_troubled(node("x", last_error="x", last_error_at=time.time() - 50))
    assert not is_troubled(node("x", last_error="x", last_error_at=time.time() - 70))


# the live view


def test_a_screen_has_a_title_rows_and_a_foot() -> None:
    shown = lines(screen(house(guild(1, **backing_off())), Page(), ConsoleDimensions(160, 40)))
    assert shown[0].startswith("ostinato  up 2 h, 1 guilds, 8 actors: 7 running, 1 backoff, 3 restarts")
    player = next(line for line in shown if "player" in line)
    assert player.split()[:5] == ["player", "again", "in", "3.2", "s"]
    assert "12 s ago: KeyError: [bold]x" in player
    assert "1-12 of 12 rows" in shown[-1]


def test_many_guilds_fold_those_that_are_well_and_are_paged() -> None:
    root, page = house(*(guild(number) for number in range(1, 41)), guild(99, **backing_off())), Page()
    first = lines(screen(root, page, SMALL))
    assert len(first) <= 26
    assert any("player" in line and "again in" in line for line in first), "trouble comes first"
    assert sum("(5)" in line for line in first) == 12
    assert "1-20 of 52 rows" in first[-1]
    page.press(" ")
    page.press(" ")
    assert "41-52 of 52 rows" in lines(screen(root, page, SMALL))[-1]
    page.press(" ")
    assert page.first == 51
    for _ in range(9):
        page.press("b")
    assert page.first == 0
    page.press("t")
    assert "1-4 of 4 rows" in lines(screen(root, page, SMALL))[-1]


def test_a_narrow_terminal_shows_fewer_columns_and_whole_names() -> None:
    root = house(guild(1234567890123456789, **backing_off()))
    for width in (80, 100, 120, 200):
        shown = lines(screen(root, Page(), ConsoleDimensions(width, 40)), width)
        assert max(map(len, shown)) <= width
        assert any("1234567890123456789 " in line for line in shown)
        assert any("again in 3.2 s" in line and "12 s ago: Key" in line for line in shown)
        assert ("IN HAND" in shown[2]) == (width >= 130)


def test_a_screen_as_narrow_as_a_phones_has_its_title_and_its_keys_in_one_line_each() -> None:
    root, size = house(*(guild(number) for number in range(1, 9))), ConsoleDimensions(60, 20)
    shown = lines(screen(root, Page(), size), size.width)
    assert len(shown) <= 20
    assert (shown[0].startswith("ostinato  up 2 h"), shown[1]) == (True, "")
    assert shown[-1].endswith("q: quit")


def test_where_nothing_is_to_be_shown_it_is_said() -> None:
    assert "nobody is in trouble" in lines(screen(house(), Page(trouble=True), SMALL))[-1]
    assert "nobody is there" in lines(screen(house(), Page(pattern="x"), SMALL))[-1]


def test_it_goes_on_until_q_and_waits_for_a_bot_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal of its own, which is as it was afterwards."""
    outside, inside = os.openpty()
    asked: list[int] = []
    drawn: list[str] = []

    def ask() -> dict[str, Any]:
        asked.append(1)
        if len(asked) == 3:
            raise NotRunningError("no bot is running")
        if len(asked) == 5:
            os.write(outside, b"xq")
        return {"tree": house(guild(1))}

    def draw(root: Any, page: Page, size: ConsoleDimensions, problem: str) -> RenderableType:
        drawn.append(problem)
        return screen(root, page, size, problem)

    with open(os.dup(inside), "w") as out, open(inside) as source:  # noqa: PTH123 - descriptors
        console = Console(file=out, force_terminal=True, width=100, height=20)
        monkeypatch.setattr(admin_watch, "Console", lambda: console)
        monkeypatch.setattr("sys.stdin", source)
        monkeypatch.setattr(admin_watch, "REFRESH_S", 0.01)
        monkeypatch.setattr(admin_watch, "screen", draw)
        before = termios.tcgetattr(inside)
        admin_watch.watch(ask, Page())
        assert termios.tcgetattr(inside) == before
    os.close(outside)
    assert drawn[:4] == ["", "", "no bot is running", ""]
