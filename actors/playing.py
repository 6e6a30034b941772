"""What a player is made of: its session, its deck, and what happens to them without anybody asking.

The player (`player.py`) adds the commands. The split is for the reader only: it is one actor.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from supervision import handles

from .correlation import Follower
from .deck import Deck, whole
from .first_frames import FirstFrames
from .keeping import load_again_s, load_whole, save, set_aside, tell
from .messages import (
    Fate,
    GetFate,
    LinkState,
    LoadAgain,
    Notice,
    NowPlaying,
    PageFailed,
    PageFound,
    Phase,
    Plan,
    PlanWanted,
    ReportLink,
    Settle,
    Show,
    SpoolFailed,
    SpoolReady,
    StreamEnded,
    StreamRewound,
    StreamStarted,
    Tick,
    Wanted,
)
from .pace import about
from .pages import due, with_page, without
from .plays import parse_play
from .positions import AHEAD_MS
from .preloading import FURTHEST
from .queue import Queue
from .session import Session, from_plain, joined, to_plain
from .store import Position
from .stream_events import StreamEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .media import MediaError, Spool, Track
    from .messages import Loaded, SpoolKey
    from .queue import QueueLimits
    from .startup import Startup
    from .voice import Stream

TICK_S = 20.0
"""How often it is looked whether something has ended without a word. A stream tells its end, and whoever
takes over from a killed player looks at once."""

AGAIN_S = 0.1
"""When a spool that must get ahead of the listener is looked at again."""

ASKED_S = 0.5
"""For how long after its last question somebody counts as waiting for an entry's fate."""

REMEMBERED = 32
"""Entries that were given up."""

log = structlog.get_logger(__name__)


