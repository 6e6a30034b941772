"""Tells an internet radio from a file: both are one answer over HTTP, and yt-dlp takes both for a file.

A radio's answer states no length, knows no ranges, and has headers of Icecast's and SHOUTcast's, whose names
begin with ``icy-``. All three are asked for: an answer without a length alone may as well be a file that is
made while it is sent, which would be played again and again if it were taken for a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import urllib3

from .errors import MediaError
from .requester import Address, Requester
from .text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S: Final = 5.0
_MAX_NAME: Final = 200
_SIGN, _NAME = "icy-", "icy-name"
_SOUND: Final = ("audio/", "application/ogg")


def radio_name(address: Address) -> str | None:
    """What the station calls itself, perhaps nothing; None if this is no radio, or does not answer."""
    requester = Requester(address, timeout_s=TIMEOUT_S)
    try:
        response = requester.get(0, 1)
        try:
            return _name(response.headers) if response.status == 200 and _is_radio(response.headers) else None
        finally:
            response.close()
    except (MediaError, urllib3.exceptions.HTTPError, OSError):
        return None  # whoever plays it will see
    finally:
        requester.close()


def _is_radio(headers: Mapping[str, str]) -> bool:
    names = {name.lower() for name in headers}
    is_sound = headers.get("Content-Type", "").lower().startswith(_SOUND)
    has_ranges = headers.get("Accept-Ranges", "none").lower() != "none"
    has_sign = any(name.startswith(_SIGN) for name in names)
    return is_sound and has_sign and not has_ranges and "content-length" not in names


def _name(headers: Mapping[str, str]) -> str:
    """Headers are read as Latin-1 (RFC 9110, 5.5); most stations mean UTF-8."""
    name = headers.get(_NAME, "")[: 4 * _MAX_NAME]
    try:
        name = name.encode("latin-1").decode()
    except UnicodeError:
        pass  # it is Latin-1
    return clean(name, _MAX_NAME)
