"""Tells whoever runs the bot: always the log, and a webhook or a channel of Discord if one is set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp
import anyio
import structlog

from actors.discord_port import PostError
from supervision import Actor, handles

from .rules import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.discord_port import Port

WEBHOOK_S: Final = 10.0
TRIES: Final = 3
AGAIN_S: Final = 5.0
"""After a try that failed, times the number of tries."""

log = structlog.get_logger(__name__)


class Alerts(Actor):
    """Takes `Change` messages; a mailbox that drops its oldest keeps a storm of them bounded."""

    def __init__(
        self,
        port: Port,
        connector: Callable[[], aiohttp.BaseConnector],
        *,
        webhook: str | None = None,
        channel_id: int | None = None,
    ) -> None:
        """
        :param webhook: address in Discord's form (also Mattermost's and others'); it is a secret
        :param connector: as for all connections to Discord
        """
        self._port = port
        self._connector = connector
        self._webhook = webhook
        self._channel_id = channel_id

    @handles(Change)
    async def changed(self, change: Change) -> None:
        """One alert, raised or over."""
        words = text_of(change)
        tell = log.error if change.raised else log.info
        tell("alert_raised" if change.raised else "alert_over", alert=change.rule.name, problem=change.words)
        if self._channel_id is not None:
            await self._post(self._channel_id, words)
        if self._webhook is not None:
            await self._call(self._webhook, words)

    async def _post(self, channel_id: int, words: str) -> None:
        try:
            await self._port.post(channel_id, text=words)
        except PostError as error:
            log.warning("alert_not_posted", channel_id=channel_id, error=str(error))

    async def _call(self, webhook: str, words: str) -> None:
        for number in range(1, TRIES + 1):
            problem = await self._try(webhook, words)
            if problem is None:
                return
            await anyio.sleep(AGAIN_S * number)
        log.warning("alert_webhook_failed", error=problem)

    async def _try(self, webhook: str, words: str) -> str | None:
        """The problem, which never holds the address."""
        body = {"content": words, "username": "Ostinato", "allowed_mentions": {"parse": []}}
        limit = aiohttp.ClientTimeout(total=WEBHOOK_S)
        try:
            async with (
                aiohttp.ClientSession(connector=self._connector(), timeout=limit) as session,
                session.post(webhook, json=body, allow_redirects=False) as answer,
            ):
                return None if answer.status < 300 else f"status {answer.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return type(error).__name__


def text_of(change: Change) -> str:
    """In a sentence or two."""
    if not change.raised:
        return f"Over: {change.rule.name}. Now {change.words}."
    words = change.words[:1].upper() + change.words[1:]
    return f"Alert: {change.rule.name}. {words}. What to do: {change.rule.advice}."
