"""What ``ostinato health`` asks the running bot: for Docker, and for anybody with a terminal."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actors.settings import Address

TIMEOUT_S: Final = 4.0
_MOST_BYTES: Final = 1 << 20


def ask_health(address: Address) -> tuple[bool, str]:
    """Whether the bot is well, and one line about it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows no local address
    try:
        with opener.open(f"http://{address}/healthz", timeout=TIMEOUT_S) as answer:
            return True, _words(answer.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        return False, _words(error.read(_MOST_BYTES))
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        return False, f"nobody answers at {address}: {reason}"


def _words(body: bytes) -> str:
    try:
        health = json.loads(body)
        unheard = health["unheard"]
        ready = "ready" if health["ready"] else "not ready for commands"
        well = bool(health["well"])
        waiting = ", ".join(f"{guild} ({age:g} s)" for guild, age in unheard.items())
    except (ValueError, TypeError, KeyError, AttributeError):
        return "the answer is not that of a bot's health"
    if well:
        return f"well, {ready}"
    return f"unwell: no music for {waiting}" if waiting else "unwell: the clock of the streams is down"
