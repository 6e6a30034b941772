"""Routes of the bot's account, of other users, of the application and of the gateway's address."""

from __future__ import annotations

from typing import Any

from loopback.errors import unknown
from loopback.rest.call import Call, Route

GATEWAY_URL = "wss://gateway.discord.gg"


async def me(call: Call) -> Any:
    return call.world.bot.own_payload()


async def user(call: Call) -> Any:
    return call.user().payload()


async def my_guilds(call: Call) -> Any:
    bits = str(call.world.application.invite_permissions.value)
    return [
        {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "banner": None,
            "owner": False,
            "permissions": bits,
            "features": [],
        }
        for guild in call.world.guilds.values()
    ]


async def leave_guild(call: Call) -> Any:
    call.guild().remove_member(call.world.bot)


async def open_direct_channel(call: Call) -> Any:
    found = call.world.users.get(int(call.fields["recipient_id"]))
    if found is None:
        raise unknown("User")
    return call.world.direct_channel(found).payload()


async def application(call: Call) -> Any:
    payload = call.world.application.payload()
    return payload | {"approximate_guild_count": len(call.world.guilds)}


async def application_emojis(call: Call) -> Any:
    call.application()
    return {"items": []}


async def gateway(_call: Call) -> Any:
    return {"url": GATEWAY_URL}


async def gateway_bot(call: Call) -> Any:
    concurrency = call.world.settings.max_concurrency
    start_limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": concurrency}
    return {
        "url": GATEWAY_URL,
        "shards": call.world.settings.recommended_shards,
        "session_start_limit": start_limit,
    }


async def voice_regions(_call: Call) -> Any:
    return [{"id": "loopback", "name": "Loopback", "optimal": True, "deprecated": False, "custom": False}]


ROUTES = (
    Route("GET", "/users/@me", me),
    Route("GET", "/users/@me/guilds", my_guilds),
    Route("DELETE", "/users/@me/guilds/{guild_id}", leave_guild),
    Route("POST", "/users/@me/channels", open_direct_channel),
    Route("GET", "/users/{user_id}", user),
    Route("GET", "/oauth2/applications/@me", application),
    Route("GET", "/applications/@me", application),
    Route("GET", "/applications/{application_id}/emojis", application_emojis),
    Route("GET", "/gateway", gateway, public=True),
    Route("GET", "/gateway/bot", gateway_bot),
    Route("GET", "/voice/regions", voice_regions),
)
