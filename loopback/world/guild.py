"""A guild: its channels, roles, members and voice, and the events of their changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from loopback.world.channels import (
    WAIT_S,
    Category,
    Channel,
    GuildChannel,
    StageChannel,
    TextChannel,
    VoiceChannel,
)
from loopback.world.events import Event
from loopback.world.guild_payload import guild_create_payload, guild_payload
from loopback.world.guild_voice import (
    DISCONNECTED,
    lose_voice_server,
    move,
    permissions_changed,
    put_down,
    renew_voice_server,
    tell_state,
)
from loopback.world.model import Member, Payload, Role, User, VoiceState
from loopback.world.permissions import ALL, NONE, Overwrite, Permission, in_channel, permissions

if TYPE_CHECKING:
    from loopback.gateway.intents import Intent
    from loopback.listening.listener import Listener
    from loopback.world.world import World

C = TypeVar("C", bound=GuildChannel)


@dataclass(slots=True, eq=False, repr=False)
class Guild:
    """A guild with the bot in it. Every change is told to the gateway sessions of its shard."""

    world: World
    id: int
    name: str
    owner: User
    channels: dict[int, GuildChannel] = field(default_factory=dict)
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    voice_states: dict[int, VoiceState] = field(default_factory=dict)
    audience: set[int] = field(default_factory=set)
    """Users whom the voice server knows to be in the bot's channel."""

    def __repr__(self) -> str:
        return f"<Guild {self.name!r} {self.id}>"

    # --- making it ---

    def add_text_channel(self, name: str, *, topic: str | None = None) -> TextChannel:
        return self._add(
            TextChannel(
                id=self.world.ids.next(), name=name, guild=self, position=len(self.channels), topic=topic
            )
        )

    def add_voice_channel(self, name: str, *, user_limit: int = 0, bitrate: int = 64_000) -> VoiceChannel:
        return self._add(
            VoiceChannel(
                id=self.world.ids.next(),
                name=name,
                guild=self,
                position=len(self.channels),
                user_limit=user_limit,
                bitrate=bitrate,
            )
        )

    def add_stage_channel(self, name: str) -> StageChannel:
        return self._add(
            StageChannel(id=self.world.ids.next(), name=name, guild=self, position=len(self.channels))
        )

    def add_category(self, name: str) -> Category:
        return self._add(
            Category(id=self.world.ids.next(), name=name, guild=self, position=len(self.channels))
        )

    def _add(self, channel: C) -> C:
        self.channels[channel.id] = self.world.channels[channel.id] = channel
        self.tell("CHANNEL_CREATE", channel.payload())
        return channel

    def delete_channel(self, channel: GuildChannel, *, code: int = DISCONNECTED) -> None:
        """Delete a channel; whoever is in its voice is put out with that voice close code."""
        for state in [one for one in self.voice_states.values() if one.channel_id == channel.id]:
            put_down(self, state, code)
        del self.channels[channel.id], self.world.channels[channel.id]
        self.tell("CHANNEL_DELETE", channel.payload())

    def add_role(self, name: str, *names: str) -> Role:
        """A role with the named permissions."""
        role = Role(self.world.ids.next(), name, permissions(names), len(self.roles))
        self.roles[role.id] = role
        self.tell("GUILD_ROLE_CREATE", {"role": role.payload()})
        return role

    def add_member(self, user: User, *roles: Role) -> Member:
        member = Member(user, list(roles))
        self.members[user.id] = member
        self.tell("GUILD_MEMBER_ADD", member.payload())
        return member

    def remove_member(self, user: User) -> None:
        """The user leaves, or is kicked; the bot's own leaving removes the guild from it."""
        state = self.voice_states.get(user.id)
        if state is not None:
            put_down(self, state)
        del self.members[user.id]
        if user is self.world.bot:
            self.world.guilds.pop(self.id)
            self.tell("GUILD_DELETE", {"id": str(self.id)})
        else:
            self.tell("GUILD_MEMBER_REMOVE", {"user": user.payload()})

    # --- permissions ---

    def allow(self, channel: GuildChannel, *names: str, to: User | Role | None = None) -> None:
        """Allow permissions ("connect", "speak", ...) in a channel to a user or role (default: the bot)."""
        self._overwrite(channel, to).change(allow=permissions(names))
        self.permissions_changed(channel)

    def deny(self, channel: GuildChannel, *names: str, to: User | Role | None = None) -> None:
        """Deny permissions in a channel to a user or role (default: the bot)."""
        self._overwrite(channel, to).change(deny=permissions(names))
        self.permissions_changed(channel)

    def permissions_changed(self, channel: GuildChannel) -> None:
        """Tell of a channel's overwrites as they are now, and of who may speak by them."""
        self.tell("CHANNEL_UPDATE", channel.payload())
        if isinstance(channel, VoiceChannel):
            permissions_changed(self, channel)

    def _overwrite(self, channel: GuildChannel, target: User | Role | None) -> Overwrite:
        whom = target or self.world.bot
        return channel.overwrite(whom.id, 0 if isinstance(whom, Role) else 1)

    def permissions_of(self, user: User, channel: Channel | None = None) -> Permission:
        """What the user may do in the channel, or in the guild as a whole."""
        member = self.members.get(user.id)
        if member is None:
            return NONE
        base = self.roles[self.id].permissions
        for role in member.roles:
            base |= role.permissions
        if user is self.owner or Permission.ADMINISTRATOR in base:
            return ALL
        if not isinstance(channel, GuildChannel):
            return base
        held = {role.id for role in member.roles}
        return in_channel(
            base, channel.overwrites.values(), everyone_id=self.id, role_ids=held, user_id=user.id
        )

    def can(self, user: User, name: str, channel: Channel | None = None) -> bool:
        """Whether the user has one permission, by its name."""
        return Permission[name.upper()] in self.permissions_of(user, channel)

    # --- voice ---

    @property
    def listener(self) -> Listener:
        """What the bot is heard to send in this guild, from the first packet on, in whatever session."""
        return self.world.voice.listener(self.id)

    def voice_of(self, user: User) -> VoiceState | None:
        """The user's voice state, or None when not in voice."""
        return self.voice_states.get(user.id)

    async def wait_voice(
        self, user: User, channel: VoiceChannel | None, timeout_s: float = WAIT_S
    ) -> VoiceState | None:
        """Until the user is in that channel (None: in no channel of this guild). Raises NotSeen."""
        wanted = None if channel is None else channel.id

        def there() -> bool | None:
            state = self.voice_of(user)
            return True if (None if state is None else state.channel_id) == wanted else None

        await self.world.watch.until(
            there, timeout_s, lambda: f"{user} in {channel}, but {self.voice_of(user)}"
        )
        return self.voice_of(user)

    def move(self, user: User, channel: VoiceChannel) -> None:
        """Somebody with the right moves the user into another channel. Raises KeyError for one not in
        voice.
        """
        move(self, self.voice_states[user.id], channel)

    def disconnect(self, user: User, *, code: int = DISCONNECTED) -> None:
        """Somebody with the right puts the user out of voice. Raises KeyError for one not in voice."""
        put_down(self, self.voice_states[user.id], code)

    def server_mute(self, user: User, *, mute: bool = True) -> None:
        """Mute a member in the whole guild."""
        self.members[user.id].mute = mute
        state = self.voice_states.get(user.id)
        if state is not None:
            tell_state(self, state)

    def renew_voice_server(self) -> None:
        """Send the bot to another voice server, as Discord does when one is taken down (VOICE_SERVER_UPDATE
        alone).
        """
        renew_voice_server(self, self.voice_states[self.world.bot.id])

    def lose_voice_server(self) -> None:
        """Tell the bot that its voice server is gone and that there is no other yet (endpoint null)."""
        lose_voice_server(self, self.voice_states[self.world.bot.id])

    # --- the gateway's view ---

    def tell(self, name: str, data: Payload) -> None:
        """Dispatch an event of this guild."""
        about_bot = name == "GUILD_MEMBER_UPDATE" and data["user"]["id"] == str(self.world.bot.id)
        self.world.dispatch(Event(name, {**data, "guild_id": str(self.id)}, self.id, about_bot=about_bot))

    def payload(self) -> Payload:
        """The guild as REST answers it."""
        return guild_payload(self)

    def create_payload(self, intents: Intent) -> Payload:
        """The guild as GUILD_CREATE tells it to a session with these intents."""
        return guild_create_payload(self, intents)
