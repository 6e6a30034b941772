"""What the five actors of a guild, the commands and Discord's events say to each other.

Every message is a frozen value. Some carry a handle that belongs to a process-wide room (a spool of the media
room): handles are passed on, never shared state of the actors. `Request[R]` is asked and answered with an
`R`; every other `Message` is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from supervision import Refusal, Request

from .correlation import Message
from .queue import Loop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .media import Listing, MediaError, Page, Rest, Spool, Track
    from .recovery import Health, Incident
    from .store import Position
    from .voice import Cause, Fault, Link, LinkEvent, LinkStatus

FRAME_MS = 20
"""One Opus frame, the unit of every position."""


class No(Refusal):
    """An expected no, worded for the person who asked."""


# --- player: asked by commands ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """It was done; `saved` is False if it could not be written to disk."""

    saved: bool = True


@dataclass(frozen=True, slots=True)
class Enqueued(Done):
    """`accepted` tracks were taken, `refused` had no room; the first is at `position` (0: plays now).

    `rest` is what is taken of their playlist as the queue runs short; `left_out`: for that was no room.
    """

    position: int = 0
    accepted: int = 0
    refused: int = 0
    rest: Rest | None = None
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Skipped(Done):
    """`title` was let go; `next_title` follows, if anything does."""

    title: str = ""
    next_title: str | None = None


@dataclass(frozen=True, slots=True)
class Shuffled(Done):
    """`count` waiting tracks have a new order, and `lists` playlists go on behind them in their own."""

    count: int = 0
    lists: int = 0


@dataclass(frozen=True, slots=True)
class Removed(Done):
    """`title` does not wait any more."""

    title: str = ""


@dataclass(frozen=True, slots=True)
class Moved(Done):
    """`title` waits at `number` now, from 1."""

    title: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Remove(Message, Request[Removed]):
    """Take an entry out of what waits, by its number or (shortened) id. Refused if there is none."""

    entry: str


@dataclass(frozen=True, slots=True)
class Move(Message, Request[Moved]):
    """Put a waiting entry, by its number or (shortened) id, at `number`. Refused if there is none."""

    entry: str
    number: int


@dataclass(frozen=True, slots=True)
class Enqueue(Message, Request[Enqueued]):
    """Append tracks; answers go to the text channel `text_channel_id` from now on.

    `listing`: the playlist that they are the first page of.
    """

    tracks: tuple[Track, ...]
    text_channel_id: int | None = None
    listing: Listing | None = None


@dataclass(frozen=True, slots=True)
class Skip(Message, Request[Skipped]):
    """Let the current track go. Refused when nothing plays."""


@dataclass(frozen=True, slots=True)
class Pause(Message, Request[Done]):
    """Stand still at the present frame. Refused when nothing plays or it is paused already."""


@dataclass(frozen=True, slots=True)
class Resume(Message, Request[Done]):
    """Go on. Refused when nothing is paused."""


@dataclass(frozen=True, slots=True)
class Stop(Message, Request[Done]):
    """Silence, and an empty queue."""


@dataclass(frozen=True, slots=True)
class Seek(Message, Request[Done]):
    """Go on at `position_s` seconds of the current track. Refused for live streams and beyond the end."""

    position_s: float


@dataclass(frozen=True, slots=True)
class SetVolume(Message, Request[Done]):
    """Percent, 0 to 200, from the present position on."""

    level: int


@dataclass(frozen=True, slots=True)
class SetEffect(Message, Request[Done]):
    """One of `media.EFFECTS`, from the present position on."""

    name: str


@dataclass(frozen=True, slots=True)
class SetLoop(Message, Request[Done]):
    """Repeat nothing, the track, or the queue."""

    mode: Loop


@dataclass(frozen=True, slots=True)
class Shuffle(Message, Request[Shuffled]):
    """A random order of what waits. Refused when fewer than two wait."""


class Phase(Enum):
    """What a listener of this guild would be told."""

    IDLE = "idle"
    LOADING = "loading"
    PLAYING = "playing"
    PAUSED = "paused"
    WAITING = "waiting for the voice connection"


@dataclass(frozen=True, slots=True)
class NowPlaying:
    """The player's present state to show. `position_s` is at most `duration_s` where that is known."""

    phase: Phase = Phase.IDLE
    track: Track | None = None
    position_s: float = 0.0
    duration_s: float | None = None
    volume: int = 100
    effect: str = "off"
    loop: Loop = Loop.OFF
    waiting: int = 0
    text_channel_id: int | None = None
    play: str | None = None


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an entry: `problem` says why it was given up, `settled` that nothing more will come."""

    settled: bool
    title: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class GetFate(Message, Request[Fate]):
    """Of the entry that was just enqueued. Whoever asks also tells a failure, so that no notice need."""

    entry_id: str


@dataclass(frozen=True, slots=True)
class QueueView:
    """One page of what waits, and what plays; `rests` come behind the last page."""

    now: NowPlaying
    entries: tuple[Track, ...]
    first: int
    page: int
    pages: int
    total: int
    rests: tuple[Rest, ...] = ()


@dataclass(frozen=True, slots=True)
class GetQueue(Message, Request[QueueView]):
    """A page, from 1."""

    page: int = 1


@dataclass(frozen=True, slots=True)
class GetNowPlaying(Message, Request[NowPlaying]):
    """The present state."""


# --- player: told by the clock, the preloader, the connection -----------------------------------------------


@dataclass(frozen=True, slots=True)
class StreamStarted(Message):
    """The clock sends the first frame of this play."""

    play: str


@dataclass(frozen=True, slots=True)
class StreamEnded(Message):
    """The clock has sent the last frame of this play; `frames` were sent of it."""

    play: str
    frames: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StreamRewound(Message):
    """The clock has taken back `frames` frames that did not arrive: the position is an earlier one."""

    frames: int


@dataclass(frozen=True, slots=True)
class SpoolKey:
    """Which spool: the entry of the queue, where it begins (ms), how loud (percent), with which effect."""

    entry_id: str
    start_ms: int
    volume: int
    effect: str = "off"


@dataclass(frozen=True, slots=True)
class SpoolReady(Message):
    """Enough of the spool is made to play it."""

    key: SpoolKey
    spool: Spool


@dataclass(frozen=True, slots=True)
class SpoolFailed(Message):
    """The spool cannot be made."""

    key: SpoolKey
    error: MediaError


@dataclass(frozen=True, slots=True)
class PageFound(Message):
    """The next page of a playlist, of which this was the rest."""

    rest: Rest
    page: Page


@dataclass(frozen=True, slots=True)
class PageFailed(Message):
    """The rest of a playlist cannot be had, whatever was tried."""

    rest: Rest
    error: MediaError


@dataclass(frozen=True, slots=True)
class PlanWanted(Message):
    """The preloader has (re)started and wants to be told the Plan."""


@dataclass(frozen=True, slots=True)
class LinkState(Message):
    """Whether the guild's voice link takes frames, and in which channel."""

    ready: bool
    channel_id: int | None = None


