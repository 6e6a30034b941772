"""Checks at Discord: the token, the application's intents, the bot's permissions, the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from actors.doctor.report import Finding, fail, note, ok, warn
from actors.network import make_connector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.settings import Settings

API = "https://discord.com/api/v10"
TIMEOUT_S = 10.0
MAX_SKEW_S = 60.0

_MESSAGE_CONTENT = 1 << 18 | 1 << 19
"""Application flags GATEWAY_MESSAGE_CONTENT, and _LIMITED for bots in fewer than 100 guilds."""
_ADMINISTRATOR = 1 << 3
PERMISSIONS = {
    "View Channels": 1 << 10,
    "Send Messages": 1 << 11,
    "Embed Links": 1 << 14,
    "Read Message History": 1 << 16,
    "Connect": 1 << 20,
    "Speak": 1 << 21,
}
"""What the bot needs in a guild, as bits of Discord's permission integer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Discord answered: status, body (decoded JSON or None), and its clock less ours in seconds."""

    status: int
    body: Any
    skew_s: float | None


def invite_url(application_id: int | str) -> str:
    """The link with which somebody adds the bot to a guild."""
    wanted = sum(PERMISSIONS.values())
    return (
        f"https://discord.com/oauth2/authorize?client_id={application_id}"
        f"&scope=bot+applications.commands&permissions={wanted}"
    )


async def check_discord(settings: Settings) -> list[Finding]:
    """All checks that need Discord; without a token or a network, that is the only finding."""
    if not settings.token:
        todo = "make a bot at https://discord.com/developers/applications and set DISCORD_TOKEN to its token"
        return [fail("token", "DISCORD_TOKEN is not set", todo)]
    try:
        return await _ask_all(settings)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        what = f"Discord cannot be reached: {str(error) or type(error).__name__}"
        return [fail("network", what, "check the network, DNS and firewall; the token was not checked")]


async def _ask_all(settings: Settings) -> list[Finding]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    headers = {"Authorization": f"Bot {settings.token}", "User-Agent": "DiscordBot (Ostinato doctor, 1)"}
    async with aiohttp.ClientSession(
        connector=make_connector(settings), timeout=timeout, headers=headers
    ) as session:
        me = await _get(session, "/users/@me")
        findings = [check_token(me), *check_skew(me)]
        if me.status == 200:
            findings += check_application(await _get(session, "/oauth2/applications/@me"))
            findings.append(check_permissions(await _get(session, "/users/@me/guilds")))
    return findings


async def _get(session: aiohttp.ClientSession, path: str) -> Answer:
    async with session.get(API + path) as response:
        try:
            body = await response.json(content_type=None)
        except ValueError:
            body = None
        return Answer(response.status, body, _skew_s(response.headers.get("Date")))


def check_token(me: Answer) -> Finding:
    """Whether Discord knows the token."""
    if me.status == 401:
        todo = "reset it on the Bot page of your application and set DISCORD_TOKEN to the new one"
        return fail("token", "Discord does not accept the token", todo)
    if me.status != 200 or not isinstance(me.body, dict):
        return fail("token", f"Discord answered with status {me.status}", "try again later")
    return ok("token", f"belongs to {me.body.get('username', '?')} ({me.body.get('id', '?')})")


def check_skew(me: Answer) -> Iterator[Finding]:
    """Whether this machine's clock agrees with Discord's."""
    if me.skew_s is not None and abs(me.skew_s) > MAX_SKEW_S:
        yield warn("clock at Discord", f"ours is {-me.skew_s:+.0f} s off", "start time synchronisation")


def check_application(application: Answer) -> Iterator[Finding]:
    """The message content intent, without which text commands are empty, and how to invite the bot."""
    if application.status != 200 or not isinstance(application.body, dict):
        yield warn("intents", f"Discord answered with status {application.status}", "try again later")
        return
    if int(application.body.get("flags") or 0) & _MESSAGE_CONTENT:
        yield ok("intents", "message content is enabled")
    else:
        todo = "enable 'Message Content Intent' on the Bot page of your application, then start the bot"
        yield fail("intents", "message content is not enabled", todo)
    yield note("invite", "the link is below", link=invite_url(application.body.get("id", "")))


def check_permissions(guilds: Answer) -> Finding:
    """What the bot's roles lack in its guilds; single channels may still forbid more."""
    if guilds.status != 200 or not isinstance(guilds.body, list):
        return warn("permissions", f"Discord answered with status {guilds.status}", "try again later")
    lacking = {str(guild.get("name")): missing for guild in guilds.body if (missing := _missing(guild))}
    if lacking:
        what = "; ".join(f"{name}: {', '.join(missing)}" for name, missing in lacking.items())
        return warn("permissions", f"missing in {what}", "give them to the bot's role, or invite it again")
    if not guilds.body:
        return note("permissions", "the bot is in no guild yet", "open the invite link")
    return ok("permissions", f"all that is needed, in {len(guilds.body)} guilds")


def _missing(guild: dict[str, Any]) -> list[str]:
    granted = int(guild.get("permissions") or 0)
    if guild.get("owner") or granted & _ADMINISTRATOR:
        return []
    return [name for name, bit in PERMISSIONS.items() if not granted & bit]


def _skew_s(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time() if date else None
    except ValueError:
        return None
