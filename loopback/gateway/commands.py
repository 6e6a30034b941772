"""What an identified client may send: presence, voice state, member requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.gateway.intents import Intent
from loopback.gateway.protocol import CloseCode, GatewayError, Op
from loopback.world import guild_voice
from loopback.world.channels import VoiceChannel

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.gateway.session import GatewaySession
    from loopback.world.guild import Guild
    from loopback.world.model import Member, Payload
    from loopback.world.world import World

CHUNK_MEMBERS = 1000


def run(world: World, session: GatewaySession, op: int, data: Any) -> None:
    """Carry out one command. Raises GatewayError for an unknown opcode or a malformed payload."""
    command = _COMMANDS.get(op)
    if command is None:
        raise GatewayError(CloseCode.UNKNOWN_OPCODE, f"unknown opcode {op}")
    try:
        command(world, session, data)
    except (KeyError, TypeError, ValueError) as broken:
        raise GatewayError(CloseCode.DECODE_ERROR, f"malformed payload of opcode {op}") from broken


def _presence(world: World, session: GatewaySession, data: Payload) -> None:
    session.presence = dict(data)
    world.watch.changed()


def _voice_state(world: World, session: GatewaySession, data: Payload) -> None:
    """Op 4. What is not possible is ignored without a word, as Discord does."""
    guild = _guild(world, session, data["guild_id"])
    if guild is None:
        return
    channel_id = data["channel_id"]
    channel = None if channel_id is None else guild.channels.get(int(channel_id))
    if channel_id is not None and not isinstance(channel, VoiceChannel):
        return
    guild_voice.request(
        guild,
        guild.members[world.bot.id],
        channel if isinstance(channel, VoiceChannel) else None,
        session.id,
        self_mute=bool(data.get("self_mute")),
        self_deaf=bool(data.get("self_deaf")),
    )


def _request_members(world: World, session: GatewaySession, data: Payload) -> None:
    """Op 8: GUILD_MEMBERS_CHUNK events of at most 1000 members each."""
    guild = _guild(world, session, data["guild_id"])
    if guild is None:
        return
    found, missing = _wanted(guild, session, data)
    chunks = [found[start : start + CHUNK_MEMBERS] for start in range(0, len(found), CHUNK_MEMBERS)] or [[]]
    for index, chunk in enumerate(chunks):
        answer: Payload = {
            "guild_id": str(guild.id),
            "members": [member.payload() for member in chunk],
            "chunk_index": index,
            "chunk_count": len(chunks),
            "not_found": missing,
        }
        if data.get("presences"):
            answer["presences"] = []
        if "nonce" in data:
            answer["nonce"] = data["nonce"]
        session.dispatch("GUILD_MEMBERS_CHUNK", answer)


def _wanted(guild: Guild, session: GatewaySession, data: Payload) -> tuple[list[Member], list[str]]:
    if data.get("user_ids"):
        ids = data["user_ids"] if isinstance(data["user_ids"], list) else [data["user_ids"]]
        found = [guild.members[int(one)] for one in ids if int(one) in guild.members]
        return found, [str(one) for one in ids if int(one) not in guild.members]
    query, limit = str(data["query"]).lower(), int(data["limit"])
    if not query and Intent.GUILD_MEMBERS not in session.intents:
        raise GatewayError(CloseCode.DISALLOWED_INTENTS, "all members need the members intent")
    found = [one for one in guild.members.values() if one.user.name.lower().startswith(query)]
    return found[: limit or None], []


def _guild(world: World, session: GatewaySession, guild_id: Any) -> Guild | None:
    guild = world.guilds.get(int(guild_id))
    return guild if guild is not None and session.covers(guild.id) else None


_COMMANDS: dict[int, Callable[[World, GatewaySession, Payload], None]] = {
    Op.PRESENCE_UPDATE: _presence,
    Op.VOICE_STATE_UPDATE: _voice_state,
    Op.REQUEST_GUILD_MEMBERS: _request_members,
}
