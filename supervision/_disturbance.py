"""How the monkey of :mod:`supervision.chaos` gets at an actor: by messages that the kernel handles itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._actor import Actor
    from ._gate import Gate


class ChaosError(Exception):
    """A failure that chaos brought about."""


class Disturbance:
    """A message that its actor has in hand for so long and never sees.

    :ivar calm: ends it at once
    """

    __slots__ = ("calm", "seconds")

    def __init__(self, calm: Gate, seconds: float) -> None:
        self.calm = calm
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"Disturbance({self.seconds:.3f} s)"


async def endure(_actor: Actor, disturbance: Disturbance) -> None:
    """The handler of disturbances, of every actor."""
    await disturbance.calm.wait(disturbance.seconds)
