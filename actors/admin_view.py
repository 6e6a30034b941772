"""The supervision tree in a terminal, from a ``TreeNode``'s dictionary (schema: supervision/README.md)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATE_STYLES = {
    "running": "green", "starting": "yellow", "suspended": "cyan", "backoff": "red", "stopping": "yellow",
}  # fmt: skip
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def print_tree(node: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the tree to standard output, for a person or for a program."""
    console = Console()
    if as_json:
        console.out(json.dumps(node, indent=2), highlight=False)
    else:
        console.print(render_tree(node), soft_wrap=True)


def render_tree(node: Mapping[str, Any]) -> Tree:
    """A tree of lines: name, state, age, restarts, what waits in the mailbox, the last error."""
    tree = Tree(_line(node))
    for child in node.get("children", ()):
        tree.children.append(render_tree(child))
    return tree


def duration(seconds: float) -> str:
    """A time span by its greatest unit that fits: ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{int(seconds // size)} {unit}"


def _line(node: Mapping[str, Any]) -> Text:
    supervisor, state = node.get("kind") == "supervisor", str(node.get("state", "?"))
    line = Text(str(node["id"]), style="bold" if supervisor else "")
    line.append(f"  {state}", style=_STATE_STYLES.get(state.lower(), "red"))
    line.append(f"  {duration(node.get('uptime_s') or 0)}", style="dim")
    for words, style in _remarks(node):
        line.append(f"  {words}", style=style)
    return line


def _remarks(node: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is worth a word: nothing of it shows while all is well."""
    count = {key: node.get(key) or 0 for key in ("restarts", "mailbox_depth", "mailbox_dropped")}
    return [
        (words, style)
        for words, style, tell in (
            (f"restarts {count['restarts']}", "yellow", count["restarts"]),
            (f"waiting {count['mailbox_depth']}", "cyan", count["mailbox_depth"]),
            (f"dropped {count['mailbox_dropped']}", "red", count["mailbox_dropped"]),
            (f"last error: {node.get('last_error')}", "red", node.get("last_error")),
        )
        if tell
    ]
