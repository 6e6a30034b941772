"""yt-dlp's exceptions as errors with a kind, a sentence for a person, and whether another try may help."""

from __future__ import annotations

import re

from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import ExtractorError, GeoRestrictedError, UnsupportedError

from .errors import ErrorKind, MediaError, causes
from .guard import refusal

_PREFIX = re.compile(r"^(?:ERROR:\s*)?(?:\[[^\]]{1,60}\]\s*)?(?:[\w-]{1,40}:\s+)?")
_ADVICE = re.compile(
    r"(?:;?\s*please report this issue|\. Confirm you are on the latest|\s*\(caused by|\. Use --).*",
    re.DOTALL | re.IGNORECASE,
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def explain(error: BaseException) -> MediaError:
    """The MediaError for what an extraction raised."""
    if (refused := refusal(error)) is not None:
        return refused
    if "Requested format is not available" in str(error):
        return _unsupported(error)
    chain = list(causes(error))
    for kind, rule in _RULES:
        if (found := next((item for item in chain if isinstance(item, kind)), None)) is not None:
            return rule(found)
    return MediaError(ErrorKind.UNAVAILABLE, _text(error), retryable=True)


def _media(error: MediaError) -> MediaError:
    return error


def _unsupported(error: BaseException) -> MediaError:
    return MediaError(ErrorKind.NOT_AUDIO, "There is no audio behind this link that can be played.")


def _geo(error: BaseException) -> MediaError:
    return MediaError(ErrorKind.UNAVAILABLE, "This is not available in the country where the bot runs.")


def _http(error: HTTPError) -> MediaError:
    if error.status in {404, 410}:
        return MediaError(ErrorKind.NOT_FOUND, f"There is nothing behind this link (status {error.status}).")
    retryable = error.status >= 500 or error.status in {403, 408, 429}
    return MediaError(
        ErrorKind.UNAVAILABLE, f"The site refuses (status {error.status}).", retryable=retryable
    )


def _transport(error: BaseException) -> MediaError:
    return MediaError(ErrorKind.UNAVAILABLE, "The site cannot be reached.", retryable=True)


def _extractor(error: ExtractorError) -> MediaError:
    return MediaError(ErrorKind.UNAVAILABLE, _text(error), retryable=not error.expected)


def _text(error: BaseException) -> str:
    """What the site or yt-dlp says, without the parts that are meant for its command line."""
    text = _ADVICE.sub("", _PREFIX.sub("", _COLOUR.sub("", str(error)))).strip()
    return text or "This could not be read."


_RULES = (
    (MediaError, _media),
    (UnsupportedError, _unsupported),
    (GeoRestrictedError, _geo),
    (HTTPError, _http),
    (TransportError, _transport),
    (ExtractorError, _extractor),
)
