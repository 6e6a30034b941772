"""What a tree is made of, as data: the specs of children, supervisors and mailboxes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from ._backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ._actor import Actor


class Strategy(Enum):
    """Who is restarted when one child ends (OTP's names)."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class Restart(Enum):
    """Whether a child that ended comes back (OTP's names)."""

    #: always
    PERMANENT = "permanent"
    #: after a crash or a kill only
    TRANSIENT = "transient"
    #: never; it is forgotten once it has ended
    TEMPORARY = "temporary"


class AutoShutdown(Enum):
    """Whether a supervisor ends when significant children have ended by themselves (OTP's names)."""

    #: no child may be significant
    NEVER = "never"
    #: with the first of them
    ANY_SIGNIFICANT = "any_significant"
    #: with the last of them
    ALL_SIGNIFICANT = "all_significant"


class Overflow(Enum):
    """What a full mailbox does with one message more."""

    #: ``tell`` and ``ask`` raise :class:`MailboxFull`
    REJECT = "reject"
    #: the oldest waiting message gives way
    DROP_OLDEST = "drop_oldest"
    #: the new message is dropped
    DROP_NEWEST = "drop_newest"
    #: a message takes the place of a waiting one with the same key, at the end of the queue;
    #: a mailbox full of distinct keys rejects
    CONFLATE = "conflate"


@dataclass(frozen=True, slots=True)
class MailboxSpec:
    """A bounded mailbox.

    :ivar capacity: messages that may wait; the one in hand does not count
    :ivar key: for :attr:`Overflow.CONFLATE`: the key of a message, ``None`` for "never conflated"
    :ivar stash: messages that the actor may put aside, on top of the capacity
    """

    capacity: int = 64
    overflow: Overflow = Overflow.REJECT
    key: Callable[[object], Hashable | None] | None = None
    stash: int = 64

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {self.capacity}")
        if (self.key is not None) != (self.overflow is Overflow.CONFLATE):
            raise ValueError("key belongs to Overflow.CONFLATE, and that needs it")


@dataclass(frozen=True, slots=True)
class Intensity:
    """The supervisor gives up when more than ``restarts`` failures fall within ``period_s`` seconds."""

    restarts: int = 5
    period_s: float = 10.0


# Frozen, hence shared: thousands of children are specified by their id and their start alone.
_MAILBOX, _INTENSITY, _BACKOFF = MailboxSpec(), Intensity(), Backoff()


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child of a supervisor.

    :ivar id: unique among its siblings; a part of the path, hence not empty and without ``/``
    :ivar start: makes a fresh actor for every incarnation, or the spec of a supervisor
    :ivar start_timeout_s: how long ``on_start`` may take (actors only)
    :ivar shutdown_timeout_s: how long the last handler and ``on_stop`` may take (actors only:
        a supervisor takes as long as its children, each of which is bounded)
    :ivar name: held in the system's registry while this child lives; no other may have it then
    :ivar slow_after_s: a handler that takes longer is told as :class:`SlowHandler` while it still runs;
        None for never (actors only)
    :ivar hand_over: whether a failed incarnation may give its successor a snapshot, see
        :meth:`Actor.snapshot` (actors only)
    :ivar significant: its end may end its supervisor, see :class:`AutoShutdown`
    :raises ValueError: for an id that is no part of a path, a ``slow_after_s`` that is not positive, or a
        permanent child that is significant
    """

    id: str
    start: Callable[[], Actor] | SupervisorSpec | DynamicSupervisorSpec
    restart: Restart = Restart.PERMANENT
    start_timeout_s: float = 5.0
    shutdown_timeout_s: float = 5.0
    mailbox: MailboxSpec = _MAILBOX
    backoff: Backoff = _BACKOFF
    name: str | None = None
    slow_after_s: float | None = None
    hand_over: bool = False
    significant: bool = False

    def __post_init__(self) -> None:
        if not self.id or "/" in self.id:
            raise ValueError(f"an id must not be empty nor contain '/': {self.id!r}")
        if self.slow_after_s is not None and not self.slow_after_s > 0:
            raise ValueError(f"slow_after_s must be more than 0, not {self.slow_after_s}")
        if self.significant and self.restart is Restart.PERMANENT:
            raise ValueError(f"{self.id!r} cannot be significant: a permanent child never ends by itself")


@dataclass(frozen=True, slots=True)
class SupervisorSpec:
    """A supervisor with fixed children, started in this order and stopped in reverse.

    :raises ValueError: if two have one id, or one is significant though auto_shutdown is never
    """

    children: tuple[ChildSpec, ...]
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = _INTENSITY
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER

    def __post_init__(self) -> None:
        ids = [child.id for child in self.children]
        if len(set(ids)) != len(ids):
            raise ValueError(f"ids of siblings must differ: {ids}")
        for child in self.children:
            check_significance(child, self.auto_shutdown)


@dataclass(frozen=True, slots=True)
class DynamicSupervisorSpec:
    """A supervisor that starts empty and is given children; one_for_one among them.

    Its children know nothing of each other, so they start and stop side by side (signalled in
    reverse order of start); ``ordered_shutdown`` waits for each before the next. A restart of the
    supervisor itself starts empty again (both as OTP).
    """

    intensity: Intensity = _INTENSITY
    max_children: int | None = None
    ordered_shutdown: bool = False
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER


#: What a child that is no actor starts from. A tuple made once: ``A | B`` in a check is made anew each time.
SUPERVISORS: Final = (SupervisorSpec, DynamicSupervisorSpec)


def check_significance(child: ChildSpec, auto_shutdown: AutoShutdown) -> None:
    """A flag that nobody would heed is a mistake (as in OTP).

    :raises ValueError: if the child is significant and its supervisor's auto_shutdown is never
    """
    if child.significant and auto_shutdown is AutoShutdown.NEVER:
        raise ValueError(f"{child.id!r} is significant, but auto_shutdown of its supervisor is never")
