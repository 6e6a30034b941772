"""The display actor: one now-playing message per guild, near the bottom of its channel; ends with its track.

It never loops on: a message that cannot be edited or posted (deleted, no permission) is not tried again for
the same track. Its place is kept in persistence, so that a restarted display edits the message that is there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import structlog

from supervision import SupervisionError, handles

from . import embeds
from .correlation import Follower
from .discord_port import PostError, Trouble
from .keeping import load, save
from .messages import GetNowPlaying, Notice, NowPlaying, Phase, SayHeld, Show, Tick, TroubleNews
from .pace import about
from .trouble_message import TroubleMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from .discord_port import Port
    from .media import Track

EDIT_EVERY_S = 10.0
"""Between two edits that only move the progress bar."""

EDITING_GUILDS = 50
"""So many guilds edit at that rate, 5 times a second together. Discord takes 50 requests a second of a bot,
and commands must find room among them; ..."""

THINNING = 2.0
"""... an edit costs as much as 500 frames, which are late by that: beyond it the wait grows by this power of
their number, 100 guilds edit 2.5 times a second together, and 1,000 once in four seconds."""

EDIT_GAP_S = 1.0
"""Between any two edits."""

REQUEST_TIMEOUT_S = 10.0
"""discord.py waits out rate limits by itself; a display need not wait longer than until the next edit."""

NOTICES = 5
NOTICES_PER_S = 30.0
"""At most so many notices in so many seconds; more are logged only."""

HOLD_S = 2.0
"""How often it is looked whether Discord is there yet for what could not be said."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the now-playing message stands and which entry it is about."""

    channel_id: int
    message_id: int
    entry_id: str


def edit_every_s(playing: int) -> float:
    """Between two edits of one guild's progress bar, while so many guilds have music."""
    slower: float = max(1.0, playing / EDITING_GUILDS) ** THINNING
    return EDIT_EVERY_S * slower