# --- preloader ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """A spool that should exist.

    `resumed`: its track was being heard when the process ended, and goes on where it was cut off.
    """

    key: SpoolKey
    track: Track
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Plan(Message):
    """All spools that should exist now, the most urgent first; the others may go.

    `ahead`: what comes after those, in order, of which the preloader makes as much as is wise. `rest`: of a
    playlist, whose next page should be fetched now, for the queue runs short.
    """

    wanted: tuple[Wanted, ...] = ()
    ahead: tuple[Wanted, ...] = ()
    rest: Rest | None = None


# --- connection ---------------------------------------------------------------------------------------------


class LinkPhase(Enum):
    """Where the voice connection of a guild stands."""

    AWAY = "not connected"
    JOINING = "connecting"
    READY = "connected"
    LOST = "reconnecting"
    RESTING = "waiting for the next attempt to connect"
    RETURNING = "coming back as soon as somebody is in the channel"


@dataclass(frozen=True, slots=True)
class VoiceReport:
    """The voice connection in a form to show.

    :ivar link: how the link itself stands, while there is one
    :ivar attempt: number of the latest attempt to make one
    :ivar problem: the latest thing that went wrong
    :ivar next_at: when the next attempt is made (s since the epoch), if a pause runs
    :ivar incident: what is being recovered from
    :ivar past: incidents that are over, oldest first
    :ivar health: how it has fared, restarts included
    :ivar override: an administrator wants it back, whatever cooldown runs
    :ivar saved: False if the latest change could not be written to disk
    """

    phase: LinkPhase
    channel_id: int | None = None
    link: LinkStatus | None = None
    close_code: int | None = None
    attempt: int = 0
    problem: str | None = None
    next_at: float | None = None
    incident: Incident | None = None
    past: tuple[Incident, ...] = ()
    health: Health | None = None
    override: bool = False
    saved: bool = True


@dataclass(frozen=True, slots=True)
class Join(Message, Request[VoiceReport]):
    """Be in this voice channel. Answered at once: the connection is then on its way (see GetVoice)."""

    channel_id: int
    text_channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class Leave(Message, Request[VoiceReport]):
    """Leave the voice channel on purpose, and stay away."""


@dataclass(frozen=True, slots=True)
class Reconnect(Message, Request[VoiceReport]):
    """Dispose of the present link and connect anew, whatever cooldown runs: to the channel where the bot was
    last meant to be, else to the one where it is, else to `fallback_id`.
    """

    fallback_id: int | None = None
    text_channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class GetVoice(Message, Request[VoiceReport]):
    """The present state."""


@dataclass(frozen=True, slots=True)
class ReportLink(Message):
    """The player wants to be told a LinkState."""


@dataclass(frozen=True, slots=True)
class VoiceStates(Message):
    """Discord said that somebody joined, left or moved."""


@dataclass(frozen=True, slots=True)
class GuildThere(Message):
    """Discord has said what the guild is like, and who is in which channel."""


@dataclass(frozen=True, slots=True)
class GatewayBack(Message):
    """The guild's shard is connected again: what had to wait for that need wait no more."""


