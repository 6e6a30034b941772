"""The pause that a server asks for (Retry-After: RFC 9110, 10.2.3)."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from .errors import ErrorKind, MediaError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

LONGEST_S: Final = 20.0


def asked_wait_s(response: BaseHTTPResponse) -> float:
    """Seconds to wait; 0 if it says nothing. Raises MediaError if nobody can wait so long."""
    stated = response.headers.get("Retry-After", "").strip()
    try:
        wait_s = (
            float(stated) if stated.isdecimal() else parsedate_to_datetime(stated).timestamp() - time.time()
        )
    except (TypeError, ValueError, OverflowError):
        return 0.0
    if wait_s > LONGEST_S:
        text = f"The media server asks to wait for {wait_s:.0f} s (status {response.status})."
        raise MediaError(ErrorKind.UNAVAILABLE, text, retryable=True)
    return max(0.0, wait_s)


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()
