"""The player actor: the one source of truth about a guild's queue and about what is heard.

It decides; the deck carries out. Every change is saved before it is answered. A restarted player loads its
session and takes over what the clock's stream goes on sending meanwhile: no listener hears of the restart.
"""

from __future__ import annotations

from dataclasses import replace
from random import SystemRandom
from typing import TYPE_CHECKING

from supervision import handles

from .media import EFFECTS
from .messages import (
    Done,
    Enqueue,
    Enqueued,
    GetNowPlaying,
    GetQueue,
    Move,
    Moved,
    No,
    NowPlaying,
    Pause,
    QueueView,
    Remove,
    Removed,
    Resume,
    Seek,
    SetEffect,
    SetLoop,
    SetVolume,
    Shuffle,
    Shuffled,
    Skip,
    Skipped,
    Stop,
)
from .pages import LISTS, without
from .playing import Playing
from .queue import PAGE_SIZE, SHORT_ID, AmbiguousError, NoEntryError, QueueFullError

if TYPE_CHECKING:
    from .media import Listing, Rest, Track

MAX_VOLUME = 200


class Player(Playing):
    """The commands of a guild's player."""

    @handles(Enqueue)
    async def enqueue(self, message: Enqueue) -> Enqueued:
        """Append; start if nothing plays."""
        before = self._session.queue
        try:
            queue = before.add(self._allowed(message.tracks))
        except QueueFullError:
            raise No(f"The queue is full: {before.capacity} tracks wait already.") from None
        accepted = len(queue.waiting) - len(before.waiting)
        position = len(before.waiting) + (0 if before.current is None else 1)
        channel = message.text_channel_id or self._session.text_channel_id
        paused = self._session.paused and before.current is not None
        self._session = replace(self._session, queue=queue.started(), text_channel_id=channel, paused=paused)
        self._first_frames.commanded(*(track.id for track in queue.waiting[len(before.waiting) :]))
        if before.current is None:
            self._aim()
        rest, left_out = self._keep_rest(message.listing, accepted)
        refused = 0 if rest is not None else len(message.tracks) - accepted
        return Enqueued(await self._changed(), position, accepted, refused, rest, left_out)

    def _keep_rest(self, listing: Listing | None, accepted: int) -> tuple[Rest | None, bool]:
        """What is still to come of the playlist; whether that had no room."""
        rest = None if listing is None else listing.left(accepted)
        if rest is None or len(self._session.rests) >= LISTS:
            return None, rest is not None
        self._session = replace(self._session, rests=(*self._session.rests, rest))
        return rest, False

    def _allowed(self, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
        """As many as one user may have waiting."""
        user_id, per_user = tracks[0].requested_by, self._limits.per_user
        mine = sum(track.requested_by == user_id for track in self._session.queue.waiting)
        if mine >= per_user:
            raise No(f"{mine} tracks of yours wait already; there is room for {per_user} of each user.")
        return tracks[: per_user - mine]

    @handles(Remove)
    async def remove(self, message: Remove) -> Removed:
        """What is named by its id is that entry, whatever has moved since it was shown."""
        if (rest := self._rest(message.entry)) is not None:
            self._session = without(self._session, rest)
            return Removed(await self._changed(), rest.title)
        track = self._waiting(message.entry)
        self._session = replace(self._session, queue=self._session.queue.removed(track.id))
        return Removed(await self._changed(), track.title)

    @handles(Move)
    async def move(self, message: Move) -> Moved:
        """The others close up."""
        track = self._waiting(message.entry)
        queue = self._session.queue.moved(track.id, message.number)
        self._session = replace(self._session, queue=queue)
        return Moved(await self._changed(), track.title, queue.waiting.index(track) + 1)

    @handles(Skip)
    async def skip(self, _message: Skip) -> Skipped:
        """Let the current track go, at once."""
        current = self._current()
        queue = self._session.queue.skipped()
        self._move_to(replace(self._session, queue=queue, paused=False))
        saved = await self._changed()
        return Skipped(saved, current.title, self._next_title())

    @handles(Stop)
    async def stop(self, _message: Stop) -> Done:
        """Silence, and an empty queue."""
        queue = self._session.queue.cleared()
        self._move_to(replace(self._session, queue=queue, rests=(), paused=False))
        return Done(await self._changed())

    @handles(Pause)
    async def pause(self, _message: Pause) -> Done:
        """Stand still."""
        self._current()
        if self._session.paused:
            raise No("It is paused already.")
        self._session = replace(self._session, paused=True)
        self._deck.stream.pause()
        return Done(await self._changed())

    @handles(Resume)
    async def resume(self, _message: Resume) -> Done:
        """Go on."""
        self._current()
        if not self._session.paused:
            raise No("It is not paused.")
        self._session = replace(self._session, paused=False)
        self._deck.stream.resume()
        return Done(await self._changed())

    @handles(Seek)
    async def seek(self, message: Seek) -> Done:
        """Go on elsewhere in the current track."""
        current = self._current()
        if current.is_live:
            raise No("A live stream has no other position than now.")
        duration_s = self._duration_s(current)
        if message.position_s < 0 or (duration_s is not None and message.position_s >= duration_s):
            raise No("The track is not that long.")
        self._first_frames.commanded(current.id)
        self._deck.aim(self._key(current, round(message.position_s * 1000)))
        return Done(await self._changed())

    @handles(SetVolume)
    async def set_volume(self, message: SetVolume) -> Done:
        """The new loudness joins where the old one stops."""
        if not 0 <= message.level <= MAX_VOLUME:
            raise No(f"The volume is a number from 0 to {MAX_VOLUME}.")
        self._session = replace(self._session, volume=message.level)
        self._respool()
        return Done(await self._changed())

    @handles(SetEffect)
    async def set_effect(self, message: SetEffect) -> Done:
        """The new sound joins where the old one stops."""
        if message.name not in EFFECTS:
            raise No(f"There are these filters: {', '.join(EFFECTS)}.")
        self._session = replace(self._session, effect=message.name)
        self._respool()
        return Done(await self._changed())

    @handles(SetLoop)
    async def set_loop(self, message: SetLoop) -> Done:
        """What follows may be another now."""
        self._session = replace(self._session, queue=self._session.queue.looping(message.mode))
        return Done(await self._changed())

    @handles(Shuffle)
    async def shuffle(self, _message: Shuffle) -> Shuffled:
        """A random order of what waits."""
        waiting = len(self._session.queue.waiting)
        if waiting < 2:
            raise No("There are fewer than two tracks waiting.")
        self._session = replace(self._session, queue=self._session.queue.shuffled(SystemRandom()))
        return Shuffled(await self._changed(), waiting, len(self._session.rests))

    @handles(GetQueue)
    async def get_queue(self, message: GetQueue) -> QueueView:
        """One page."""
        queue = self._session.queue
        page = min(max(message.page, 1), queue.pages)
        first = (page - 1) * PAGE_SIZE + 1
        return QueueView(
            now=self._view(),
            entries=queue.page(page),
            first=first,
            page=page,
            pages=queue.pages,
            total=len(queue.waiting),
            rests=self._session.rests,
        )

    @handles(GetNowPlaying)
    async def get_now_playing(self, _message: GetNowPlaying) -> NowPlaying:
        """The present state."""
        return self._view()

    def _next_title(self) -> str | None:
        """What plays now, or the playlist whose next page is awaited."""
        session = self._session
        following = session.queue.current or (session.rests[0] if session.rests else None)
        return None if following is None else following.title

    def _rest(self, name: str) -> Rest | None:
        """What is still to come of a playlist, by its id as shown."""
        prefix = name.strip().lower().removeprefix("#")
        found = [rest for rest in self._session.rests if prefix and rest.id.startswith(prefix)]
        return found[0] if len(found) == 1 and len(prefix) >= SHORT_ID else None

    def _waiting(self, name: str) -> Track:
        try:
            return self._session.queue.find(name)
        except NoEntryError:
            raise No("Nothing that waits has that number or id: look at the queue.") from None
        except AmbiguousError:
            raise No("More than one entry begins so: write more of its id, or its number.") from None

    def _current(self) -> Track:
        current = self._session.queue.current
        if current is None:
            raise No("Nothing is playing.")
        return current
