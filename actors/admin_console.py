"""What the command line does with a running bot: asks over the admin socket, and prints the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from actors import admin_view as view
from actors.admin_client import AdminError, ask, converse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANSWER_S = 20.0
"""The bot may take so long for an operation: a supervisor that is killed stops its children first."""

_STYLES = {
    "received": "dim", "handled": "green", "answered": "green", "refused": "yellow", "aside": "cyan",
    "skipped": "dim", "crashed": "red", "cut": "red",
}  # fmt: skip


def show_tree(socket: Path, pattern: str | None, trouble: bool, as_json: bool) -> None:
    """The tree, or the part of it that is asked for; `AdminError` if there is no such part."""
    root = ask(socket, {"op": "tree"})["tree"]
    chosen = view.select(root, pattern, trouble=False)
    if chosen is None:
        raise AdminError(f"nobody lives at {pattern}")
    if trouble and (chosen := view.select(chosen, None, trouble=True)) is None:
        chosen = {**root, "children": []}
    view.print_tree(chosen, as_json=as_json)


def watch_tree(socket: Path, pattern: str | None, trouble: bool) -> None:
    """The tree as a live view, until somebody ends it."""
    from actors.admin_screen import Page
    from actors.admin_watch import watch

    watch(lambda: ask(socket, {"op": "tree"}), Page(pattern=pattern, trouble=trouble))


def operate(socket: Path, operation: str, path: str) -> None:
    """Do it to whoever lives at that path, and say what came of it."""
    answer = ask(socket, {"op": operation, "path": path}, ANSWER_S)
    Console(highlight=False, markup=False).print(f"{path}: {answer['outcome']}", soft_wrap=True)


def show_trace(socket: Path, path: str, seconds: float, as_json: bool) -> None:
    """Each step of each message as it comes, and at the end how many there were."""
    console, first_at, last = Console(highlight=False, markup=False), None, {}
    for last in converse(socket, {"op": "trace", "path": path, "seconds": seconds}, ANSWER_S):
        step = last.get("step")
        if step is not None:
            first_at = step["at"] if first_at is None else first_at
            line = json.dumps(step) if as_json else _step(step, step["at"] - first_at)
            console.print(line, soft_wrap=True)
    if not as_json:
        lost = f", {last['lost']} more were lost: they came too fast" if last.get("lost") else ""
        console.print(f"{last.get('steps', 0)} steps of {path}{lost}", soft_wrap=True)


def _step(step: Mapping[str, Any], at_s: float) -> Text:
    """Seconds since the first step, what became of it, for how long it was in hand, the message."""
    line = Text(f"{at_s:8.3f} s  ")
    line.append(f"{step['step']:<9}", style=_STYLES.get(step["step"], ""))
    line.append(f"{step['ms']:>9.2f} ms  " if step["step"] != "received" else f"{'':>14}", style="dim")
    return line.append(str(step["text"]))
