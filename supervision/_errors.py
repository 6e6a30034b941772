"""Every error the kernel raises, and the expected "no" an actor may answer with."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An expected "no": a handler raises it, the asker receives it, the actor lives on."""


class SupervisionError(Exception):
    """Base of the kernel's own errors. A :class:`Refusal` is none of them."""


class MailboxFull(SupervisionError):  # noqa: N818 - OTP and Akka name states, not "errors"
    """The mailbox has no room and its policy is to reject."""


class MessageDropped(SupervisionError):  # noqa: N818
    """The mailbox dropped this request to make room, or a newer one with its key replaced it."""


class StashFull(SupervisionError):  # noqa: N818
    """The actor has put as many messages aside as its mailbox spec allows."""


class ActorStopped(SupervisionError):  # noqa: N818
    """No such actor lives at that path: never started, ended, or below a supervisor that is down."""


class ActorCrashed(SupervisionError):  # noqa: N818
    """The actor crashed or was killed while it handled this request."""


class AskTimeout(SupervisionError):  # noqa: N818
    """No answer within the asker's timeout. Not a ``TimeoutError``: a handler's own must stay distinct."""


class AskCycle(SupervisionError):  # noqa: N818
    """This ask would wait, directly or through others, for the actor that asks."""


class NotAnActor(SupervisionError):  # noqa: N818
    """A message was sent to a supervisor."""


class NotASupervisor(SupervisionError):  # noqa: N818
    """An actor was treated as a supervisor."""


class StartTimeout(SupervisionError):  # noqa: N818
    """``on_start`` did not return within the child's ``start_timeout_s``."""


class StartFailed(SupervisionError):  # noqa: N818
    """A child ended while it started, without an error of its own (it was killed)."""


class ChildExists(SupervisionError):  # noqa: N818
    """The supervisor has a child of that id already."""


class ChildNotFound(SupervisionError):  # noqa: N818
    """The supervisor has no child of that id."""


class ChildRunning(SupervisionError):  # noqa: N818
    """Only a stopped child can be restarted or deleted, and this one is up, coming up or going down."""


class ChildRestarting(SupervisionError):  # noqa: N818
    """Only a stopped child can be restarted or deleted, and this one waits for its restart."""


class NameTaken(SupervisionError):  # noqa: N818
    """Another actor or supervisor holds that name."""


class NameNotFound(SupervisionError):  # noqa: N818
    """Nobody holds that name."""


class TooManyChildren(SupervisionError):  # noqa: N818
    """The dynamic supervisor has ``max_children`` children."""


class RestartIntensityExceeded(SupervisionError):  # noqa: N818
    """A supervisor gave up: more failures than its intensity allows."""


class EscalationError(SupervisionError):
    """The root supervisor gave up; the message says why."""


class ForeignCancelled(SupervisionError):  # noqa: N818
    """Third-party code run by :func:`run_foreign` was cancelled by somebody else."""
