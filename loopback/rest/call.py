"""One REST request, read and checked, as the handlers get it; and the entry of the route table."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from loopback.errors import RestError, missing_access, missing_permissions, unknown
from loopback.world.channels import Channel, GuildChannel

if TYPE_CHECKING:
    from loopback.world.guild import Guild
    from loopback.world.message import Message
    from loopback.world.model import Member, User
    from loopback.world.world import World


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a multipart request; `index` is the n of `files[n]`."""

    index: int
    filename: str
    data: bytes
    content_type: str


@dataclass(slots=True)
class Call:
    """A request with its path parameters, query and decoded body. Lookups raise Discord's errors."""

    world: World
    params: dict[str, str]
    query: dict[str, str]
    body: Any = None
    files: list[SentFile] = field(default_factory=list)

    @property
    def fields(self) -> dict[str, Any]:
        """The body as an object. Raises 50035 for anything else."""
        if not isinstance(self.body, dict):
            raise RestError(400, 50035, "Invalid Form Body")
        return self.body

    def number(self, name: str) -> int:
        """A snowflake of the path. Raises 50035 when it is none."""
        try:
            return int(self.params[name])
        except ValueError:
            raise RestError(400, 50035, "Invalid Form Body") from None

    def limit(self, default: int, most: int) -> int:
        return min(int(self.query.get("limit", default)), most)

    def application(self) -> None:
        """Check that the path names the application of the token."""
        if self.number("application_id") != self.world.application.id:
            raise RestError(403, 20012, "You are not authorized to perform this action on this application")

    def guild(self) -> Guild:
        found = self.world.guilds.get(self.number("guild_id"))
        if found is None:
            raise unknown("Guild")
        return found

    def channel(self, *needed: str) -> Channel:
        """The channel of the path, which the bot may view and in which it has the permissions named."""
        found = self.world.channels.get(self.number("channel_id"))
        if found is None:
            raise unknown("Channel")
        require(self.world, found, *needed)
        return found

    def guild_channel(self, *needed: str) -> GuildChannel:
        found = self.channel(*needed)
        if not isinstance(found, GuildChannel):
            raise unknown("Channel")
        return found

    def message(self, *needed: str) -> Message:
        found = self.channel(*needed).message(self.number("message_id"))
        if found is None:
            raise unknown("Message")
        return found

    def member(self, guild: Guild) -> Member:
        """The member of the path; @me is the bot."""
        found = guild.members.get(self.user_id())
        if found is None:
            raise unknown("Member")
        return found

    def user(self) -> User:
        found = self.world.users.get(self.user_id())
        if found is None:
            raise unknown("User")
        return found

    def user_id(self) -> int:
        return self.world.bot.id if self.params["user_id"] == "@me" else self.number("user_id")


def require(world: World, channel: Channel, *needed: str) -> None:
    """Raise 50001 if the bot may not view the channel, 50013 if it lacks a permission there."""
    guild = world.guild_of(channel)
    if guild is None:
        return
    if not guild.can(world.bot, "view_channel", channel):
        raise missing_access()
    require_in(guild, channel, *needed)


def require_in(guild: Guild, channel: Channel | None, *needed: str) -> None:
    """Raise 50013 if the bot lacks a permission in the channel, or in the guild."""
    if not all(guild.can(guild.world.bot, name, channel) for name in needed):
        raise missing_permissions()


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """An entry of the route table. The handler's result is the JSON answer; None answers 204.

    `public` routes need no token. At most `requests` per `window_s` go through for one set of major
    parameters.
    """

    method: str
    path: str
    handler: Handler
    public: bool = False
    requests: int = 50
    window_s: float = 1.0


async def read_call(world: World, request: web.Request) -> Call:
    """Decode a request. Raises RestError for a body that is not JSON."""
    call = Call(world, dict(request.match_info), dict(request.query))
    if request.content_type == "multipart/form-data":
        await _read_multipart(call, request)
    elif request.can_read_body:
        call.body = _decode(await request.text())
    return call


def _decode(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise RestError(400, 50109, "The request body contains invalid JSON.") from None


def _text(value: Any) -> str:
    """A form field as text, whether or not it came with a file name."""
    if isinstance(value, web.FileField):
        with value.file as file:
            return file.read().decode()
    return value if isinstance(value, str) else bytes(value).decode()


async def _read_multipart(call: Call, request: web.Request) -> None:
    form = await request.post()
    for name, value in form.items():
        if name == "payload_json":
            call.body = _decode(_text(value))
        elif isinstance(value, web.FileField):
            index = int(name.removeprefix("files[").removesuffix("]")) if name.startswith("files[") else 0
            call.files.append(SentFile(index, value.filename, value.file.read(), value.content_type))
            value.file.close()
