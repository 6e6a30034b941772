"""The scripted user: what a person does in Discord, as far as Discord's client would allow it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopback.errors import UserMistake
from loopback.world import guild_voice
from loopback.world.interaction_payload import resolved, set_off
from loopback.world.interactions import InteractionKind
from loopback.world.message import REPLY
from loopback.world.model import User
from loopback.world.option_types import fill_in, select_options
from loopback.world.permissions import Permission
from loopback.world.posting import post
from loopback.world.world import secret_token

if TYPE_CHECKING:
    from loopback.world.channels import Channel, VoiceChannel
    from loopback.world.guild import Guild
    from loopback.world.interactions import Interaction
    from loopback.world.message import Message
    from loopback.world.model import Payload
    from loopback.world.world import World

BUTTON, STRING_SELECT = 2, 3
LINK_STYLE = 5
COMMAND_WAIT_S = 5.0


@dataclass(slots=True, eq=False, repr=False)
class ScriptedUser(User):
    """A person. Whatever Discord's own client would refuse raises UserMistake: the script is wrong, not the
    bot.
    """

    world: World | None = None

    @property
    def _world(self) -> World:
        assert self.world is not None, "made by Loopback.add_user"  # noqa: S101 - an invariant
        return self.world

    # --- writing ---

    async def say(
        self,
        channel: Channel,
        text: str,
        *,
        reply_to: Message | None = None,
        files: tuple[tuple[str, bytes], ...] = (),
    ) -> Message:
        """Write a message."""
        self._needs(channel, "send_messages")
        world = self._world
        attachments = [world.attach(channel, name, data, "application/octet-stream") for name, data in files]
        extra: dict[str, Any] = {} if reply_to is None else {"reference": reply_to, "type": REPLY}
        message = post(world, channel, self, content=text, attachments=attachments, **extra)
        await asyncio.sleep(0)
        return message

    # --- commands ---

    async def slash(self, channel: Channel, command: str, /, **options: Any) -> Interaction:
        """Use a slash command ("play", or "group sub"); options are checked against what the bot synced.

        Users, channels and roles are given as objects, attachments as (file name, bytes).
        """
        name, definition, path = self._command(channel, command)
        given = {key: self._attached(channel, value) for key, value in options.items()}
        filled = fill_in(definition, given)
        data = self._command_data(channel, name, _nested(path, definition, filled))
        data["resolved"] = resolved(self._world, channel, self, list(given.values()))
        return await self._set_off(channel, InteractionKind.COMMAND, data)

    async def autocomplete(
        self, channel: Channel, command: str, option: str, typed: str, /, **others: Any
    ) -> Interaction:
        """Type into an option with autocompletion; `wait_choices` of the result gives the suggestions."""
        name, definition, path = self._command(channel, command)
        filled = fill_in(definition, {**others, option: typed}, focused=option)
        data = self._command_data(channel, name, _nested(path, definition, filled))
        return await self._set_off(channel, InteractionKind.AUTOCOMPLETE, data)

    async def wait_command(self, channel: Channel, name: str, timeout_s: float = COMMAND_WAIT_S) -> Payload:
        """The definition of a command as soon as the bot has synced it."""
        commands = self._world.commands

        def found() -> Payload | None:
            try:
                return commands.visible(channel.guild_id, name)
            except UserMistake:
                return None

        return await self._world.watch.until(found, timeout_s, lambda: f"a synced command {name!r}")

    def _command(self, channel: Channel, command: str) -> tuple[Payload, Payload, list[str]]:
        name, *path = command.split()
        top = self._world.commands.visible(channel.guild_id, name)
        guild = self._world.guild_of(channel)
        needed = top.get("default_member_permissions")
        if guild is not None and needed is not None:
            held = guild.permissions_of(self, channel)
            if Permission(int(needed)) & ~held or int(needed) == 0:
                raise UserMistake(f"{self.name} may not use {name!r}: it needs {Permission(int(needed))!r}")
        definition, gone = select_options(top, path)
        return top, definition, gone

    def _command_data(self, channel: Channel, top: Payload, options: list[Payload]) -> Payload:
        data: Payload = {"id": top["id"], "name": top["name"], "type": top["type"], "options": options}
        if "guild_id" in top:
            data["guild_id"] = top["guild_id"]
        return data

    def _attached(self, channel: Channel, value: Any) -> Any:
        if isinstance(value, tuple):
            return self._world.attach(channel, value[0], value[1], "application/octet-stream")
        return value

    # --- components and forms ---

    async def press(self, message: Message, custom_id: str) -> Interaction:
        """Press a button of a message."""
        self._control(message, custom_id, BUTTON)
        return await self._use(message, {"custom_id": custom_id, "component_type": BUTTON})

    async def select(self, message: Message, custom_id: str, *values: str) -> Interaction:
        """Choose entries of a string select."""
        control = self._control(message, custom_id, STRING_SELECT)
        offered = [one["value"] for one in control["options"]]
        fewest, most = control.get("min_values", 1), control.get("max_values", 1)
        if set(values) - set(offered) or not fewest <= len(values) <= most:
            raise UserMistake(f"{custom_id!r} offers {fewest} to {most} of {offered}, not {values}")
        data = {"custom_id": custom_id, "component_type": STRING_SELECT, "values": list(values)}
        return await self._use(message, data)

    async def submit(self, interaction: Interaction, **fields: str) -> Interaction:
        """Fill in and send the form that the bot opened."""
        modal = interaction.modal
        if modal is None:
            raise UserMistake(f"no form has been opened by {interaction.name!r}")
        rows = [_with_values(row, fields) for row in modal["components"]]
        data = {"custom_id": modal["custom_id"], "components": rows}
        return await self._set_off(
            interaction.channel, InteractionKind.MODAL_SUBMIT, data, interaction.source
        )

    def _control(self, message: Message, custom_id: str, kind: int) -> Payload:
        control = message.controls().get(custom_id)
        if message.deleted or control is None:
            raise UserMistake(f"the message has no {custom_id!r}; it has {sorted(message.controls())}")
        if control["type"] != kind or control.get("disabled"):
            raise UserMistake(f"{custom_id!r} cannot be used so: {control}")
        return control

    async def _use(self, message: Message, data: Payload) -> Interaction:
        return await self._set_off(message.channel, InteractionKind.COMPONENT, data, message)

    async def _set_off(
        self, channel: Channel, kind: InteractionKind, data: Payload, source: Message | None = None
    ) -> Interaction:
        made = set_off(self._world, self, channel, kind, data, source)
        await asyncio.sleep(0)
        return made

    # --- voice ---

    async def join(self, channel: VoiceChannel, *, self_mute: bool = False, self_deaf: bool = False) -> None:
        """Join a voice channel, or move there."""
        guild = channel.guild
        member = guild.members.get(self.id)
        if member is None:
            raise UserMistake(f"{self.name} is not a member of {guild.name}")
        state = guild.voice_states.get(self.id)
        session_id = state.session_id if state is not None else secret_token()
        if not guild_voice.request(
            guild, member, channel, session_id, self_mute=self_mute, self_deaf=self_deaf
        ):
            raise UserMistake(f"{self.name} may not connect to {channel.name}, or it is full")
        await asyncio.sleep(0)

    async def leave(self, guild: Guild) -> None:
        """Leave voice in the guild; nothing happens to one who is not in voice."""
        state = guild.voice_states.get(self.id)
        if state is not None:
            guild_voice.put_down(guild, state)
        await asyncio.sleep(0)

    def _needs(self, channel: Channel, permission: str) -> None:
        guild = self._world.guild_of(channel)
        if guild is not None and not guild.can(self, permission, channel):
            raise UserMistake(f"{self.name} lacks {permission} in #{channel.name}")


def _nested(path: list[str], definition: Payload, filled: list[Payload]) -> list[Payload]:
    """Options wrapped in the subcommands that lead to them."""
    kind = definition["type"]
    for name in reversed(path):
        filled = [{"name": name, "type": kind, "options": filled}]
        kind = 2
    return filled


def _with_values(component: Payload, fields: dict[str, str]) -> Payload:
    """A form's components as they are sent back: with the value of each input."""
    sent: Payload = {key: component[key] for key in ("type", "id", "custom_id") if key in component}
    if "custom_id" in component:
        value = fields.get(component["custom_id"], component.get("value", ""))
        if component.get("required", True) and not value:
            raise UserMistake(f"the form needs {component['custom_id']!r}")
        sent["value"] = value
    if "components" in component:
        sent["components"] = [_with_values(one, fields) for one in component["components"]]
    if "component" in component:
        sent["component"] = _with_values(component["component"], fields)
    return sent
