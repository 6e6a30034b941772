"""What strangers write, made fit for a chat, a log and a pipe."""

from __future__ import annotations

import unicodedata

# Control, format (direction overrides, joiners), surrogate and unassigned characters. A zero-width joiner
# alone is kept: many emoji are put together with it.
_DROPPED = {"Cc", "Cf", "Cs", "Cn"}
_KEPT = {"\u200d"}
_LOOKED_AT = 4  # times the bound: enough for a text that is mostly blanks, and no work for a huge one


def clean(value: object, bound: int) -> str:
    """One line of at most `bound` characters, without those that nobody sees; perhaps empty."""
    text = str(value)[: bound * _LOOKED_AT]
    return "".join(filter(_visible, " ".join(text.split())))[:bound].strip()


def _visible(character: str) -> bool:
    return character in _KEPT or unicodedata.category(character) not in _DROPPED
