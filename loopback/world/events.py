"""What the embedded Discord tells its gateway sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopback.gateway.intents import EVENT_INTENTS, Intent

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.world.model import Payload


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatch. `bare` is what a session without the message content intent gets instead of `data`.

    `session_id` names the only session that gets it; `about_bot` marks a change of the bot's own member,
    which needs no intent; `made_for` makes the payload for the intents of each session instead of `data`.
    """

    name: str
    data: Payload
    guild_id: int | None = None
    bare: Payload | None = None
    about_bot: bool = False
    session_id: str | None = None
    made_for: Callable[[Intent], Payload] | None = None

    @property
    def needs(self) -> Intent:
        """The intent a session must have asked for; 0 if none."""
        in_guild, direct = EVENT_INTENTS.get(self.name, (Intent(0), Intent(0)))
        if self.about_bot and self.name == "GUILD_MEMBER_UPDATE":
            return Intent(0)
        return direct if self.guild_id is None else in_guild

    def seen_with(self, intents: Intent) -> Payload | None:
        """The payload for a session with these intents, or None when it may not have the event."""
        if self.needs & ~intents:
            return None
        if self.made_for is not None:
            return self.made_for(intents)
        if self.bare is not None and Intent.MESSAGE_CONTENT not in intents:
            return self.bare
        return self.data
