"""One deed of a monkey, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(Enum):
    """What a monkey does to an actor."""

    #: :meth:`System.kill`; also of supervisors, if the plan says so
    KILL = "kill"
    #: ``Task.cancel()`` of its task, as foreign code does it; trio has no such thing
    CANCEL = "cancel"
    #: it is busy for so long, behind what waits already
    HANG = "hang"
    #: for so long each message takes longer
    SLOW = "slow"
    #: its mailbox is filled up, by its own policy, and the actor is busy for so long
    FLOOD = "flood"
    #: it is killed, and so many of the next starts fail
    FAIL_START = "fail_start"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a monkey did, or could not do.

    :ivar step: its number in the run, from 1
    :ivar at_s: when, in seconds from the beginning of the run
    :ivar path: to whom
    :ivar seconds: for how long it hangs, is slow, or is flooded
    :ivar amount: seconds that are added to each message of a slow one, or starts that fail
    :ivar refused: why it was not done, in one line; None if it was
    """

    step: int
    at_s: float
    fault: Fault
    path: str
    seconds: float = 0.0
    amount: float = 0.0
    refused: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"fault": self.fault.value}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Deed:
        """What :meth:`to_dict` gave.

        :raises TypeError, ValueError: for anything else
        """
        values = dict(plain)
        return cls(**values | {"fault": Fault(values.get("fault"))})
