"""Asks the running bot over its admin socket.

One request is one line of JSON, ``{"op": "tree"}``; its answer is one line too: ``{"ok": true, ...}`` or
``{"ok": false, "error": "..."}``.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_ANSWER_BYTES = 16 * 1024 * 1024


class NotRunningError(Exception):
    """Nobody serves the admin socket."""


class AdminError(Exception):
    """The bot refused the request, or its answer makes no sense."""


def ask(path: Path, request: Mapping[str, object], timeout_s: float = 5.0) -> dict[str, Any]:
    """The answer to one request; raises ``NotRunningError`` or ``AdminError`` with a line for a person."""
    try:
        with _connect(path, timeout_s) as connection:
            _send(connection, json.dumps(request).encode() + b"\n")
            line = _read_line(connection)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NotRunningError(f"no bot is running: nobody serves {path}") from error
    except OSError as error:
        raise AdminError(f"{path}: {error.strerror or 'no answer in time'}") from error
    return _answer(line)


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


def _read_line(connection: socket.socket) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        if not (chunk := connection.recv(65536)) or len(line) > MAX_ANSWER_BYTES:
            raise AdminError("the bot's answer broke off" if not chunk else "the bot's answer is too long")
        line += chunk
    return bytes(line)


def _answer(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise AdminError("the bot's answer is not JSON") from error
    if not isinstance(answer, dict) or answer.get("ok") is not True:
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise AdminError(f"the bot refused: {reason or 'no reason given'}")
    return answer
