"""The calls of all guilds: where the bot is in each, and who listens to it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.dave.audience import Audience
from loopback.dave.call import Call
from loopback.dave.sender import ExternalSender

if TYPE_CHECKING:
    from loopback.dave.participant import Participant
    from loopback.listening.listener import Listener

Place = tuple[int, int]
"""Channel, and voice server: each has groups of its own."""


class Calls:
    """One audience a guild: that of the place where the bot is. It is made anew when the bot goes elsewhere.

    ``latency_s`` is the way between voice server and listeners, there and back; ``first_at_once``: see
    :class:`~loopback.dave.call.Call`. :meth:`close` ends all.
    """

    def __init__(self, *, latency_s: float = 0.0, first_at_once: bool = True) -> None:
        self.latency_s = latency_s
        self._first_at_once = first_at_once
        self._audiences: dict[int, tuple[Place, Audience]] = {}
        self._present: dict[int, dict[int, bool]] = {}
        self._ears: dict[int, dict[int, Listener]] = {}

    def close(self) -> None:
        """Stop all timers."""
        for _place, audience in self._audiences.values():
            audience.close()

    def of(self, guild_id: int) -> Audience | None:
        """The audience of the guild, None before the bot has ever been in one of its channels."""
        found = self._audiences.get(guild_id)
        return None if found is None else found[1]

    def participant(self, guild_id: int, user_id: int) -> Participant:
        """A listener who is in the bot's channel. Raises KeyError."""
        return self._audiences[guild_id][1].participants[user_id]

    def listen(self, guild_id: int, user_id: int, listener: Listener) -> None:
        """Record what one user hears himself, from now on."""
        self._ears.setdefault(guild_id, {})[user_id] = listener

    def go(self, guild_id: int, place: Place) -> Audience:
        """The bot is in a place; who is present makes a new group there if it was in another before.

        Those whom it has left behind still hear what is under way.
        """
        found = self._audiences.get(guild_id)
        if found is not None and found[0] == place:
            return found[1]
        if found is not None:
            found[1].close()
        call = Call(ExternalSender(), place[0], first_at_once=self._first_at_once)
        audience = Audience(call, self._ears.setdefault(guild_id, {}))
        self._audiences[guild_id] = place, audience
        for user_id, supports in self._present.get(guild_id, {}).items():
            audience.join(user_id, supports=supports, latency_s=self.latency_s)
        return audience

    def user_joined(self, guild_id: int, user_id: int, *, supports: bool) -> None:
        """A user has come into the bot's channel."""
        self._present.setdefault(guild_id, {})[user_id] = supports
        audience = self.of(guild_id)
        if audience is not None:
            audience.join(user_id, supports=supports, latency_s=self.latency_s)

    def user_left(self, guild_id: int, user_id: int) -> None:
        """A user has left the bot's channel."""
        self._present.get(guild_id, {}).pop(user_id, None)
        audience = self.of(guild_id)
        if audience is not None:
            audience.leave(user_id)
