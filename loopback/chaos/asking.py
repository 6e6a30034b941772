"""Asks the bot over its admin socket: one line of JSON, one or more lines as an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LONGEST_LINE: Final = 16 * 1024 * 1024
ANSWER_S: Final = 10.0


class NotAskedError(Exception):
    """The bot is not there, broke off, or refused; the message says which."""


async def converse(path: Path, op: str, **request: Any) -> AsyncIterator[dict[str, Any]]:
    """All answers to one request as they come; the last one has no `more`.

    :raises NotAskedError: it was not answered to the end
    """
    try:
        async with await anyio.connect_unix(path) as stream:
            await stream.send(json.dumps({"op": op, **request}).encode() + b"\n")
            lines, more = BufferedByteReceiveStream(stream), True
            while more:
                with anyio.fail_after(ANSWER_S):
                    answer = json.loads(await lines.receive_until(b"\n", LONGEST_LINE))
                if answer.get("ok") is not True:
                    raise NotAskedError(str(answer.get("error")))
                more = answer.get("more") is True
                yield answer
    except (OSError, ValueError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.IncompleteRead) as error:
        raise NotAskedError(f"{type(error).__name__}: {error}") from error


async def ask(path: Path, op: str, **request: Any) -> dict[str, Any]:
    """The last answer. Raises as `converse`."""
    return [answer async for answer in converse(path, op, **request)][-1]
