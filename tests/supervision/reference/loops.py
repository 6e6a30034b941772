"""The event loops that plays are given on."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from typing import TYPE_CHECKING, Any

from supervision.testing import virtual_backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from .plays import Play

Backend = tuple[str, dict[str, Any]]

EAGER = sys.version_info >= (3, 12)


def eager() -> Backend:
    """asyncio in virtual time whose tasks run their first step at once (Python 3.12 and newer)."""
    name, options = virtual_backend("asyncio")
    make_loop = options["loop_factory"]

    def make() -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = make_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        return loop

    return name, {**options, "loop_factory": make}


#: Those in virtual time, by name. Each call makes a fresh one.
VIRTUAL: dict[str, Callable[[], Backend]] = {
    "asyncio": lambda: virtual_backend("asyncio"),
    "trio": lambda: virtual_backend("trio"),
    "eager": eager,
}


def fit_for(loop: str, play: Play) -> Play:
    """Trio has no native cancels: there the foreign code kills."""
    if loop != "trio":
        return play
    steps = [
        dataclasses.replace(step, order="kill") if step.order == "foreign" else step for step in play.steps
    ]
    return dataclasses.replace(play, steps=tuple(steps))
