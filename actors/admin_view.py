"""The supervision tree for people: what of it is shown, and in which words.

All works on a ``TreeNode``'s dictionary (schema: supervision/README.md), as the admin socket gives it.
"""

from __future__ import annotations

import json
import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from actors.durations import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Node: TypeAlias = "Mapping[str, Any]"

STATE_STYLES = {
    "running": "green", "starting": "yellow", "suspended": "cyan", "backoff": "red", "stopping": "yellow",
    "stopped": "dim",
}  # fmt: skip

BUSY_S = 5.0
"""Who has had one message in hand for longer is in trouble,"""

WAITING = 16
"""and who has as many waiting,"""

FRESH_S = 60.0
"""and who has failed within the last minute."""

PIPED_COLUMNS = 1000


# what is shown


def walk(node: Node, depth: int = 0) -> Iterator[tuple[int, Node]]:
    """The node and all below, parents first, each with its depth."""
    yield depth, node
    for child in node.get("children", ()):
        yield from walk(child, depth + 1)


def prune(node: Node, keep: Callable[[Node], bool], *, whole: bool) -> Node | None:
    """The tree without those who are not kept; whoever leads to one that is stays. None if nobody is left.

    :param whole: whether all below one that is kept stays too
    """
    wanted = keep(node)
    if wanted and whole:
        return node
    children = [kept for child in node.get("children", ()) if (kept := prune(child, keep, whole=whole))]
    return {**node, "children": children} if wanted or children else None


def lives_at(pattern: str) -> Callable[[Node], bool]:
    """Whether a node's path is that one, or fits that pattern of fnmatch's."""
    return lambda node: fnmatchcase(str(node.get("path")), pattern)


def is_troubled(node: Node) -> bool:
    """Whether somebody might want to look at it: see the constants above."""
    error_at = node.get("last_error_at")
    return (
        node.get("state") not in ("running", "stopped")
        or (node.get("current_message_s") or 0) > BUSY_S
        or (node.get("mailbox_depth") or 0) >= WAITING
        or (error_at is not None and time.time() - error_at < FRESH_S)
    )


def select(root: Node, pattern: str | None, *, trouble: bool) -> Node | None:
    """What of the tree is asked for; None if there is no such thing."""
    found = prune(root, lives_at(pattern), whole=True) if pattern else root
    return prune(found, is_troubled, whole=False) if found and trouble else found


# in which words


def print_tree(node: Node, *, as_json: bool) -> None:
    """Print the tree to standard output, for a person or for a program."""
    console = Console()
    if as_json:
        console.out(json.dumps(node, indent=2), highlight=False)
    else:
        if not console.is_terminal:  # a program or a file has no width: nothing is wrapped
            console.width = PIPED_COLUMNS
        console.print(render_tree(node))


def render_tree(node: Node) -> Tree:
    """A tree of lines: name, state, age, restarts, what waits in the mailbox, the last error."""
    tree = Tree(_line(node))
    for child in node.get("children", ()):
        tree.children.append(render_tree(child))
    return tree


def state_words(node: Node) -> Text:
    """The state; of one that waits for its restart, when that is."""
    state = str(node.get("state", "?"))
    due_s = node.get("restart_in_s")
    words = state if due_s is None else f"again in {due_s:.1f} s"
    return Text(words, style=STATE_STYLES.get(state, "red"))


def in_hand(node: Node) -> str:
    """The message that is handled, and for how long it has been; empty if there is none."""
    message = node.get("current_message")
    return f"{message} {node.get('current_message_s') or 0:.1f} s" if message else ""


def last_error(node: Node) -> str:
    """The last error and when it was; empty if there is none."""
    error, at = node.get("last_error"), node.get("last_error_at")
    if not error:
        return ""
    return str(error) if at is None else f"{duration(max(0.0, time.time() - at))} ago: {error}"


def _line(node: Node) -> Text:
    line = Text(str(node["id"]), style="bold" if node.get("kind") == "supervisor" else "")
    line.append("  ").append_text(state_words(node))
    if up_s := node.get("uptime_s") or 0:
        line.append(f"  {duration(up_s)}", style="dim")
    for words, style in _remarks(node):
        line.append(f"  {words}", style=style)
    return line


def _remarks(node: Node) -> list[tuple[str, str]]:
    """What is worth a word: nothing of it shows while all is well."""
    keys = ("incarnation", "restarts", "mailbox_depth", "mailbox_dropped")
    count = {key: node.get(key) or 0 for key in keys}
    return [
        (words, style)
        for words, style, tell in (
            (f"incarnation {count['incarnation']}", "dim", count["incarnation"] > 1),
            (f"restarts {count['restarts']}", "yellow", count["restarts"]),
            (f"waiting {count['mailbox_depth']}", "cyan", count["mailbox_depth"]),
            (f"dropped {count['mailbox_dropped']}", "red", count["mailbox_dropped"]),
            (f"handles {in_hand(node)}", "cyan", in_hand(node)),
            (f"last error {last_error(node)}", "red", last_error(node)),
        )
        if tell
    ]