class Display(Follower):
    """Shows the player's latest view; tells notices."""

    def __init__(self, guild_id: int, port: Port, playing: Callable[[], int] = lambda: 1) -> None:
        """:param playing: how many guilds have music now"""
        self._guild_id = guild_id
        self._port = port
        self._playing = playing
        self._now = NowPlaying()
        self._place: Place | None = None
        self._last_track: Track | None = None
        self._given_up: tuple[int, str] | None = None  # channel and entry that get no further message
        self._edited_at = -EDIT_GAP_S
        self._notices: deque[float] = deque(maxlen=NOTICES)
        self._held: deque[Notice] = deque(maxlen=NOTICES)  # said as soon as Discord is there

    async def on_start(self) -> None:
        """Find the message of a predecessor."""
        state = await load(self.ctx, "display")
        if state is not None and state.get("message_id"):
            self._place = Place(state["channel_id"], state["message_id"], state["entry_id"])
        self._trouble = TroubleMessage(self.ctx, self._port)
        await self._trouble.restore()
        self.ctx.start_timer("refresh", EDIT_GAP_S, Tick())

    @handles(Show)
    async def show(self, message: Show) -> None:
        """Soon, if it says something new; the bar alone moves at its own rate."""
        before, self._now = self._now, message.now
        if _looks(before) != _looks(message.now):
            self._refresh_in(EDIT_GAP_S)

    @handles(Tick)
    async def refresh(self, _message: Tick) -> None:
        """Bring the message up to date."""
        await self._ask_player()
        with anyio.move_on_after(REQUEST_TIMEOUT_S):
            await self._update()
        self._edited_at = anyio.current_time()
        if self._now.phase is Phase.PLAYING:
            later = Tick(correlation=None)  # the bar moves on of its own accord
            self.ctx.start_timer("refresh", about(edit_every_s(self._playing())), later)

    @handles(Notice)
    async def notice(self, message: Notice) -> None:
        """Say it once; bounded. What is to be said before Discord is there is said then."""
        if not self._port.present(self._guild_id):
            self._held.append(message)
            self.ctx.start_timer("held", HOLD_S, SayHeld())
            return
        channel_id = message.text_channel_id or self._now.text_channel_id
        if channel_id is None or not self._may_post():
            log.info("notice_not_posted", guild_id=self._guild_id, text=message.text)
            return
        try:
            with anyio.move_on_after(REQUEST_TIMEOUT_S):
                await self._port.post(channel_id, text=embeds.plain(message.text, 500))
        except PostError as error:
            self._note(error, channel_id)

    @handles(SayHeld)
    async def say_held(self, _message: SayHeld) -> None:
        """Discord may be there by now."""
        held, self._held = list(self._held), deque(maxlen=NOTICES)
        for message in held:
            await self.notice(message)

    @handles(TroubleNews)
    async def trouble(self, message: TroubleNews) -> None:
        """Keep the incident's own message true."""
        channel_id = message.text_channel_id or self._now.text_channel_id
        if channel_id is None or (self._trouble.posts(message) and not self._may_post()):
            log.info("trouble_not_posted", guild_id=self._guild_id, incident=message.incident.id)
            return
        try:
            with anyio.move_on_after(REQUEST_TIMEOUT_S):
                await self._trouble.show(message, channel_id)
        except PostError as error:
            self._note(error, channel_id)

    def _may_post(self) -> bool:
        """Whether one more message beside the now-playing one is no flood; it counts as posted."""
        now = anyio.current_time()
        if len(self._notices) == NOTICES and now - self._notices[0] < NOTICES_PER_S:
            return False
        self._notices.append(now)
        return True

    def _refresh_in(self, gap_s: float) -> None:
        delay_s = max(0.0, self._edited_at + gap_s - anyio.current_time())
        self.ctx.start_timer("refresh", delay_s, Tick())

    async def _ask_player(self) -> None:
        """The newest view, if the player can be asked now; else the last one told."""
        try:
            self._now = await self.ctx.sibling("player").ask(GetNowPlaying(), timeout=2.0)
        except SupervisionError as error:
            log.debug("player_not_asked", guild_id=self._guild_id, error=str(error))

    async def _update(self) -> None:
        track, channel_id = self._now.track, self._now.text_channel_id
        if track is None:
            await self._finish()
            return
        self._last_track = track
        if channel_id is None or self._given_up == (channel_id, track.id):
            return
        if self._place is not None and self._moves_on(self._place, channel_id, track):
            await self._remove(self._place)
        if self._place is not None:
            await self._edit(self._place, track)
        elif self._now.phase not in (Phase.LOADING, Phase.WAITING):  # it may yet turn out not to be playable
            await self._post(channel_id, track)

    def _moves_on(self, place: Place, channel_id: int, track: Track) -> bool:
        """A new track whose message would stand above what was said since, or elsewhere, gets a new one."""
        if place.channel_id != channel_id:
            return True
        return place.entry_id != track.id and not self._port.is_last(place.channel_id, place.message_id)

    async def _finish(self) -> None:
        """The last edit of the message; then it is let go, whatever comes of the edit."""
        place = self._place
        if place is None:
            return
        await self._keep(None)
        try:
            await self._port.edit(place.channel_id, place.message_id, embeds.finished(self._last_track))
        except PostError as error:
            self._note(error, place.channel_id)

    async def _remove(self, place: Place) -> None:
        await self._keep(None)
        try:
            await self._port.delete(place.channel_id, place.message_id)
        except PostError as error:
            log.info("message_not_removed", guild_id=self._guild_id, trouble=error.trouble.name)

    async def _post(self, channel_id: int, track: Track) -> None:
        try:
            message_id = await self._port.post(channel_id, embed=embeds.now_playing(self._now))
        except PostError as error:
            self._given_up = (channel_id, track.id)
            self._note(error, channel_id)
        else:
            await self._keep(Place(channel_id, message_id, track.id))

    async def _edit(self, place: Place, track: Track) -> None:
        try:
            await self._port.edit(place.channel_id, place.message_id, embeds.now_playing(self._now))
        except PostError as error:
            self._note(error, place.channel_id)
            if error.trouble is not Trouble.AWAY:
                self._given_up = (place.channel_id, track.id)
                await self._keep(None)
        else:
            if place.entry_id != track.id:
                await self._keep(Place(place.channel_id, place.message_id, track.id))

    async def _keep(self, place: Place | None) -> None:
        self._place = place
        state = {} if place is None else {name: getattr(place, name) for name in Place.__slots__}
        await save(self.ctx, "display", state)

    def _note(self, error: PostError, channel_id: int) -> None:
        log.info(
            "message_not_shown", guild_id=self._guild_id, channel_id=channel_id, trouble=error.trouble.name
        )


def _looks(now: NowPlaying) -> tuple[object, ...]:
    """What makes a view differ for the eye, other than the progress."""
    entry = None if now.track is None else (now.track.id, now.track.title)
    return (
        entry,
        now.phase,
        now.volume,
        now.effect,
        now.loop,
        now.waiting,
        now.text_channel_id,
        now.duration_s,
    )
