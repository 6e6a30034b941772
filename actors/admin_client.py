"""Asks the running bot over its admin socket.

One request is one line of JSON, ``{"op": "tree"}``; its answer is one line too: ``{"ok": true, ...}`` or
``{"ok": false, "error": "..."}``. A ``trace`` has many, all but the last with ``"more": true``.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_ANSWER_BYTES = 16 * 1024 * 1024
BROKE_OFF = "the bot's answer broke off"


class NotRunningError(Exception):
    """Nobody serves the admin socket."""


class AdminError(Exception):
    """The bot refused the request, or its answer makes no sense."""


def ask(path: Path, request: Mapping[str, object], timeout_s: float = 10.0) -> dict[str, Any]:
    """The answer to one request; raises ``NotRunningError`` or ``AdminError`` with a line for a person."""
    *_, last = converse(path, request, timeout_s)
    return last


def converse(path: Path, request: Mapping[str, object], timeout_s: float = 10.0) -> Iterator[dict[str, Any]]:
    """All answers to one request as they come, the last one without ``more``; raises as `ask`.

    :param timeout_s: seconds to wait for each of them
    """
    try:
        with _connect(path, timeout_s) as connection, connection.makefile("rb") as lines:
            _send(connection, json.dumps(request).encode() + b"\n")
            more = True
            while more:
                answer = _answer(_read_line(lines))
                more = answer.get("more") is True
                yield answer
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NotRunningError(f"no bot is running: nobody serves {path}") from error
    except OSError as error:
        raise AdminError(f"{path}: {error.strerror or 'no answer in time'}") from error


def is_served(path: Path) -> bool:
    """Whether a live process answers behind the socket's file."""
    try:
        _connect(path, timeout_s=1.0).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except OSError:  # there, but busy, or somebody else's
        return True
    return True


def _connect(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _send(connection: socket.socket, line: bytes) -> None:
    try:
        connection.sendall(line)
    except BrokenPipeError:
        pass  # turned away before it was asked: the reason is there to be read


def _read_line(lines: BinaryIO) -> bytes:
    line = lines.readline(MAX_ANSWER_BYTES)
    if not line.endswith(b"\n"):
        raise AdminError("the bot's answer is too long" if len(line) == MAX_ANSWER_BYTES else BROKE_OFF)
    return line


def _answer(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise AdminError("the bot's answer is not JSON") from error
    if not isinstance(answer, dict) or answer.get("ok") is not True:
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise AdminError(f"the bot refused: {reason or 'no reason given'}")
    return answer