@dataclass(frozen=True, slots=True)
class Silenced(Message):
    """Discord said that the bot may not be heard in its channel; `muted` by a moderator, else for want of a
    permission.
    """

    muted: bool


@dataclass(frozen=True, slots=True)
class LinkChanged(Message):
    """What the voice link said of itself."""

    event: LinkEvent


@dataclass(frozen=True, slots=True)
class Joined(Message):
    """The attempt of that number has a link."""

    attempt: int
    link: Link


@dataclass(frozen=True, slots=True)
class JoinFailed(Message):
    """The attempt of that number has none; `code` is the voice close code, if one is behind it."""

    attempt: int
    code: int | None
    reason: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class AloneTimeout(Message):
    """Nobody has listened for long."""


@dataclass(frozen=True, slots=True)
class PatienceOver(Message):
    """The voice connection has been away for too long to say nothing."""


@dataclass(frozen=True, slots=True)
class RestOver(Message):
    """The cooldown after a failed series of attempts has passed."""


@dataclass(frozen=True, slots=True)
class Verdict(Message):
    """The main gateway has had time to say what the end of a link meant."""

    code: int | None
    reason: str


# --- display ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Show(Message):
    """The now-playing message should say this."""

    now: NowPlaying


@dataclass(frozen=True, slots=True)
class Notice(Message):
    """Tell the text channel something once; without a channel, the one of the now-playing message."""

    text: str
    text_channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class TroubleNews(Message):
    """How an incident of the voice connection stands; each has one message, which is kept true.

    :ivar next_at: when the next attempt is made (s since the epoch), if a pause runs
    """

    incident: Incident
    cause: Cause
    next_at: float | None = None
    text_channel_id: int | None = None


# --- persistence --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Saved:
    """`ok` is False if the state is in memory only; then `problem` says why."""

    ok: bool = True
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Save(Message, Request[Saved]):
    """Keep `state` (plain values for msgpack, not changed afterwards) as this part of the guild, and with it
    the position, if one is given: both or none.

    :ivar unread: whoever saves has not been given what is on disk: held in memory, and not written over that
    """

    part: str
    state: Mapping[str, Any] = field(default_factory=dict)
    position: Position | None = None
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """The last state that was saved, or None if there is none.

    :ivar damaged: there was one that nobody can make sense of
    :ivar unread: the disk did not give it, so there may be one; `state` is `meanwhile` then
    :ivar meanwhile: what was saved with `Save.unread`, which is not part of `state`
    """

    state: Mapping[str, Any] | None
    position: Position | None = None
    damaged: bool = False
    unread: bool = False
    meanwhile: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Load(Message, Request[Loaded]):
    """The last state of this part; `position` says whether that is wanted too."""

    part: str
    position: bool = False


@dataclass(frozen=True, slots=True)
class SetAside(Message, Request[Saved]):
    """What was loaded as this part makes no sense: keep it for whoever can tell why, and begin anew."""

    part: str
    why: str


# --- to oneself ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick(Message):
    """Time for what is done regularly."""


@dataclass(frozen=True, slots=True)
class LoadAgain(Message):
    """The disk may give by now what it did not give at the start."""


@dataclass(frozen=True, slots=True)
class Restore(Message):
    """Time to start the trees of before."""


@dataclass(frozen=True, slots=True)
class SayHeld(Message):
    """Time to say what had to wait for Discord."""


@dataclass(frozen=True, slots=True)
class Settle(Message):
    """Time for another try of what was not possible yet."""
