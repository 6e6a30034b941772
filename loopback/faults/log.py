"""What was done to the bot, and exactly when: so that a report can tell a forced hole from a lost frame.

Times are CLOCK_REALTIME in ns, as the arrival times of the listener's frames are.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class FaultKind(Enum):
    """The faults that can be injected; the table in the package's docstring says what each does."""

    VOICE_CLOSED = "voice websocket closed"
    VOICE_RESET = "voice websocket reset"
    VOICE_HALF_OPEN = "voice websocket half open"
    VOICE_UNACKNOWLEDGED = "voice heartbeats unacknowledged"
    IDENTIFY_REFUSED = "voice identify refused"
    RESUME_REFUSED = "voice resume refused"
    UDP_HOLE = "UDP black hole"
    UDP_LOSS = "UDP loss"
    UDP_DELAY = "UDP delay"
    KEEP_ALIVES_UNANSWERED = "UDP keep-alives unanswered"
    RTCP = "RTCP from the server"
    SERVER_MOVED = "voice server moved"
    MOVED = "moved to another channel"
    KICKED = "put out of voice"
    CHANNEL_DELETED = "voice channel deleted"
    PERMISSION_LOST = "permission lost"
    GATEWAY_CLOSED = "gateway closed"
    GATEWAY_RESET = "gateway reset"
    GATEWAY_RECONNECT = "gateway asks to reconnect"
    GATEWAY_INVALID = "gateway session invalid"
    GATEWAY_LATE = "gateway late"
    GATEWAY_UNACKNOWLEDGED = "gateway heartbeats unacknowledged"
    REST_LIMITED = "REST rate limited"
    REST_FAILED = "REST failed"
    REST_LATE = "REST late"


def _nothing() -> None:
    """What there is to undo about a fault that happened at once."""


@dataclass(slots=True, eq=False)
class Fault:
    """One injected fault. Standing ones last until `end`, or for the block of a `with`."""

    kind: FaultKind
    guilds: frozenset[int] | None = None
    """The guilds that it is for; None = all, or the whole bot."""
    detail: str = ""
    began_ns: int = field(default_factory=time.time_ns)
    ended_ns: int | None = None
    """None while it lasts; for what happens at once, the time at which it began."""
    hits: int = 0
    """How often it has met the bot: identifies refused, websockets closed; datagrams are not counted here."""
    undo: Callable[[], None] = _nothing
    _timer: asyncio.TimerHandle | None = None

    @property
    def lasts(self) -> bool:
        """Whether it is still in force."""
        return self.ended_ns is None

    def hit(self) -> None:
        """It has met the bot once more."""
        self.hits += 1

    def end(self) -> None:
        """Put it right; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self.ended_ns is None:
            self.undo()
            self.ended_ns = time.time_ns()

    def end_in(self, seconds: float | None) -> None:
        """End it by itself after that time; None = never."""
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.end)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()


class FaultLog:
    """Every fault of one embedded Discord, in the order of their beginnings."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self.timers: list[asyncio.TimerHandle] = []
        """Second halves of faults that are still to come."""

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def of(self, guild_id: int, *kinds: FaultKind) -> list[Fault]:
        """What was done to a guild or to everybody, of these kinds; none named = of all."""
        mine = [one for one in self._faults if one.guilds is None or guild_id in one.guilds]
        return [one for one in mine if not kinds or one.kind in kinds]

    def at_once(self, kind: FaultKind, guilds: frozenset[int] | None = None, detail: str = "") -> Fault:
        """Note something that happens now and has no duration."""
        fault = self.begin(kind, guilds, detail)
        fault.ended_ns, fault.hits = fault.began_ns, 1
        return fault

    def begin(
        self,
        kind: FaultKind,
        guilds: frozenset[int] | None = None,
        detail: str = "",
        *,
        undo: Callable[[], None] = _nothing,
    ) -> Fault:
        """Note something that lasts from now until it is ended, which `undo` puts right."""
        fault = Fault(kind, guilds, detail, undo=undo)
        self._faults.append(fault)
        return fault

    def end_all(self) -> None:
        """End whatever still lasts or is still to come."""
        for timer in self.timers:
            timer.cancel()
        for fault in self._faults:
            fault.end()
