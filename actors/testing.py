"""A guild's tree among stand-ins: a stream moved by hand, spools completed by hand, no Discord."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import anyio

from actors import voice
from actors.discord_port import PostError, Trouble
from actors.guild import GUILDS, Rooms, ensure_guild, path_of
from actors.media import ErrorKind, MediaError, Page, Rest, Track
from actors.media.turns import Turn
from actors.messages import LinkState
from actors.positions import Positions
from actors.queue import QueueLimits
from actors.recovery import Watch
from actors.shelf import Shelf
from actors.startup import Startup
from actors.store import Store
from actors.voice import (
    DaveStatus,
    Ended,
    Expected,
    LinkEvent,
    LinkStatus,
    Reached,
    Started,
    StreamEvent,
    StreamStatus,
    VoiceError,
)
from supervision import ChildSpec, DynamicSupervisorSpec, Ref, Request, SupervisorSpec, System, open_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import discord

LIMITS = QueueLimits()
GUILD_ID = 42
TEXT_ID = 7


@dataclass
class FakeSpool:
    """A spool whose frames come when the test says so."""

    track: Track
    start_frame: int
    volume: int
    effect: str = "off"
    frames: int = 0
    complete: bool = False
    error: MediaError | None = None
    title: str | None = None
    duration_s: float | None = None
    closed: bool = False
    resumed: bool = False
    turn: Turn = field(default_factory=Turn)
    soft: list[bool] = field(default_factory=list)
    changed: anyio.Event = field(default_factory=anyio.Event)

    async def wait_ready(self, frames: int = 50) -> None:
        while self.frames < frames and not self.complete:
            if self.error is not None:
                raise self.error
            await self.changed.wait()

    def make(self, frames: int, *, complete: bool = True) -> None:
        self.frames, self.complete = frames, complete
        self._announce()

    def fail(self, error: MediaError) -> None:
        self.error = error
        self._announce()

    def _announce(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    def covers(self, frame: int) -> bool:
        at = frame - self.start_frame
        return at >= 0 and (at + 50 <= self.frames or (self.complete and at < self.frames))

    def place(self, frame: int) -> int:
        return max(0, frame - self.start_frame)

    def cursor(self, at: int = 0, *, soft: bool = False) -> tuple[FakeSpool, int]:
        self.soft.append(soft)
        return (self, at)

    async def aclose(self) -> None:
        self.closed = True


def _no_page(_rest: Rest) -> Page:
    raise MediaError(ErrorKind.NOT_FOUND, "There is no such list.")


class FakeMedia:
    """Remembers every spool that was ordered; `eager` ones are complete at once."""

    def __init__(self) -> None:
        self.spools: list[FakeSpool] = []
        self.eager: int | None = 500
        self.speed: float | None = 0.0
        self.room_bytes = 1 << 30
        self.asked_for: list[Rest] = []
        self.pages: Callable[[Rest], Page] = _no_page

    async def more(self, rest: Rest) -> Page:
        """The next page of a playlist, as `pages` makes it."""
        self.asked_for.append(rest)
        return self.pages(rest)

    def spool(
        self,
        track: Track,
        *,
        start_s: float = 0.0,
        volume: int = 100,
        effect: str = "off",
        resumed: bool = False,
    ) -> FakeSpool:
        spool = FakeSpool(
            track, round(start_s * 50), volume, effect, title=track.title, duration_s=track.duration_s
        )
        spool.resumed = resumed
        if self.eager is not None:
            spool.make(self.eager)
        self.spools.append(spool)
        return spool


class FakeStream:
    """The clock's stream without a clock: `heard` lists what began to play, in order."""

    guild_id = GUILD_ID

    def __init__(self) -> None:
        self.heard: list[tuple[FakeSpool, int]] = []
        self.plays = 0
        self.joined = False
        self.current: tuple[Any, str] | None = None
        self.next: tuple[Any, str] | None = None
        self.position = 0
        self.paused = False
        self.expected = Expected.NOTHING
        self.on_event: Callable[[StreamEvent], None] = lambda _event: None

    def play(
        self,
        source: Any,
        play_id: str,
        *,
        on_event: Callable[[StreamEvent], None],
        joins: bool = False,
    ) -> None:
        self.plays += 1
        self.joined = joins
        self.on_event, self.next, self.paused = on_event, None, False
        self._begin((source, play_id))

    def _begin(self, what: tuple[Any, str] | None) -> None:
        self.current, self.position = what, 0
        if what is not None:
            self.heard.append(what[0])
            self.on_event(Started(what[1]))

    def queue(self, source: Any, play_id: str) -> None:
        self.next = (source, play_id)

    def unqueue(self) -> None:
        self.next = None

    def stop(self) -> None:
        self.current = self.next = None
        self.paused = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def listen(self, on_event: Callable[[StreamEvent], None]) -> None:
        self.on_event = on_event

    def finish(self, frames: int = 500) -> None:
        """The current source ends by itself."""
        if self.current is None:
            raise RuntimeError("nothing plays")
        ended, following = self.current[1], self.next
        self.next = None
        self.current = following
        self.on_event(Ended(ended, frames))
        self._begin(following)

    def reached(self) -> Reached | None:
        return None if self.current is None else Reached(self.current[1], self.position, 0)

    def status(self) -> StreamStatus:
        return StreamStatus(
            play_id=self.current[1] if self.current else None,
            position=self.position,
            playing=self.current is not None and not self.paused,
            paused=self.paused,
            underruns=0,
            sent=0,
            late=0,
            next_play_id=self.next[1] if self.next else None,
            attached=True,
            underrun=False,
        )

    @property
    def titles(self) -> list[str]:
        return [spool.track.title for spool, _ in self.heard]


