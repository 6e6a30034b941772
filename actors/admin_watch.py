"""The live view of the supervision tree in a terminal, in the manner of `top`."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from actors.admin_client import AdminError, NotRunningError
from actors.admin_screen import screen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.admin_screen import Page

REFRESH_S = 0.5


def watch(ask: Callable[[], dict[str, Any]], page: Page) -> None:
    """Show what `ask` answers, again and again, until `q` or Ctrl-C; a bot that is away is waited for.

    :raises AdminError, NotRunningError: it could not even be asked the first time
    """
    console, answer, problem = Console(), ask(), ""
    with Live(console=console, screen=True, auto_refresh=False) as live, keys() as pressed:
        while not page.done:
            live.update(screen(answer["tree"], page, console.size, problem), refresh=True)
            for key in pressed():
                page.press(key)
            try:
                answer, problem = ask(), ""
            except (AdminError, NotRunningError) as error:
                problem = str(error)


@contextmanager
def keys() -> Iterator[Callable[[], str]]:
    """A function that waits a while for keys and returns those that were pressed."""
    source = sys.stdin.fileno()
    before = termios.tcgetattr(source)
    tty.setcbreak(source)
    try:
        yield lambda: _pressed(source)
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)


def _pressed(source: int) -> str:
    ready, _, _ = select.select([source], [], [], REFRESH_S)
    return os.read(source, 64).decode(errors="ignore") if ready else ""
