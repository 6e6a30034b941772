"""The message that ends a watch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._exit import ExitReason


@dataclass(frozen=True, slots=True)
class Terminated:
    """Arrives once for a watched actor or supervisor that has ended for good.

    :ivar reason: why, or None if there was none at that path when the watch began
    """

    path: str
    reason: ExitReason | None
