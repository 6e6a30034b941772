"""A guild as REST and GUILD_CREATE show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.gateway.intents import Intent

if TYPE_CHECKING:
    from loopback.world.guild import Guild
    from loopback.world.model import Payload

LARGE = 250
"""Above this many members, offline ones are not listed in GUILD_CREATE (IDENTIFY's large_threshold)."""


def guild_payload(guild: Guild) -> Payload:
    """The guild with its roles, as GET /guilds/{id} answers."""
    return {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner.id),
        "roles": [role.payload() for role in guild.roles.values()],
        **_CONSTANTS,
    }


def guild_create_payload(guild: Guild, intents: Intent) -> Payload:
    """The guild with channels, members and voice states, as far as the session's intents go."""
    has_voice = Intent.GUILD_VOICE_STATES in intents
    states = [state.bare() for state in guild.voice_states.values()] if has_voice else []
    return {
        **guild_payload(guild),
        "joined_at": guild.members[guild.world.bot.id].joined_at,
        "large": len(guild.members) > LARGE,
        "unavailable": False,
        "member_count": len(guild.members),
        "voice_states": states,
        "members": [
            member.payload() for member in guild.members.values() if _listed(guild, member.user.id, intents)
        ],
        "channels": [channel.payload() for channel in guild.channels.values()],
        "threads": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def _listed(guild: Guild, user_id: int, intents: Intent) -> bool:
    """Without the presence intent only the bot and those in voice are listed (documentation, "Guild
    Create").
    """
    return Intent.GUILD_PRESENCES in intents or user_id == guild.world.bot.id or user_id in guild.voice_states


_CONSTANTS: Payload = {
    "icon": None,
    "splash": None,
    "discovery_splash": None,
    "banner": None,
    "description": None,
    "features": [],
    "emojis": [],
    "stickers": [],
    "afk_channel_id": None,
    "afk_timeout": 300,
    "application_id": None,
    "default_message_notifications": 1,
    "explicit_content_filter": 0,
    "max_members": 500_000,
    "max_presences": None,
    "max_video_channel_users": 25,
    "mfa_level": 0,
    "nsfw": False,
    "nsfw_level": 0,
    "preferred_locale": "en-US",
    "premium_progress_bar_enabled": False,
    "premium_subscription_count": 0,
    "premium_tier": 0,
    "public_updates_channel_id": None,
    "rules_channel_id": None,
    "safety_alerts_channel_id": None,
    "system_channel_flags": 0,
    "system_channel_id": None,
    "vanity_url_code": None,
    "verification_level": 0,
    "widget_channel_id": None,
    "widget_enabled": False,
}
