"""Routes of application commands: reading, creating, bulk overwriting, global and per guild."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.errors import FormError, unknown
from loopback.rest.call import Call, Route

if TYPE_CHECKING:
    from loopback.world.model import Payload


def _scope(call: Call) -> int | None:
    """The guild of the path, or None for global commands."""
    call.application()
    return call.guild().id if "guild_id" in call.params else None


def _one(call: Call) -> Payload:
    found = call.world.commands.get(_scope(call), call.number("command_id"))
    if found is None:
        raise unknown("Application Command")
    return found


async def read(call: Call) -> Any:
    return call.world.commands.all(_scope(call))


async def overwrite(call: Call) -> Any:
    if not isinstance(call.body, list):
        raise FormError("", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
    return call.world.commands.overwrite(_scope(call), call.body)


async def create(call: Call) -> Any:
    return call.world.commands.put(_scope(call), call.fields)


async def fetch(call: Call) -> Any:
    return _one(call)


async def change(call: Call) -> Any:
    return call.world.commands.put(_scope(call), {**_one(call), **call.fields})


async def remove(call: Call) -> Any:
    call.world.commands.remove(_scope(call), _one(call))


async def no_permissions(call: Call) -> Any:
    """Nobody restricts commands to some users here."""
    _scope(call)
    return []


_ROOTS = ("/applications/{application_id}", "/applications/{application_id}/guilds/{guild_id}")

ROUTES = (
    Route("GET", _ROOTS[1] + "/commands/permissions", no_permissions),
    *(
        Route(method, root + path, handler)
        for root in _ROOTS
        for method, path, handler in (
            ("GET", "/commands", read),
            ("PUT", "/commands", overwrite),
            ("POST", "/commands", create),
            ("GET", "/commands/{command_id}", fetch),
            ("PATCH", "/commands/{command_id}", change),
            ("DELETE", "/commands/{command_id}", remove),
        )
    ),
)
