"""Joining, moving and leaving voice in a guild: voice states, and the voice server that the bot is told.

One who joins or moves is told by VOICE_STATE_UPDATE and VOICE_SERVER_UPDATE, in the order of the settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.world.channels import StageChannel, VoiceChannel
from loopback.world.events import Event
from loopback.world.model import Member, VoiceState
from loopback.world.permissions import Permission
from loopback.world.world import secret_token

if TYPE_CHECKING:
    from loopback.world.guild import Guild

DISCONNECTED = 4014
"""Voice close code of one who is put out of the channel."""


def may_join(guild: Guild, member: Member, channel: VoiceChannel) -> bool:
    """Whether permissions and the user limit let the member in."""
    held = guild.permissions_of(member.user, channel)
    if Permission.CONNECT not in held or Permission.VIEW_CHANNEL not in held:
        return False
    inside = member.user in channel.members
    full = 0 < channel.user_limit <= len(channel.members) and not inside
    return not full or Permission.MOVE_MEMBERS in held


def request(
    guild: Guild,
    member: Member,
    channel: VoiceChannel | None,
    session_id: str,
    *,
    self_mute: bool = False,
    self_deaf: bool = False,
) -> bool:
    """What op 4 asks for: join, move, leave (`channel` None) or mute. False = refused, which Discord does
    silently.
    """
    state = guild.voice_states.get(member.user.id)
    if channel is None:
        if state is not None:
            put_down(guild, state)
        return True
    if not may_join(guild, member, channel):
        return False
    new = state is None
    state = state or VoiceState(guild.id, member, session_id)
    rejoined = state.channel_id == channel.id and state.session_id == session_id
    state.session_id, state.self_mute, state.self_deaf = session_id, self_mute, self_deaf
    if rejoined:
        _again(guild, state)
    else:
        _place(guild, state, channel, moved=not new)
    return True


def move(guild: Guild, state: VoiceState, channel: VoiceChannel) -> None:
    """Into another channel, by somebody who may: permissions and limit do not count."""
    _place(guild, state, channel, moved=True)


def put_down(guild: Guild, state: VoiceState, code: int = DISCONNECTED) -> None:
    """Out of voice: by leaving, by being put out, or because the channel is gone. `code` = voice close."""
    state.channel_id = None
    guild.voice_states.pop(state.user_id, None)
    tell_state(guild, state)
    if _is_bot(guild, state):
        voice = guild.world.voice
        if guild.world.settings.close_voice_on_leave:
            voice.revoke(guild.id, state.user_id, code)
        else:
            voice.withdraw(guild.id, state.user_id)
    _tell_audience(guild)


def tell_state(guild: Guild, state: VoiceState) -> None:
    """VOICE_STATE_UPDATE with the state as it is; who may not speak is not heard from now on."""
    muted = (state.suppress or state.member.mute) and guild.world.settings.drop_muted
    guild.world.voice.hush(guild.id, state.user_id, hushed=muted)
    guild.tell("VOICE_STATE_UPDATE", state.payload())


def renew_voice_server(guild: Guild, state: VoiceState) -> None:
    """A fresh token and endpoint for the bot (VOICE_SERVER_UPDATE)."""
    world = guild.world
    assert state.channel_id is not None, "only somebody in a channel has a voice server"  # noqa: S101 - an invariant
    dave = not isinstance(guild.channels[state.channel_id], StageChannel)
    token = world.voice.issue(guild.id, state.channel_id, state.user_id, state.session_id, dave=dave)
    endpoint = world.voice.endpoint(guild.id, state.user_id)
    data = {"token": token, "guild_id": str(guild.id), "endpoint": endpoint}
    world.dispatch(Event("VOICE_SERVER_UPDATE", data, guild.id, session_id=state.session_id))


def lose_voice_server(guild: Guild, state: VoiceState) -> None:
    """VOICE_SERVER_UPDATE without an endpoint: the server is gone, another one is not yet allocated."""
    world = guild.world
    world.voice.withdraw(guild.id, state.user_id)
    data = {"token": secret_token(), "guild_id": str(guild.id), "endpoint": None}
    world.dispatch(Event("VOICE_SERVER_UPDATE", data, guild.id, session_id=state.session_id))


def permissions_changed(guild: Guild, channel: VoiceChannel) -> None:
    """Whoever is in the channel and may now speak, or may not any more, is told."""
    for state in [one for one in guild.voice_states.values() if one.channel_id == channel.id]:
        may_not = not guild.can(state.member.user, "speak", channel)
        if not isinstance(channel, StageChannel) and state.suppress != may_not:
            state.suppress = may_not
            tell_state(guild, state)


def _suppressed(guild: Guild, state: VoiceState, channel: VoiceChannel) -> bool:
    """Whether one who comes in may not speak: below a stage, elsewhere without the permission."""
    needed = "mute_members" if isinstance(channel, StageChannel) else "speak"
    return not guild.can(state.member.user, needed, channel)


def _place(guild: Guild, state: VoiceState, channel: VoiceChannel, *, moved: bool) -> None:
    state.channel_id = channel.id
    state.suppress = _suppressed(guild, state, channel)
    guild.voice_states[state.user_id] = state
    settings = guild.world.settings
    if _is_bot(guild, state) and not settings.voice_state_first:
        renew_voice_server(guild, state)
    tell_state(guild, state)
    if _is_bot(guild, state):
        if moved and settings.close_voice_on_move:
            guild.world.voice.close(guild.id, state.user_id, DISCONNECTED)
        if settings.voice_state_first:
            renew_voice_server(guild, state)
    _tell_audience(guild)


def _again(guild: Guild, state: VoiceState) -> None:
    """Op 4 for the channel in which one already is: a state, and a server only as the settings say."""
    tell_state(guild, state)
    if _is_bot(guild, state) and _server_due(guild, state):
        renew_voice_server(guild, state)


def _server_due(guild: Guild, state: VoiceState) -> bool:
    rule = guild.world.settings.voice_server_on_rejoin
    if rule != "if_unconnected":
        return rule == "always"
    session = guild.world.voice.session(guild.id, state.user_id)
    return session is None or session.connection is None


def _is_bot(guild: Guild, state: VoiceState) -> bool:
    return state.user_id == guild.world.bot.id


def _tell_audience(guild: Guild) -> None:
    """Let the voice server know who shares the bot's channel now."""
    bot = guild.world.bot.id
    place = guild.voice_states.get(bot)
    now = {
        state.user_id
        for state in guild.voice_states.values()
        if place is not None and state.channel_id == place.channel_id and state.user_id != bot
    }
    for user_id in now - guild.audience:
        supports = guild.voice_states[user_id].member.user.supports_dave
        guild.world.voice.user_joined(guild.id, user_id, dave=supports)
    for user_id in guild.audience - now:
        guild.world.voice.user_left(guild.id, user_id)
    guild.audience = now
