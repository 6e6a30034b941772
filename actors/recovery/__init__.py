"""What is done about a voice connection that fails: the policy above the link, as data and pure functions.

The link (`actors.voice`) puts one failure right by one series of attempts. Here is decided what follows a
series that failed, what people are told, and what is remembered.
"""

from __future__ import annotations

from actors.recovery.health import Health
from actors.recovery.incidents import CLOSURES, INCIDENTS, Closure, Incident, Outcome, Timeline
from actors.recovery.machine import Recovery, State, step
from actors.recovery.policy import POLICY, RecoveryPolicy
from actors.recovery.saved import from_plain, to_plain
from actors.recovery.watch import Alert, Step, Watch

__all__ = [
    "CLOSURES",
    "INCIDENTS",
    "POLICY",
    "Alert",
    "Closure",
    "Health",
    "Incident",
    "Outcome",
    "Recovery",
    "RecoveryPolicy",
    "State",
    "Step",
    "Timeline",
    "Watch",
    "from_plain",
    "step",
    "to_plain",
]
