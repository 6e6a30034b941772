"""What streams and links tell those who listen; receivers only pass it on to an actor's mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from actors.voice.causes import Fault


@dataclass(frozen=True, slots=True)
class Started:
    """The first frame of a source has left."""

    play_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A source has ended by itself: `frames` of it were sent. A replaced or stopped source does not end.

    :ivar error: the text of the exception that the source raised, if that is why it ended
    """

    play_id: str
    frames: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Rewound:
    """So many frames of 20 ms did not arrive and were taken back, to be sent again."""

    frames: int


StreamEvent: TypeAlias = Started | Ended | Rewound


@dataclass(frozen=True, slots=True)
class Ready:
    """Packets can leave, for the first time or again."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The voice websocket is gone and recovery has begun by itself.

    :ivar resumable: the session is expected to live on, and frames go on leaving meanwhile
    """

    code: int | None
    reason: str
    resumable: bool
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt to recover did not succeed; others follow, or `Closed`."""

    code: int | None
    reason: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The link pauses for `delay_s` seconds before attempt number `attempt` of its series."""

    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The link has ended for good; a new one needs `Links.connect`."""

    code: int | None
    reason: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The bot is now in another voice channel of the guild."""

    channel_id: int


@dataclass(frozen=True, slots=True)
class Unheard:
    """The bot is in the audience of a stage channel: frames leave, and nobody hears them.

    :ivar hand_raised: it has asked to speak; a moderator may let it
    """

    hand_raised: bool


LinkEvent: TypeAlias = Ready | Lost | Failed | Waiting | Closed | Moved | Unheard
