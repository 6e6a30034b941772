"""Supervised actors on anyio: OTP's supervision for asyncio and trio.

Start at :func:`open_system`. The rules, each with its reason and its test, stand in README.md.
(Not to be confused with the computer vision package of the same import name.)
"""

from __future__ import annotations

from ._actor import Actor as Actor, Request as Request, handles as handles
from ._backoff import Backoff as Backoff
from ._children import ChildCount as ChildCount, ChildInfo as ChildInfo
from ._collector import (
    Collector as Collector,
    CollectorSettings as CollectorSettings,
    quiet_collector as quiet_collector,
)
from ._context import Context as Context
from ._errors import (
    ActorCrashed as ActorCrashed,
    ActorStopped as ActorStopped,
    AskCycle as AskCycle,
    AskTimeout as AskTimeout,
    ChildExists as ChildExists,
    ChildNotFound as ChildNotFound,
    ChildRestarting as ChildRestarting,
    ChildRunning as ChildRunning,
    EscalationError as EscalationError,
    ForeignCancelled as ForeignCancelled,
    MailboxFull as MailboxFull,
    MessageDropped as MessageDropped,
    NameNotFound as NameNotFound,
    NameTaken as NameTaken,
    NotAnActor as NotAnActor,
    NotASupervisor as NotASupervisor,
    Refusal as Refusal,
    RestartIntensityExceeded as RestartIntensityExceeded,
    StartFailed as StartFailed,
    StartTimeout as StartTimeout,
    StashFull as StashFull,
    SupervisionError as SupervisionError,
    TooManyChildren as TooManyChildren,
)
from ._events import (
    ChildAdded as ChildAdded,
    ChildDeleted as ChildDeleted,
    ChildExited as ChildExited,
    ChildStarted as ChildStarted,
    ChildStopped as ChildStopped,
    DeadLetter as DeadLetter,
    Event as Event,
    EventStream as EventStream,
    IntensityExceeded as IntensityExceeded,
    MessageStep as MessageStep,
    MessageTraced as MessageTraced,
    Overflowed as Overflowed,
    RestartScheduled as RestartScheduled,
    ShutdownTimeout as ShutdownTimeout,
    SlowHandler as SlowHandler,
    SnapshotFailed as SnapshotFailed,
)
from ._exit import (
    Crashed as Crashed,
    ExitReason as ExitReason,
    Killed as Killed,
    Normal as Normal,
    Shutdown as Shutdown,
)
from ._foreign import run_foreign as run_foreign
from ._observer import TraceStream as TraceStream
from ._open_system import open_system as open_system
from ._ref import Ref as Ref
from ._registry import NamedRef as NamedRef
from ._spec import (
    AutoShutdown as AutoShutdown,
    ChildSpec as ChildSpec,
    DynamicSupervisorSpec as DynamicSupervisorSpec,
    Intensity as Intensity,
    MailboxSpec as MailboxSpec,
    Overflow as Overflow,
    Restart as Restart,
    Strategy as Strategy,
    SupervisorSpec as SupervisorSpec,
)
from ._system import System as System
from ._terminated import Terminated as Terminated
from ._trace import Trace as Trace
from ._tree import TreeNode as TreeNode

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorStopped",
    "AskCycle",
    "AskTimeout",
    "AutoShutdown",
    "Backoff",
    "ChildAdded",
    "ChildCount",
    "ChildDeleted",
    "ChildExists",
    "ChildExited",
    "ChildInfo",
    "ChildNotFound",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "ChildStarted",
    "ChildStopped",
    "Collector",
    "CollectorSettings",
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
    "MessageStep",
    "MessageTraced",
    "NameNotFound",
    "NameTaken",
    "NamedRef",
    "Normal",
    "NotASupervisor",
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
    "SlowHandler",
    "SnapshotFailed",
    "StartFailed",
    "StartTimeout",
    "StashFull",
    "Strategy",
    "SupervisionError",
    "SupervisorSpec",
    "System",
    "Terminated",
    "TooManyChildren",
    "Trace",
    "TraceStream",
    "TreeNode",
    "handles",
    "open_system",
    "quiet_collector",
    "run_foreign",
]
