"""What Discord and administrators do to the bot's place in voice: another server, another channel, none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from loopback.faults.log import Fault, FaultKind
from loopback.voice.protocol import CloseCode
from loopback.world.channels import VoiceChannel

if TYPE_CHECKING:
    from loopback.faults.scope import Scope
    from loopback.world.guild import Guild


class PlaceFaults:
    """For the guilds of a scope in which the bot is in voice. `code` closes the websocket with it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def move_server(self, *, code: int | None = None, null_for_s: float | None = None) -> Fault:
        """VOICE_SERVER_UPDATE with another endpoint, after the websocket has been closed with `code`.

        With `null_for_s` the update says first that there is no server (endpoint null), and so much later
        which: that is how Discord takes a server down before another one is allocated.
        """
        fault = self._begin(FaultKind.SERVER_MOVED, code)
        for guild in self._scope.affected:
            self._close(guild, code)
            if null_for_s is None:
                guild.renew_voice_server()
            else:
                guild.lose_voice_server()
                self._scope.log.timers.append(
                    asyncio.get_running_loop().call_later(null_for_s, self._renew, guild)
                )
        return fault

    def move(self, to: VoiceChannel | None = None, *, code: int | None = None) -> Fault:
        """An administrator moves the bot; None = into the next voice channel of each guild.

        Raises ValueError if there is no other channel.
        """
        fault = self._begin(FaultKind.MOVED, code)
        for guild in self._scope.affected:
            self._close(guild, code)
            guild.move(self._scope.world.bot, to or _next_channel(guild, self._channel(guild)))
        return fault

    def kick(self, *, code: int = CloseCode.DISCONNECTED) -> Fault:
        """Put the bot out of voice: its state becomes null, the websocket closes with `code`."""
        fault = self._begin(FaultKind.KICKED, code)
        for guild in self._scope.affected:
            guild.disconnect(self._scope.world.bot, code=code)
        return fault

    def delete_channel(self, *, code: int = CloseCode.DISCONNECTED) -> Fault:
        """Delete the channel in which the bot is."""
        fault = self._begin(FaultKind.CHANNEL_DELETED, code)
        for guild in self._scope.affected:
            guild.delete_channel(self._channel(guild), code=code)
        return fault

    def lose_permission(self, *names: str) -> Fault:
        """Deny the bot permissions ("connect", "speak", ...) in its channel until the fault ends.

        Without "connect" it may stay but not come back; without "speak" it is suppressed and not heard.
        """
        denied = [(guild, self._channel(guild)) for guild in self._scope.affected]
        bot = self._scope.world.bot
        before = [replace(channel.overwrite(bot.id, 1)) for _, channel in denied]

        def restore() -> None:
            for (guild, channel), overwrite in zip(denied, before, strict=True):
                if channel.id in guild.channels:
                    channel.overwrites[bot.id] = overwrite
                    guild.permissions_changed(channel)

        fault = self._scope.begin(FaultKind.PERMISSION_LOST, " ".join(names), undo=restore)
        for guild, channel in denied:
            guild.deny(channel, *names)
        return fault

    def _begin(self, kind: FaultKind, code: int | None) -> Fault:
        return self._scope.at_once(kind, "" if code is None else str(int(code)))

    def _close(self, guild: Guild, code: int | None) -> None:
        if code is not None:
            self._scope.voice.close(guild.id, self._scope.bot_id, code)

    def _renew(self, guild: Guild) -> None:
        if guild in self._scope.affected:
            guild.renew_voice_server()

    def _channel(self, guild: Guild) -> VoiceChannel:
        channel = guild.channels[guild.voice_states[self._scope.bot_id].channel_id or 0]
        assert isinstance(channel, VoiceChannel)  # noqa: S101 - nobody is in voice elsewhere
        return channel


def _next_channel(guild: Guild, now: VoiceChannel) -> VoiceChannel:
    voice = [one for one in guild.channels.values() if isinstance(one, VoiceChannel)]
    found = voice[(voice.index(now) + 1) % len(voice)]
    if found is now:
        raise ValueError(f"{guild} has no other voice channel")
    return found
