"""Saving and loading through the guild's persistence actor, from any of its siblings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from supervision import SupervisionError

from .messages import Load, Loaded, Save, SetAside
from .pace import about

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervision import Context

    from .store import Position

TIMEOUT_S = 2.0
"""A disk that takes longer counts as not writable."""

TRIES = 2
"""One for the case that the persistence actor was restarted in the midst."""

AGAIN_S = 1.0
"""Until what the disk did not give is asked for again; twice as long after each try, ..."""

AGAIN_AT_MOST_S = 15.0
"""... up to this."""

log = structlog.get_logger(__name__)


async def save(
    context: Context,
    part: str,
    state: Mapping[str, Any],
    position: Position | None = None,
    *,
    unread: bool = False,
) -> bool:
    """True when the state, and the position with it, is on disk, False if not; never raises for that.

    :param unread: what is on disk was not given so far (`Loaded.unread`), and must not be written over
    """
    message = Save(part, state, position, unread)
    for _ in range(TRIES):
        try:
            saved = await context.sibling("persistence").ask(message, timeout=TIMEOUT_S)
        except SupervisionError as error:
            log.warning("persistence_unavailable", path=context.path, part=part, error=str(error))
            continue
        return saved.ok
    return False


async def load(context: Context, part: str) -> Mapping[str, Any] | None:
    """The last state, or None if there is none or it cannot be had: for what may be begun anew then, as the
    place of a message.
    """
    return (await load_whole(context, part)).state


async def set_aside(context: Context, part: str, why: str) -> bool:
    """What was loaded makes no sense. False if it is still there."""
    try:
        return (await context.sibling("persistence").ask(SetAside(part, why), timeout=TIMEOUT_S)).ok
    except SupervisionError as error:
        log.warning("persistence_unavailable", path=context.path, part=part, error=str(error))
        return False


async def load_whole(context: Context, part: str, *, position: bool = False) -> Loaded:
    """The last state, with the guild's last position if that is wanted; says so if it cannot be had now."""
    message = Load(part, position)
    for _ in range(TRIES):
        try:
            return await context.sibling("persistence").ask(message, timeout=TIMEOUT_S)
        except SupervisionError as error:
            log.warning("persistence_unavailable", path=context.path, part=message.part, error=str(error))
    return Loaded(None, unread=True)


def load_again_s(tries: int) -> float:
    """How long to wait after so many tries in vain (1 or more), in s."""
    return about(min(AGAIN_S * 2.0 ** min(tries - 1, 16), AGAIN_AT_MOST_S))


def tell(context: Context, sibling: str, message: object) -> bool:
    """Tell a sibling; False if it is down or has no room. After a restart siblings tell each other anew."""
    try:
        context.sibling(sibling).tell(message)
    except SupervisionError as error:
        kind = type(message).__name__
        log.debug("not_told", path=context.path, to=sibling, message=kind, error=str(error))
        return False
    return True
