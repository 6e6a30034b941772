"""Reading what people type: positions and numbers."""

from __future__ import annotations

import re

from actors.messages import No

_POSITION = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6})", re.ASCII)

MAX_QUERY = 1000
"""Characters of a query; the longest links of music sites have a few hundred."""


def parse_position(text: str) -> float:
    """Seconds of `ss`, `mm:ss` or `h:mm:ss`.

    :raises No: for anything else
    """
    found = _POSITION.fullmatch(text.strip())
    if found is None:
        raise No("That is no position. Write it as minutes and seconds, for example 1:30.")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    parts = sum(part is not None for part in found.groups())
    if (parts > 1 and seconds > 59) or (parts > 2 and minutes > 59):
        raise No("That is no position: seconds and minutes go up to 59, for example 1:30.")
    return float(hours * 3600 + minutes * 60 + seconds)


def parse_query(text: str) -> str:
    """The query in one line; `<link>` is a link whose preview somebody suppressed.

    :raises No: if nothing is left, or too much
    """
    query = " ".join(text.split())
    if query.startswith("<") and query.endswith(">"):
        query = query[1:-1]
    if not query:
        raise No("Say what to play: a link, or words to search for.")
    if len(query) > MAX_QUERY:
        raise No(f"That is too long: at most {MAX_QUERY} characters.")
    return query
