"""Faults that Discord itself makes: another voice server, another channel, no channel at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.faults.log import Fault, FaultKind

if TYPE_CHECKING:
    from loopback.faults.scope import Scope


class PlaceFaults:
    """What Discord and administrators do to the bot's place in voice, for the guilds of a scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def move_server(self, *, code: int | None = None) -> Fault:
        """VOICE_SERVER_UPDATE with another endpoint; with a `code`, the websocket is closed before it."""
        fault = self._scope.at_once(FaultKind.SERVER_MOVED, "" if code is None else str(int(code)))
        for guild in self._scope.affected:
            if code is not None:
                self._scope.voice.close(guild.id, self._scope.bot_id, code)
            guild.renew_voice_server()
        return fault
