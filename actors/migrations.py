"""How a part's state of each older version becomes one of the next version.

A step is given the name of the part and its state, and returns the state in the next layout. Steps are never
changed once they were released: what an old program wrote does not change either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[str, dict[str, Any]], dict[str, Any]]


def _to_2(part: str, state: dict[str, Any]) -> dict[str, Any]:
    """The connection remembers how it has fared, and what it may do by itself."""
    if part != "connection":
        return state
    return {
        "boot": state.get("boot"),
        "channel_id": state.get("channel_id"),
        "home_id": state.get("home_id"),
        "text_channel_id": state.get("text_channel_id"),
        "override": False,
        "health": {},
        "recovery": state.get("recovery"),
    }


STEPS: Final[tuple[Step, ...]] = (_to_2,)
"""From version 1 to 2, from 2 to 3, and so on."""
