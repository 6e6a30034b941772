"""What a stream tells its player, as messages that arrive also when the player's mailbox is full."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

import structlog

from supervision import MailboxFull, SupervisionError

from .messages import StreamEnded, StreamRewound, StreamStarted
from .voice import Ended, Started

if TYPE_CHECKING:
    from supervision import Ref

    from .voice import StreamEvent

AGAIN_S: Final = 0.1
"""Until a full mailbox is tried again: a track that ends unnoticed is silence."""

KEPT: Final = 64
"""Events that wait for room at most; of more the oldest are given up."""

log = structlog.get_logger(__name__)


class StreamEvents:
    """On the way from the clock to one player, in their order."""

    def __init__(self, player: Ref) -> None:
        self._player = player
        self._waiting: deque[StreamStarted | StreamEnded | StreamRewound] = deque(maxlen=KEPT)

    def tell(self, event: StreamEvent) -> None:
        """Called by the clock, in the loop's thread; never fails."""
        self._waiting.append(_as_message(event))
        if len(self._waiting) == 1:
            self._deliver()

    def _deliver(self) -> None:
        while self._waiting:
            try:
                self._player.tell(self._waiting[0])
            except MailboxFull:
                asyncio.get_running_loop().call_later(AGAIN_S, self._deliver)
                return
            except SupervisionError:  # it has stopped, and who takes over looks for itself
                log.warning("stream_events_lost", path=self._player.path, events=len(self._waiting))
                self._waiting.clear()
                return
            self._waiting.popleft()


def _as_message(event: StreamEvent) -> StreamStarted | StreamEnded | StreamRewound:
    if isinstance(event, Started):
        return StreamStarted(event.play_id)
    if isinstance(event, Ended):
        return StreamEnded(event.play_id, event.frames, event.error)
    return StreamRewound(event.frames)
