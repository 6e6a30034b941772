"""Requests over the admin socket: what an operation is given and gives, and how their fields are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Request = Mapping[str, Any]
Answer = Mapping[str, object]
Send = Callable[[Answer], Awaitable[None]]
"""For answers that come before the last one; these have `more`."""

MAX_PATH = 300
"""Characters of a path."""

SIGN_OF_LIFE_S = 1.0
"""Between two answers of an operation that lasts, at most: it meets a reader that has gone."""


class RefusedError(Exception):
    """The request makes no sense; the text is for the person who made it."""


def refusal(words: str) -> Answer:
    """An answer that says no."""
    return {"ok": False, "error": words}


def path_of(request: Request) -> str:
    """
    :raises RefusedError: there is none, or a monstrous one
    """
    path = request.get("path")
    if not isinstance(path, str) or len(path) > MAX_PATH:
        raise RefusedError(f"path must be the path of an actor, {MAX_PATH} characters at most")
    return path


def number(request: Request, name: str, default: float, least: float, most: float) -> float:
    """
    :raises RefusedError: it is no number, or not from `least` to `most`
    """
    value = request.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise RefusedError(f"{name} must be a number from {least:g} to {most:g}")
    return float(value)


def texts(request: Request, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """
    :raises RefusedError: it is no list of at most 20 bounded texts
    """
    values = request.get(name, default)
    if not isinstance(values, list | tuple) or len(values) > 20:
        raise RefusedError(f"{name} must be a list of at most 20 texts")
    if not all(isinstance(value, str) and len(value) <= MAX_PATH for value in values):
        raise RefusedError(f"{name} must be texts of at most {MAX_PATH} characters")
    return tuple(values)