class Playing(Follower):
    """Keeps stream, spools, display and disk in line with the session."""

    def __init__(
        self, guild_id: int, stream: Callable[[], Stream], limits: QueueLimits, startup: Startup
    ) -> None:
        self._guild_id = guild_id
        self._stream = stream
        self._limits = limits
        self._startup = startup
        self._session = self._empty()
        self._unread = False  # the disk has not said so far what was saved
        self._tries = 0  # to read it, in vain
        self._link_ready = False
        self._failed: dict[SpoolKey, MediaError] = {}
        self._asked: dict[str, float] = {}  # entry id -> when somebody asked for its fate
        self._given_up: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)  # entry id, reason
        self._planned: Plan | None = None
        self._first_frames = FirstFrames(guild_id)
        self._ticks = False  # the timer of `tick` runs: only while there is a play

    async def on_start(self) -> None:
        """Load the session, take over what is heard, ask for the link's state."""
        self._deck = Deck(self._stream(), on_event=StreamEvents(self.ctx.lookup(self.ctx.path)).tell)
        loaded = await load_whole(self.ctx, "player", position=True)
        if loaded.meanwhile is not None:
            self._session = self._session_of(loaded.meanwhile)
        if await self._remember(loaded):
            self._settle()
            if loaded.meanwhile is not None:
                await self._changed()
        else:
            self._hold_on()
        tell(self.ctx, "connection", ReportLink())

    @handles(LoadAgain)
    async def load_again(self, _message: LoadAgain) -> None:
        """What was saved is not forgotten because the disk failed at the start."""
        if await self._remember(await load_whole(self.ctx, "player", position=True)):
            log.info("loaded_late", guild_id=self._guild_id, tries=self._tries)
            await self._changed()

    async def _remember(self, loaded: Loaded) -> bool:
        """Go on where it was left, with what was done since; False if that is not known yet."""
        stored = None if loaded.unread else await self._stored(loaded)
        self._unread = stored is None
        if stored is None:
            self._tries += 1
            self.ctx.start_timer("load", load_again_s(self._tries), LoadAgain(correlation=None))
            return False
        since, self._session = self._session, joined(stored, self._session)
        if since.queue.current is None:
            self._take_over(*self._go_to(loaded.position))
        elif self._deck.want is None:
            self._take_over(0, seeking=False)
        elif (since.volume, since.effect) != (self._session.volume, self._session.effect):
            self._respool()
        return True

    def _hold_on(self) -> None:
        """What is heard goes on, whether or not it is known to be part of a queue."""
        if self._session.queue.current is not None:
            self._take_over(0, seeking=False)
        else:
            self._deck.adopt()
        self._settle()

    def _empty(self) -> Session:
        return Session(Queue(capacity=self._limits.capacity))

    async def _stored(self, loaded: Loaded) -> Session | None:
        """None if it makes no sense but is still where the next save would destroy it."""
        if loaded.state is None:
            return self._empty()
        try:
            return self._session_of(loaded.state)
        except (ValueError, KeyError, TypeError) as error:
            aside = await set_aside(self.ctx, "player", f"not a session: {error!r}")
            return self._empty() if aside else None

    def _session_of(self, state: Mapping[str, Any]) -> Session:
        session = from_plain(state)
        return replace(session, queue=replace(session.queue, capacity=self._limits.capacity))

    def _go_to(self, position: Position | None) -> tuple[int, bool]:
        """Where the current entry was (ms), and whether that is yet to be reached.

        The position is never older than the session: when they name different entries, the music has gone on
        to the next one since, and the session follows.
        """
        if position is None or position.entry is None:
            return 0, False
        queue = self._session.queue.playing(position.entry)
        if queue is None:
            return 0, False
        self._session = replace(self._session, queue=queue)
        return position.position_ms, position.seeking

    def _take_over(self, position_ms: int, seeking: bool) -> None:
        play = self._deck.adopt()
        queue = None if play is None else self._session.queue.playing(play.key.entry_id)
        if queue is not None:
            paused = self._deck.stream.status().paused
            self._session = replace(self._session, queue=queue, paused=paused)
            if seeking:
                self._aim(position_ms)
            elif play is not None and (play.key.volume, play.key.effect) != (
                self._session.volume,
                self._session.effect,
            ):
                self._respool()
        else:
            self._deck.silence()
            self._aim(position_ms)
            self._deck.resumed = self._deck.want if position_ms and not seeking else None

    # --- what happens ---------------------------------------------------------------------------------------

    @handles(StreamStarted)
    async def stream_started(self, message: StreamStarted) -> None:
        """The first frame of a play was sent: time to show it."""
        play = parse_play(message.play)
        if play is not None:
            self._first_frames.sent(play.key.entry_id)
        self._startup.mark("first_frame")
        self._show()

    @handles(StreamRewound)
    async def stream_rewound(self, message: StreamRewound) -> None:
        """What did not arrive is sent again: show the earlier position."""
        log.info("rewound", guild_id=self._guild_id, frames=message.frames)
        self._show()

    @handles(StreamEnded)
    async def stream_ended(self, message: StreamEnded) -> None:
        """A track ended by itself, or broke off; an earlier play's end is no news."""
        play = parse_play(message.play)
        if play is None or not self._deck.ended(message.play):
            return
        spool = self._deck.spools.get(play.key)
        self._after(play.key, message, spool)
        await self._changed()

    def _after(self, key: SpoolKey, message: StreamEnded, spool: Spool | None) -> None:
        queue = self._session.queue
        if queue.current is None or queue.current.id != key.entry_id:
            return
        error = message.error or (str(spool.error) if spool is not None and spool.error is not None else None)
        if error is None and message.frames > 0:
            self._session = replace(self._session, queue=queue.advanced())
        else:
            self._notice(f"{_name(queue.current)} ended early: {error or 'it holds no audio'}")
            self._session = replace(self._session, queue=queue.dropped())
        current = self._session.queue.current
        if self._deck.want is None or current is None or self._deck.want.entry_id != current.id:
            self._deck.cut()
            self._aim()

    @handles(SpoolReady)
    async def spool_ready(self, message: SpoolReady) -> None:
        """It can be played; the media may know its title better."""
        if self._planned is None or all(wanted.key != message.key for wanted in self._planned.wanted):
            return
        self._deck.spools[message.key] = message.spool
        self._learn(message.key.entry_id, message.spool)
        self._settle()

    def _learn(self, entry_id: str, spool: Spool) -> None:
        queue, track = self._session.queue, self._entry(entry_id)
        if track is None:
            return
        known = replace(
            track, title=spool.title or track.title, duration_s=track.duration_s or spool.duration_s
        )
        if known != track:
            self._session = replace(self._session, queue=queue.replaced(known))

    @handles(SpoolFailed)
    async def spool_failed(self, message: SpoolFailed) -> None:
        """Go on without it: a seek or a volume is given up, a track is skipped once it is its turn."""
        self._failed[message.key] = message.error
        self._give_up()
        await self._changed()

    def _give_up(self) -> None:
        """While what is wanted cannot be had: want something else."""
        while (error := self._failed.pop(self._deck.want, None) if self._deck.want else None) is not None:
            current, play = self._session.queue.current, self._deck.play
            if current is None:
                return
            if play is not None and play.key.entry_id == current.id:
                self._notice(f"{_name(current)} goes on as it was: {error}")
                self._deck.aim(play.key)
                return
            self._tell_failure(current, str(error))
            self._move_to(replace(self._session, queue=self._session.queue.dropped()))

    def _tell_failure(self, track: Track, reason: str) -> None:
        """A notice, unless the one who asked for the track is waiting for this and will say it."""
        self._given_up.append((track.id, reason))
        if anyio.current_time() - self._asked.pop(track.id, -math.inf) > ASKED_S:
            self._notice(f"Skipped {_name(track)}: {reason}")

    @handles(PageFound)
    async def page_found(self, message: PageFound) -> None:
        """A playlist goes on; perhaps the queue has run out meanwhile."""
        session = with_page(self._session, message.rest, message.page, self._limits)
        if session is None:
            return
        silent, self._session = self._session.queue.current is None, session
        if silent and session.queue.current is not None:
            self._aim()
        log.info("playlist_goes_on", guild_id=self._guild_id, found=len(message.page.tracks))
        await self._changed()

    @handles(PageFailed)
    async def page_failed(self, message: PageFailed) -> None:
        """What waits is not touched."""
        if message.rest in self._session.rests:
            self._session = without(self._session, message.rest)
            self._notice(f"The rest of “{message.rest.title}” is left out: {message.error}")
            await self._changed()

    @handles(GetFate)
    async def get_fate(self, message: GetFate) -> Fate:
        """Asked again and again by the command that enqueued it, for a short time."""
        problem = dict(self._given_up).get(message.entry_id)
        track = self._entry(message.entry_id)
        if problem is not None or track is None:
            return Fate(settled=True, problem=problem)
        if track is not self._session.queue.current:
            return Fate(not self._is_made_ready(track), track.title)
        settled = self._phase() not in (Phase.LOADING, Phase.WAITING)
        self._asked = {} if settled else {message.entry_id: anyio.current_time()}
        return Fate(settled, track.title)

    def _is_made_ready(self, track: Track) -> bool:
        """Its spool is on the way, which may know the title better; entries far behind have none yet."""
        wanted = () if self._planned is None else self._planned.wanted
        keys = {each.key for each in wanted if each.key.entry_id == track.id}
        return not keys.issubset(self._deck.spools.keys() | self._failed.keys())

    def _entry(self, entry_id: str) -> Track | None:
        queue = self._session.queue
        return next((each for each in (queue.current, *queue.waiting) if each and each.id == entry_id), None)

    @handles(LinkState)
    async def link_state(self, message: LinkState) -> None:
        """The link came or went; without one the stream stands still by itself."""
        if message.ready:
            self._startup.mark("voice")
        self._link_ready = message.ready
        self._settle()

    @handles(PlanWanted)
    async def plan_wanted(self, _message: PlanWanted) -> None:
        """The preloader has restarted."""
        if self._planned is not None:
            tell(self.ctx, "preloader", self._planned)

    @handles(Settle)
    async def settle_again(self, _message: Settle) -> None:
        """A spool may have got ahead of the listener by now."""
        self._settle()

    @handles(Tick)
    async def tick(self, _message: Tick) -> None:
        """Notice an end that was never told."""
        self._ticks = False
        play = self._deck.play
        if play is not None and self._deck.stream.status().play_id != play.name:
            self.ctx.ref.tell(StreamEnded(play.name, 1))
        self._tick_on()

    def _tick_on(self) -> None:
        if self._deck.play is not None and not self._ticks:
            self._ticks = True
            self.ctx.start_timer("tick", about(TICK_S), Tick(correlation=None))

    # --- the rest -------------------------------------------------------------------------------------------

    def _duration_s(self, track: Track) -> float | None:
        spool = None if self._deck.want is None else self._deck.spools.get(self._deck.want)
        return track.duration_s if track.duration_s is not None or spool is None else spool.duration_s

    def _move_to(self, session: Session) -> None:
        """Another current entry, from its beginning; what plays stops."""
        self._session = session
        self._deck.cut()
        self._aim()

    def _respool(self) -> None:
        current, deck = self._session.queue.current, self._deck
        if current is None:
            return
        self._first_frames.commanded(current.id)
        deck.aim(self._key(current, deck.position_ms()), joins=not deck.seeking)

    def _aim(self, start_ms: int = 0) -> None:
        """Want the current entry, or silence."""
        current = self._session.queue.current
        if current is None:
            self._deck.silence()
        else:
            self._first_frames.wanted()
            self._first_frames.commanded(current.id)
            self._deck.aim(self._key(current, start_ms))

    def _key(self, track: Track, start_ms: int = 0) -> SpoolKey:
        """The spool of a track as this session wants to hear it."""
        return whole(track, self._session.volume, self._session.effect, start_ms)

    async def _changed(self) -> bool:
        """Carry out and show the new session; True when it is saved."""
        self._settle()
        state, position = to_plain(self._session), self._position()
        return await save(self.ctx, "player", state, position, unread=self._unread)

    def _position(self) -> Position:
        """To be kept: what is known to have been heard, or what was asked for."""
        current, deck = self._session.queue.current, self._deck
        if current is None:
            return Position(None, 0)
        heard = None if deck.seeking or deck.play is None else deck.stream.reached()
        if heard is None or deck.play is None or heard.play_id != deck.play.name:
            return Position(current.id, deck.position_ms(), deck.seeking)
        return Position(current.id, max(deck.play.position_ms(0) + heard.surely_ms(AHEAD_MS), 0))

    def _settle(self) -> None:
        """Bring stream, spools and display in line with the session."""
        self._give_up()
        queue = self._session.queue
        following = queue.following() if queue.current is not None else None
        key = None if following is None else self._key(following)
        done = self._deck.settle(key, ready=self._link_ready, paused=self._session.paused)
        self._tick_on()
        if not done:
            self.ctx.start_timer("settle", AGAIN_S, Settle())
        later = () if queue.current is None else queue.later(FURTHEST)
        ahead = tuple(Wanted(self._key(track), track) for track in later)
        plan = replace(
            self._deck.plan(queue.current, following, key, ahead), rest=due(self._session, self._limits)
        )
        if plan != self._planned and tell(self.ctx, "preloader", plan):
            self._planned = plan
            wanted = {each.key for each in plan.wanted}
            self._failed = {key: error for key, error in self._failed.items() if key in wanted}
        self._show()

    def _show(self) -> None:
        tell(self.ctx, "display", Show(self._view()))

    def _notice(self, text: str) -> None:
        log.info("notice", guild_id=self._guild_id, text=text)
        tell(self.ctx, "display", Notice(text, self._session.text_channel_id))

    def _view(self) -> NowPlaying:
        session, current = self._session, self._session.queue.current
        duration_s = None if current is None else self._duration_s(current)
        position_s = self._deck.position_ms() / 1000
        return NowPlaying(
            phase=self._phase(),
            track=current,
            position_s=position_s if duration_s is None else min(position_s, duration_s),
            duration_s=duration_s,
            volume=session.volume,
            effect=session.effect,
            loop=session.queue.loop,
            waiting=len(session.queue.waiting),
            text_channel_id=session.text_channel_id,
            play=self._deck.play.name if self._deck.play is not None else None,
        )

    def _phase(self) -> Phase:
        if self._session.queue.current is None:
            return Phase.IDLE
        if self._session.paused:
            return Phase.PAUSED
        if not self._link_ready:
            return Phase.WAITING
        return Phase.PLAYING if self._deck.play is not None else Phase.LOADING


def _name(track: Track) -> str:
    return f"“{track.title}”"
