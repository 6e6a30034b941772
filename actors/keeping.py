"""Saving and loading through the guild's persistence actor, from any of its siblings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from supervision import SupervisionError

from .messages import Load, Loaded, Save, SetAside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervision import Context

    from .store import Position

TIMEOUT_S = 2.0
"""A disk that takes longer counts as not writable."""

TRIES = 2
"""One for the case that the persistence actor was restarted in the midst."""

log = structlog.get_logger(__name__)


async def save(
    context: Context, part: str, state: Mapping[str, Any], position: Position | None = None
) -> bool:
    """True when the state, and the position with it, is on disk, False if not; never raises for that."""
    message = Save(part, state, position)
    for _ in range(TRIES):
        try:
            saved = await context.sibling("persistence").ask(message, timeout=TIMEOUT_S)
        except SupervisionError as error:
            log.warning("persistence_unavailable", path=context.path, part=part, error=str(error))
            continue
        return saved.ok
    return False


async def load(context: Context, part: str) -> Mapping[str, Any] | None:
    """The last state, or None if there is none or it cannot be had."""
    return (await _loaded(context, Load(part))).state


async def load_session(context: Context) -> Loaded:
    """The last state of the player with the last position; nothing at all if it cannot be had."""
    return await _loaded(context, Load("player", position=True))


async def set_aside(context: Context, part: str, why: str) -> None:
    """What was loaded makes no sense."""
    try:
        await context.sibling("persistence").ask(SetAside(part, why), timeout=TIMEOUT_S)
    except SupervisionError as error:
        log.warning("persistence_unavailable", path=context.path, part=part, error=str(error))


async def _loaded(context: Context, message: Load) -> Loaded:
    for _ in range(TRIES):
        try:
            return await context.sibling("persistence").ask(message, timeout=TIMEOUT_S)
        except SupervisionError as error:
            log.warning("persistence_unavailable", path=context.path, part=message.part, error=str(error))
    return Loaded(None)


def tell(context: Context, sibling: str, message: object) -> bool:
    """Tell a sibling; False if it is down or has no room. After a restart siblings tell each other anew."""
    try:
        context.sibling(sibling).tell(message)
    except SupervisionError as error:
        kind = type(message).__name__
        log.debug("not_told", path=context.path, to=sibling, message=kind, error=str(error))
        return False
    return True
