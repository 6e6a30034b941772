"""Getting on the stage: in a stage channel the bot begins in the audience, where nobody hears it."""

from __future__ import annotations

from enum import Enum

import discord
import structlog

_log = structlog.get_logger("ostinato.voice")


class Place(Enum):
    """Where in a stage channel the bot ended up."""

    ON_STAGE = "on stage"
    HAND_RAISED = "in the audience, with its hand raised"
    AUDIENCE = "in the audience"


async def take_the_stage(me: discord.Member) -> Place:
    """Go on the stage, which needs Mute Members; without it ask a moderator, which needs Request to Speak."""
    try:
        await me.edit(suppress=False)
    except discord.HTTPException as error:
        _log.info("not_on_stage", guild_id=me.guild.id, error=str(error))
    else:
        return Place.ON_STAGE
    try:
        await me.request_to_speak()
    except (discord.HTTPException, discord.ClientException) as error:
        _log.info("hand_not_raised", guild_id=me.guild.id, error=str(error))
        return Place.AUDIENCE
    return Place.HAND_RAISED
