"""What a player remembers over restarts, as a value, and its way to and from plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .media import EFFECTS, OFF, Rest, Track
from .queue import Loop, Queue

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Session:
    """The queue and how it is played: `volume` in percent, `effect` one of `media.EFFECTS`.

    `rests` are what is still to be fetched of playlists, in order, behind all that waits. `text_channel_id`
    is where the bot speaks.
    """

    queue: Queue[Track] = field(default_factory=Queue)
    rests: tuple[Rest, ...] = ()
    volume: int = 100
    effect: str = OFF
    paused: bool = False
    text_channel_id: int | None = None


def joined(stored: Session, since: Session) -> Session:
    """What was saved, and what was done while the disk did not give that: nothing of either is lost.

    What is heard goes on, for nothing stops in the middle of a song. Behind it comes the stored queue, which
    was asked for first and is known as safe, from the beginning of its current entry; then what was added
    since. Settings that were changed since are the later wish.
    """
    fresh, queue = Session(), stored.queue
    if since.queue.current is not None:
        entries = (*((queue.current,) if queue.current else ()), *queue.waiting)
        known = {track.id for track in (since.queue.current, *since.queue.waiting)}
        before = tuple(track for track in entries if track.id not in known)
        queue = replace(queue, current=since.queue.current, waiting=before + since.queue.waiting)
    if since.queue.loop is not fresh.queue.loop:
        queue = queue.looping(since.queue.loop)
    begun = {rest.id for rest in since.rests}
    return Session(
        queue=queue,
        rests=tuple(rest for rest in stored.rests if rest.id not in begun) + since.rests,
        volume=stored.volume if since.volume == fresh.volume else since.volume,
        effect=stored.effect if since.effect == fresh.effect else since.effect,
        paused=stored.paused if since.queue.current is None else since.paused,
        text_channel_id=since.text_channel_id or stored.text_channel_id,
    )


def to_plain(session: Session) -> dict[str, Any]:
    """For msgpack."""
    queue = session.queue
    return {
        "current": None if queue.current is None else queue.current.to_dict(),
        "waiting": [track.to_dict() for track in queue.waiting],
        "rests": [rest.to_dict() for rest in session.rests],
        "loop": queue.loop.value,
        "volume": session.volume,
        "effect": session.effect,
        "paused": session.paused,
        "text_channel_id": session.text_channel_id,
    }


def from_plain(state: Mapping[str, Any]) -> Session:
    """What `to_plain` was given.

    :raises ValueError, KeyError, TypeError: for anything else
    """
    current = state["current"]
    queue: Queue[Track] = Queue(
        current=None if current is None else Track.from_dict(current),
        waiting=tuple(Track.from_dict(track) for track in state["waiting"]),
        loop=Loop(state["loop"]),
    )
    return Session(
        queue=queue,
        rests=tuple(Rest.from_dict(rest) for rest in state.get("rests", ())),  # older states have none
        volume=int(state["volume"]),
        effect=state["effect"] if state.get("effect") in EFFECTS else OFF,  # older states have none
        paused=bool(state["paused"]),
        text_channel_id=state["text_channel_id"],
    )