@dataclass
class FakeClock:
    made: FakeStream = field(default_factory=FakeStream)
    looked: int = 0

    playing = 1

    @property
    def wakeups(self) -> int:
        """It counts as one that plays, frames or none."""
        self.looked += 1
        return self.looked

    def stream(self, _guild_id: int) -> FakeStream:
        return self.made

    def all(self) -> tuple[FakeStream, ...]:
        return (self.made,)


@dataclass
class FakeLink:
    """A link that is ready."""

    channel_id: int
    on_event: Callable[[LinkEvent], None]
    state: voice.LinkState = voice.LinkState.READY
    latency_ms: float | None = 12.0
    mode: str | None = "aead_aes256_gcm_rtpsize"
    close_code: int | None = None
    close_reason: str | None = None
    fault: voice.Fault | None = None
    asked_after: int = 0

    def ask_after(self) -> None:
        self.asked_after += 1

    def status(self) -> LinkStatus:
        return LinkStatus(
            guild_id=GUILD_ID,
            channel_id=self.channel_id,
            state=self.state,
            mode=self.mode,
            endpoint="loopback1.discord.media:443",
            latency_ms=self.latency_ms,
            heartbeat_age_s=1.0,
            keep_alive_ms=3.0,
            close_code=self.close_code,
            close_reason=self.close_reason,
            failures=0,
            next_attempt_s=None,
            identifies=1,
            resumes=0,
            packets=0,
            dave=DaveStatus(1, 2),
            rtcp_in=0,
        )


class FakeLinks:
    """Links that a test makes, refuses (`trouble`) or holds back (`gate`); `log` says what was asked for."""

    def __init__(self) -> None:
        self.living: FakeLink | None = None
        self.end: voice.Closed | None = None
        self.trouble: list[VoiceError] = []
        self.gate = anyio.Event()
        self.gate.set()
        self.log: list[str] = []
        self.vacated = 0
        self.ends = 0
        """So many links that are made end before anybody is told of them."""

    def link(self, _guild_id: int) -> FakeLink | None:
        return self.living

    def end_of(self, _guild_id: int) -> voice.Closed | None:
        return self.end

    def claim(self, _guild_id: int, *, on_event: Callable[[LinkEvent], None]) -> FakeLink | None:
        if self.living is not None:
            self.living.on_event = on_event
        return self.living

    async def connect(
        self,
        channel: int,
        *,
        on_event: Callable[[LinkEvent], None],
        timeout_s: float = 15.0,
        urgent: bool = True,
    ) -> FakeLink:
        self.log.append(f"connect {channel}")
        self.end = None
        await self.gate.wait()
        if self.trouble:
            raise self.trouble.pop(0)
        made = self.living = FakeLink(channel, on_event)
        on_event(voice.Ready())
        if self.ends:
            self.ends -= 1
            self.lose(4006, "session no longer valid")
        return made

    def release(self, _guild_id: int) -> None:
        self.log.append("release")

    async def vacate(self, _guild_id: int) -> None:
        self.vacated += 1

    async def disconnect(self, _guild_id: int) -> None:
        self.log.append("disconnect")
        link, self.living = self.living, None
        if link is not None:
            link.on_event(voice.Closed(1000, "left on purpose", voice.Fault.LEFT))

    def lose(self, code: int | None, reason: str, fault: voice.Fault | None = None) -> None:
        """The link ends by itself."""
        link, self.living = self.living, None
        if link is None:
            raise RuntimeError("no link")
        link.state, link.close_code, link.close_reason = voice.LinkState.CLOSED, code, reason
        link.fault = fault
        self.end = voice.Closed(code, reason, fault)
        link.on_event(self.end)


