"""HTML and SVG as text that is right by construction: whatever is no markup already is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_VOID: Final = frozenset({"meta", "br"})
"""Elements of HTML that have no end."""

_SHOWN_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160), 65534, 65535), " ")
"""What XML does not allow in text."""


class Markup(str):
    """Text that is markup."""

    __slots__ = ()


def el(name: str, /, *content: str | float | None, **attributes: str | float | None) -> Markup:
    """An element. Names of attributes have `_` for `-`, and one at their end where Python has a keyword.

    :param content: markup as it is, other text escaped; None is nothing
    :param attributes: None leaves one out
    """
    opened = "".join((name, *_attributes(attributes)))
    if name in _VOID:
        return Markup(f"<{opened} />")
    return Markup(f"<{opened}>{''.join(map(_text, content))}</{name}>")


def many(*content: str | float | None) -> Markup:
    """One after the other."""
    return Markup("".join(map(_text, content)))


def _attributes(attributes: dict[str, str | float | None]) -> Iterator[str]:
    for name, value in attributes.items():
        if value is not None:
            yield f' {name.rstrip("_").replace("_", "-")}="{_escaped(value)}"'


def _text(content: str | float | None) -> str:
    if content is None:
        return ""
    return content if isinstance(content, Markup) else _escaped(content)


def _escaped(value: str | float) -> str:
    """Numbers with two decimals at most: a page has thousands of them."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return escape(_valid(str(value)))


def _valid(text: str) -> str:
    """Without control characters, and without halves of characters."""
    return text.translate(_SHOWN_CONTROLS).encode("utf-8", "replace").decode("utf-8")
