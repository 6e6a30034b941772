"""One extraction that was ordered, and what becomes of its answer if nobody waits for it any more.

Somebody who skips many tracks orders as many extractions and wants the last one. To end one its process would
have to be killed, and another one started, which takes longer than most extractions do. So one that has begun
may end: its answer is kept for whoever comes back to the track.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from .errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .worker import Conversation

    Answer = dict[str, Any]


@dataclass(slots=True)
class Order:
    """`settle` is given the answer, whoever hears it; `unwanted_s`: 0 if it is of no use to anybody else.

    `begun`: whether a worker has got it.
    """

    request: dict[str, Any]
    settle: Callable[[Answer], None]
    unwanted_s: float = 0.0
    begun: bool = False

    async def answer(self, conversation: Conversation) -> Answer:
        """The answer. When this is cancelled it is waited for until `unwanted_s` after the beginning."""
        self.begun, began = True, time.monotonic()
        try:
            answer: Answer = await conversation.result()
        except anyio.get_cancelled_exc_class():
            left_s = self.unwanted_s - (time.monotonic() - began)
            with anyio.move_on_after(left_s, shield=True), suppress(MediaError):
                self.settle(await conversation.result())
            raise
        self.settle(answer)
        return answer