@dataclass
class FakeGateway:
    """A main gateway that is well."""

    gateway_away: bool = False
    latency: float = 0.03


class FakePort:
    """Discord's messages as a dictionary; `trouble` makes the next requests fail."""

    def __init__(self) -> None:
        self.messages: dict[int, Any] = {}
        self.log: list[str] = []
        self.trouble: Trouble | None = None
        self.last = 0
        self.people = 1
        self.there = True
        self.bot_at: int | None = None
        self.deleted: set[int] = set()

    def voice_channel(self, _guild_id: int, channel_id: int) -> Any:
        return channel_id if self.there and channel_id not in self.deleted else None

    def present(self, _guild_id: int) -> bool:
        return self.there

    def bot_channel(self, _guild_id: int) -> int | None:
        return self.bot_at

    def listeners(self, _guild_id: int, _channel_id: int) -> int:
        return self.people

    def is_last(self, _channel_id: int, message_id: int) -> bool:
        return message_id == self.last

    def _refuse(self, what: str) -> None:
        self.log.append(what)
        if self.trouble is not None:
            raise PostError(self.trouble)

    async def post(
        self, _channel_id: int, *, text: str | None = None, embed: discord.Embed | None = None
    ) -> int:
        self._refuse("post" if embed else "notice")
        self.last += 1
        self.messages[self.last] = text if embed is None else embed
        return self.last

    async def edit(self, _channel_id: int, message_id: int, embed: discord.Embed) -> None:
        self._refuse("edit")
        self.messages[message_id] = embed

    async def delete(self, _channel_id: int, message_id: int) -> None:
        self._refuse("delete")
        del self.messages[message_id]

    @property
    def notices(self) -> list[str]:
        return [each for each in self.messages.values() if isinstance(each, str)]

    @property
    def embeds(self) -> list[discord.Embed]:
        return [each for each in self.messages.values() if not isinstance(each, str)]


@dataclass
class Guild:
    """One guild's running tree and its stand-ins."""

    system: System
    stream: FakeStream
    media: FakeMedia
    port: FakePort
    links: FakeLinks
    store: Store
    rooms: Rooms

    def ref(self, actor: str) -> Ref:
        return self.system.lookup(path_of(GUILD_ID, actor))

    async def ask(self, request: Request[Any], actor: str = "player") -> Any:
        return await self.ref(actor).ask(request)

    async def link(self, ready: bool = True) -> None:
        self.ref("player").tell(LinkState(ready, 1))

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait for a fact; the test's failure is the fact that does not come."""
        with anyio.fail_after(20):
            while not fact():  # noqa: ASYNC110 - facts of many kinds, none of which tells
                await anyio.sleep(0.005)

    def incarnation(self, actor: str) -> int:
        node = self.system.tree().find(path_of(GUILD_ID, actor))
        return 0 if node is None else node.incarnation


def tracks(*titles: str, **more: Any) -> tuple[Track, ...]:
    """Tracks of ten seconds."""
    duration_s = more.pop("duration_s", 10.0)
    return tuple(Track(f"https://x/{title}", title, 5, duration_s=duration_s, **more) for title in titles)


@asynccontextmanager
async def open_guild(
    folder: Path, *, people: int = 1, there: bool = True, limits: QueueLimits = LIMITS
) -> AsyncIterator[Guild]:
    """The tree of one guild with a real store in `folder`.

    :param people: in whatever voice channel
    :param there: Discord is connected
    """
    media, clock, port, links = FakeMedia(), FakeClock(), FakePort(), FakeLinks()
    port.people, port.there = people, there
    store = Store(folder / "state.sqlite3")
    rooms = Rooms(
        store=store,
        positions=Positions(clock, store),
        shelf=Shelf(cast("Any", media)),
        clock=cast("Any", clock),
        links=cast("Any", links),
        port=port,
        watch=Watch(FakeGateway, tuple),
        startup=Startup(),
        limits=limits,
    )
    store.open()
    try:
        root = SupervisorSpec((ChildSpec(GUILDS, DynamicSupervisorSpec()),))
        async with open_system(root, name="test") as system:
            await ensure_guild(system, GUILD_ID, rooms)
            yield Guild(system, clock.made, media, port, links, store, rooms)
    finally:
        await store.aclose()
