"""The bot's application: its token, its owner, what its invitation asks for."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopback.gateway.intents import APPLICATION_FLAGS, Intent
from loopback.world.model import Payload, User
from loopback.world.permissions import BOT_INVITE, Permission

if TYPE_CHECKING:
    from loopback.world.snowflakes import Snowflakes

SCOPES = ["bot", "applications.commands"]


@dataclass(frozen=True, slots=True)
class Application:
    """The one application of an embedded Discord. Its id is also its bot's, as with every newer
    application.
    """

    bot: User
    owner: User
    token: str
    granted_intents: Intent
    invite_permissions: Permission = BOT_INVITE

    @classmethod
    def create(cls, ids: Snowflakes, granted_intents: Intent) -> Application:
        bot = User(ids.next(), "ostinato", bot=True)
        owner = User(ids.next(), "owner")
        return cls(bot, owner, _bot_token(bot.id), granted_intents)

    @property
    def id(self) -> int:
        return self.bot.id

    @property
    def flags(self) -> int:
        return sum(flag for intent, flag in APPLICATION_FLAGS.items() if intent in self.granted_intents)

    @property
    def invite_url(self) -> str:
        """Where an administrator adds the bot to a guild."""
        permissions = self.invite_permissions.value
        return (
            f"https://discord.com/oauth2/authorize?client_id={self.id}&permissions={permissions}"
            f"&scope={'+'.join(SCOPES)}"
        )

    def partial(self) -> Payload:
        """What READY says."""
        return {"id": str(self.id), "flags": self.flags}

    def payload(self) -> Payload:
        install = {"scopes": SCOPES, "permissions": str(self.invite_permissions.value)}
        return {
            **self.partial(),
            "name": self.bot.name,
            "description": "",
            "summary": "",
            "icon": None,
            "type": None,
            "bot": self.bot.payload(),
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "owner": self.owner.payload(),
            "team": None,
            "tags": [],
            "redirect_uris": [],
            "interactions_endpoint_url": None,
            "role_connections_verification_url": None,
            "install_params": install,
            "integration_types_config": {"0": {"oauth2_install_params": install}},
            "approximate_guild_count": 0,
            "approximate_user_install_count": 0,
        }


def _bot_token(user_id: int) -> str:
    """A token of Discord's form: the user's id, a stamp and a secret, in base64 without padding."""
    owner = base64.urlsafe_b64encode(str(user_id).encode()).decode().rstrip("=")
    return f"{owner}.{secrets.token_urlsafe(4)[:6]}.{secrets.token_urlsafe(28)[:38]}"
