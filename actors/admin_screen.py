"""One picture of the live view: which rows and columns of the tree a terminal of some size shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from actors import admin_view as view
from actors.durations import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import ConsoleDimensions, RenderableType

    from actors.admin_view import Node

FRAME_LINES = 6
"""Lines of the screen that are no rows: the title, the head of the table, the foot."""

FOLDS_FROM = 2
"""Supervisors from this depth on are shown as one row while all below them is well, if space is short."""


@dataclass(slots=True)
class Page:
    """What the person at the keys wants to see; `rows` and `height` are of the screen that was drawn last."""

    pattern: str | None = None
    trouble: bool = False
    first: int = 0
    rows: int = 0
    height: int = 1
    done: bool = False

    def press(self, key: str) -> None:
        """A key was pressed; unknown ones do nothing."""
        match key:
            case "q" | "\x03" | "\x04":
                self.done = True
            case " ":
                self.first = self._clamp(self.first + self.height)
            case "b":
                self.first = self._clamp(self.first - self.height)
            case "t":
                self.trouble, self.first = not self.trouble, 0
            case _:
                pass

    def fit(self, rows: int, height: int) -> None:
        """So many rows there are, and so many the screen holds."""
        self.rows, self.height = rows, max(1, height)
        self.first = self._clamp(self.first)

    def _clamp(self, first: int) -> int:
        return max(0, min(first, self.rows - 1))


def screen(root: Node, page: Page, size: ConsoleDimensions, problem: str = "") -> RenderableType:
    """One picture that fits a terminal of that size."""
    chosen = view.select(root, page.pattern, trouble=page.trouble)
    space = size.height - FRAME_LINES
    rows = _rows(chosen, space) if chosen else []
    page.fit(len(rows), space)
    columns = [column for column in COLUMNS if size.width >= column.from_width]
    table = Table(box=None, expand=True, pad_edge=False, header_style="reverse")
    for each in columns:
        ratio = 1 if each.width is None else None
        table.add_column(each.heading, no_wrap=True, width=each.width, ratio=ratio, justify=each.justify)
    for row in rows[page.first : page.first + page.height]:
        table.add_row(*(each.cell(row) for each in columns))
    return Group(_title(root, problem), table, _foot(page))


def _rows(root: Node, space: int) -> list[Row]:
    """A row for each; if space is short, one for all below a supervisor where all is well.

    Those in trouble come first among their siblings then.
    """
    rows = [Row(depth, node, (node,)) for depth, node in view.walk(root)]
    return rows if len(rows) <= space else list(_folded(root, 0))


def _folded(node: Node, depth: int) -> Iterator[Row]:
    children = node.get("children", ())
    if children and depth >= FOLDS_FROM and _is_well(node):
        yield Row(depth, node, tuple(each for _, each in view.walk(node)))
        return
    yield Row(depth, node, (node,))
    for child in sorted(children, key=_is_well):
        yield from _folded(child, depth + 1)


def _is_well(node: Node) -> bool:
    return not any(view.is_troubled(each) for _, each in view.walk(node))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `below` are those it stands for, itself included."""

    depth: int
    node: Node
    below: tuple[Node, ...]

    def sum(self, key: str) -> int:
        """Over all that it stands for."""
        return sum(each.get(key) or 0 for each in self.below)


@dataclass(frozen=True, slots=True)
class Column:
    """`from_width`: columns that a terminal must have for it to be shown; `width` None takes what is left."""

    heading: str
    width: int | None
    cell: Callable[[Row], Text]
    from_width: int = 0
    justify: JustifyMethod = "left"


def _name(row: Row) -> Text:
    style = "bold" if row.node.get("kind") == "supervisor" else ""
    name = Text("  " * row.depth + str(row.node["id"]), style=style)
    return name.append(f"  ({len(row.below) - 1})", style="dim") if len(row.below) > 1 else name


def _up(row: Row) -> Text:
    up_s = row.node.get("uptime_s") or 0
    return Text(duration(up_s) if up_s else "")


def _mail(row: Row) -> Text:
    waiting = row.sum("mailbox_depth")
    return _number(waiting, "cyan").append(f"/{row.sum('mailbox_peak')}", style="dim")


COLUMNS = (
    Column("ACTOR", 28, _name),
    Column("STATE", 14, lambda row: view.state_words(row.node)),
    Column("UP", 6, _up, 100, "right"),
    Column("INC", 4, lambda row: Text(str(row.node.get("incarnation") or "")), justify="right"),
    Column("RESTARTS", 8, lambda row: _number(row.sum("restarts"), "yellow"), 100, "right"),
    Column("MAIL/PEAK", 9, _mail, justify="right"),
    Column("IN HAND", 18, lambda row: Text(view.in_hand(row.node), style="cyan"), 130),
    Column("LAST ERROR", None, lambda row: Text(view.last_error(row.node), style="red")),
)


def _number(value: int, style: str) -> Text:
    return Text(str(value) if value else "·", style=style if value else "dim")


def _title(root: Node, problem: str) -> Text:
    nodes = [node for _, node in view.walk(root)]
    states = Counter(str(node.get("state")) for node in nodes if node.get("kind") == "actor")
    guilds = next((len(each["children"]) for each in nodes if each.get("path") == "guilds"), 0)
    title = Text(f"{root['id']}  ", style="bold", no_wrap=True, overflow="ellipsis")
    title.append(f"up {duration(root.get('uptime_s') or 0)}, {guilds} guilds, {states.total()} actors: ")
    for number, (state, count) in enumerate(states.most_common()):
        title.append(", " if number else "")
        title.append(f"{count} {state}", style=view.STATE_STYLES.get(state, "red"))
    title.append(f", {sum(node.get('restarts') or 0 for node in nodes)} restarts")
    return title.append(f"\n{problem}", style="bold red")


def _foot(page: Page) -> Text:
    if not page.rows:
        shown = "nobody is in trouble" if page.trouble else "nobody is there"
    else:
        shown = f"{page.first + 1}-{min(page.first + page.height, page.rows)} of {page.rows} rows"
    only = "all" if page.trouble else "trouble"
    keys = f"space: next  b: back  t: {only}  q: quit"
    return Text(f"\n{shown}  {keys}", style="dim", no_wrap=True, overflow="ellipsis")
