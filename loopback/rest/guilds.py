"""Routes of guilds, channels, members, roles and voice states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.errors import FormError, unknown
from loopback.rest.call import Call, Route, require_in
from loopback.world.channels import GuildChannel, StageChannel, VoiceChannel
from loopback.world.guild_voice import put_down, tell_state
from loopback.world.permissions import Overwrite, Permission

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.world.guild import Guild
    from loopback.world.model import Member, Payload, VoiceState

MAX_MEMBERS_PAGE = 1000
CHANGEABLE = ("name", "topic", "position", "bitrate", "user_limit", "rtc_region")


async def guild(call: Call) -> Any:
    found = call.guild()
    payload = found.payload()
    if call.query.get("with_counts", "").lower() in ("1", "true"):
        payload |= {
            "approximate_member_count": len(found.members),
            "approximate_presence_count": len(found.members),
        }
    return payload


async def channels(call: Call) -> Any:
    return [one.payload() for one in call.guild().channels.values()]


async def create_channel(call: Call) -> Any:
    owner = call.guild()
    require_in(owner, None, "manage_channels")
    makers: dict[int, Callable[[str], GuildChannel]] = {
        0: owner.add_text_channel,
        2: owner.add_voice_channel,
        4: owner.add_category,
        13: owner.add_stage_channel,
    }
    kind = int(call.fields.get("type") or 0)
    if kind not in makers:
        raise FormError("type", "BASE_TYPE_CHOICES", "This kind of channel is not made here")
    return makers[kind](str(call.fields["name"])).payload()


async def roles(call: Call) -> Any:
    return [one.payload() for one in call.guild().roles.values()]


async def members(call: Call) -> Any:
    after = int(call.query.get("after", 0))
    found = sorted((one for one in call.guild().members.values()), key=lambda one: one.user.id)
    page = [one for one in found if one.user.id > after][: call.limit(1, MAX_MEMBERS_PAGE)]
    return [one.payload() for one in page]


async def member(call: Call) -> Any:
    return call.member(call.guild()).payload()


async def change_member(call: Call) -> Any:
    """Nickname, server mute and deafen, moving and putting out of voice; each with its permission."""
    place = call.guild()
    found = call.member(place)
    for name, change in _MEMBER_CHANGES.items():
        if name in call.fields:
            permission, apply = change
            mine = found.user is call.world.bot and name == "nick"
            require_in(place, None, "change_nickname" if mine else permission)
            apply(place, found, call.fields[name])
    place.tell("GUILD_MEMBER_UPDATE", found.payload())
    return found.payload()


def _set_nick(_place: Guild, found: Member, value: Any) -> None:
    found.nick = value or None


def _set_mute(place: Guild, found: Member, value: Any) -> None:
    _in_voice(place, found)
    place.server_mute(found.user, mute=bool(value))


def _set_deaf(place: Guild, found: Member, value: Any) -> None:
    state = _in_voice(place, found)
    found.deaf = bool(value)
    tell_state(place, state)


def _set_channel(place: Guild, found: Member, value: Any) -> None:
    state = _in_voice(place, found)
    if value is None:
        put_down(place, state)
        return
    target = place.channels.get(int(value))
    if not isinstance(target, VoiceChannel):
        raise unknown("Channel")
    place.move(found.user, target)


def _in_voice(place: Guild, found: Member) -> VoiceState:
    state = place.voice_of(found.user)
    if state is None:
        raise FormError("channel_id", "NOT_IN_VOICE", "Target user is not connected to voice.")
    return state


_MEMBER_CHANGES = {
    "nick": ("manage_nicknames", _set_nick),
    "mute": ("mute_members", _set_mute),
    "deaf": ("deafen_members", _set_deaf),
    "channel_id": ("move_members", _set_channel),
}


async def voice_state(call: Call) -> Any:
    place = call.guild()
    state = place.voice_of(call.member(place).user)
    if state is None:
        raise unknown("Voice State")
    return state.payload()


async def change_voice_state(call: Call) -> Any:
    """Getting on stage, or asking to: `suppress` false needs mute_members."""
    place = call.guild()
    state = _in_voice(place, call.member(place))
    channel = place.channels[state.channel_id or 0]
    if not isinstance(channel, StageChannel):
        raise FormError("channel_id", "NOT_A_STAGE", "The channel is no stage channel")
    if "suppress" in call.fields:
        if not call.fields["suppress"]:
            require_in(place, channel, "mute_members")
        state.suppress = bool(call.fields["suppress"])
    if "request_to_speak_timestamp" in call.fields:
        require_in(place, channel, "request_to_speak")
        state.request_to_speak = call.fields["request_to_speak_timestamp"]
    tell_state(place, state)


async def channel(call: Call) -> Any:
    return call.channel().payload()


async def change_channel(call: Call) -> Any:
    found = call.guild_channel("manage_channels")
    for name in CHANGEABLE:
        if name in call.fields and hasattr(found, name):
            setattr(found, name, call.fields[name])
    if "permission_overwrites" in call.fields:
        found.overwrites = {int(one["id"]): _overwrite(one) for one in call.fields["permission_overwrites"]}
    found.guild.tell("CHANNEL_UPDATE", found.payload())
    return found.payload()


def _overwrite(sent: Payload, target_id: int | None = None) -> Overwrite:
    return Overwrite(
        int(sent["id"]) if target_id is None else target_id,
        int(sent["type"]),
        Permission(int(sent.get("allow") or 0)),
        Permission(int(sent.get("deny") or 0)),
    )


async def set_overwrite(call: Call) -> Any:
    found = call.guild_channel("manage_roles")
    target = call.number("target_id")
    found.overwrites[target] = _overwrite(call.fields, target)
    found.guild.tell("CHANNEL_UPDATE", found.payload())


async def remove_channel(call: Call) -> Any:
    found: GuildChannel = call.guild_channel("manage_channels")
    found.guild.delete_channel(found)
    return found.payload()


async def voice_status(call: Call) -> Any:
    """The line under a voice channel's name."""
    found = call.guild_channel("connect")
    status = call.fields.get("status")
    found.guild.tell("VOICE_CHANNEL_STATUS_UPDATE", {"id": str(found.id), "status": status})


_GUILD = "/guilds/{guild_id}"
_CHANNEL = "/channels/{channel_id}"

ROUTES = (
    Route("GET", _GUILD, guild),
    Route("GET", _GUILD + "/channels", channels),
    Route("POST", _GUILD + "/channels", create_channel),
    Route("GET", _GUILD + "/roles", roles),
    Route("GET", _GUILD + "/members", members),
    Route("GET", _GUILD + "/members/{user_id}", member),
    Route("PATCH", _GUILD + "/members/{user_id}", change_member, requests=10, window_s=10.0),
    Route("GET", _GUILD + "/voice-states/{user_id}", voice_state),
    Route("PATCH", _GUILD + "/voice-states/{user_id}", change_voice_state),
    Route("GET", _CHANNEL, channel),
    Route("PATCH", _CHANNEL, change_channel, requests=5, window_s=15.0),
    Route("DELETE", _CHANNEL, remove_channel),
    Route("PUT", _CHANNEL + "/permissions/{target_id}", set_overwrite),
    Route("PUT", _CHANNEL + "/voice-status", voice_status),
)
