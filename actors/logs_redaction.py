"""Secrets never reach a log line.

Redaction works on the finished line, so that it does not matter how a secret got there: as a message's
argument, as a field, inside an exception's text or in a traceback.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "[redacted]"
MIN_SECRET_CHARS = 6
"""A shorter secret would hide harmless words; no token is as short."""

_SHAPES = re.compile(
    # A bot token: base64 of the bot's id, a time, a signature (Discord's documents, "Authentication").
    r"[A-Za-z0-9_-]{18,30}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{25,110}"
    # The token of an interaction or of a webhook is a part of its URL.
    r"|(?P<url>/(?:webhooks|interactions)/[0-9]+/)[A-Za-z0-9_.-]{20,}"
)


class Redactor:
    """Hides the given secrets, and whatever has the shape of a Discord token."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({s for s in secrets if len(s) >= MIN_SECRET_CHARS}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, line: str) -> str:
        """The line without secrets."""
        if self._known is not None:
            line = self._known.sub(HIDDEN, line)
        return _SHAPES.sub(lambda found: (found["url"] or "") + HIDDEN, line)
