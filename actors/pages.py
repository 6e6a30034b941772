"""Playlists in a session: which page is due, and what becomes of the session when it comes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .queue import Loop, QueueFullError

if TYPE_CHECKING:
    from .media import Page, Rest
    from .queue import QueueLimits
    from .session import Session

LISTS: Final = 10
"""Playlists of which something may still be to come, in one guild."""

SHORT: Final = 10
"""With no more entries waiting than that, the queue runs short: a skip must not wait for a site."""


def room_of(session: Session, user_id: int, limits: QueueLimits) -> int:
    """Entries that this user may add now."""
    waiting = session.queue.waiting
    mine = sum(track.requested_by == user_id for track in waiting)
    return max(0, min(limits.capacity - len(waiting), limits.per_user - mine))


def due(session: Session, limits: QueueLimits) -> Rest | None:
    """The playlist whose next page should be fetched now.

    A queue that repeats as a whole must first be whole.
    """
    if not session.rests:
        return None
    rest, queue = session.rests[0], session.queue
    short = len(queue.waiting) <= SHORT or queue.loop is Loop.QUEUE
    return rest if short and room_of(session, rest.requested_by, limits) else None


def with_page(session: Session, rest: Rest, page: Page, limits: QueueLimits) -> Session | None:
    """With as much of that page as there is room for; None if nobody waits for it any more."""
    if not session.rests or session.rests[0] != rest or page.listing is None:
        return None
    taken = page.tracks[: room_of(session, rest.requested_by, limits)]
    left = page.listing.left(len(taken))
    try:
        queue = session.queue.add(taken).started() if taken else session.queue
    except QueueFullError:  # by what was stored under another limit
        return None
    return replace(session, queue=queue, rests=((left,) if left else ()) + session.rests[1:])


def without(session: Session, rest: Rest) -> Session:
    """Without what is still to come of that playlist."""
    return replace(session, rests=tuple(each for each in session.rests if each.id != rest.id))
