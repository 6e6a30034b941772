"""Supervised actors on anyio: OTP's supervision for asyncio and trio.

Start at :func:`open_system`. The rules, each with its reason and its test, stand in README.md.
(Not to be confused with the computer vision package of the same import name.)
"""

from __future__ import annotations

from ._actor import Actor as Actor
from ._actor import Request as Request
from ._actor import handles as handles
from ._backoff import Backoff as Backoff
from ._context import Context as Context
from ._errors import ActorCrashed as ActorCrashed
from ._errors import ActorStopped as ActorStopped
from ._errors import AskCycle as AskCycle
from ._errors import AskTimeout as AskTimeout
from ._errors import ChildExists as ChildExists
from ._errors import ChildNotFound as ChildNotFound
from ._errors import EscalationError as EscalationError
from ._errors import ForeignCancelled as ForeignCancelled
from ._errors import MailboxFull as MailboxFull
from ._errors import MessageDropped as MessageDropped
from ._errors import NotAnActor as NotAnActor
from ._errors import Refusal as Refusal
from ._errors import RestartIntensityExceeded as RestartIntensityExceeded
from ._errors import StartFailed as StartFailed
from ._errors import StartTimeout as StartTimeout
from ._errors import SupervisionError as SupervisionError
from ._errors import TooManyChildren as TooManyChildren
from ._events import ChildAdded as ChildAdded
from ._events import ChildExited as ChildExited
from ._events import ChildStarted as ChildStarted
from ._events import ChildStopped as ChildStopped
from ._events import DeadLetter as DeadLetter
from ._events import Event as Event
from ._events import EventStream as EventStream
from ._events import IntensityExceeded as IntensityExceeded
from ._events import Overflowed as Overflowed
from ._events import RestartScheduled as RestartScheduled
from ._events import ShutdownTimeout as ShutdownTimeout
from ._exit import Crashed as Crashed
from ._exit import ExitReason as ExitReason
from ._exit import Killed as Killed
from ._exit import Normal as Normal
from ._exit import Shutdown as Shutdown
from ._native import run_foreign as run_foreign
from ._ref import Ref as Ref
from ._spec import ChildSpec as ChildSpec
from ._spec import DynamicSupervisorSpec as DynamicSupervisorSpec
from ._spec import Intensity as Intensity
from ._spec import MailboxSpec as MailboxSpec
from ._spec import Overflow as Overflow
from ._spec import Restart as Restart
from ._spec import Strategy as Strategy
from ._spec import SupervisorSpec as SupervisorSpec
from ._system import System as System
from ._system import open_system as open_system
from ._terminated import Terminated as Terminated
from ._tree import TreeNode as TreeNode

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorStopped",
    "AskCycle",
    "AskTimeout",
    "Backoff",
    "ChildAdded",
    "ChildExists",
    "ChildExited",
    "ChildNotFound",
    "ChildSpec",
    "ChildStarted",
    "ChildStopped",
    "Context",
    "Crashed",
    "DeadLetter",
    "DynamicSupervisorSpec",
    "EscalationError",
    "Event",
    "EventStream",
    "ExitReason",
    "ForeignCancelled",
    "Intensity",
    "IntensityExceeded",
    "Killed",
    "MailboxFull",
    "MailboxSpec",
    "MessageDropped",
    "Normal",
    "NotAnActor",
    "Overflow",
    "Overflowed",
    "Ref",
    "Refusal",
    "Request",
    "Restart",
    "RestartIntensityExceeded",
    "RestartScheduled",
    "Shutdown",
    "ShutdownTimeout",
    "StartFailed",
    "StartTimeout",
    "Strategy",
    "SupervisionError",
    "SupervisorSpec",
    "System",
    "Terminated",
    "TooManyChildren",
    "TreeNode",
    "handles",
    "open_system",
    "run_foreign",
]
