"""Discord voice: the one clock that sends all streams, and the links that carry them.

Actors command `Clock` (through `Stream`) and `Links` (through `Link`) and never touch a packet; both
outlive them.
"""

from __future__ import annotations

from actors.voice.backoff import RetryPolicy
from actors.voice.causes import Action, Cause, Fault, Severity
from actors.voice.causes_table import CAUSES, CLOSE_CODES, cause_of
from actors.voice.clock import Clock, ClockStatus
from actors.voice.dave_messages import DaveStatus
from actors.voice.errors import VoiceError
from actors.voice.events import (
    Closed,
    Ended,
    Failed,
    LinkEvent,
    Lost,
    Moved,
    Ready,
    Rewound,
    Started,
    StreamEvent,
    Unheard,
    Waiting,
)
from actors.voice.link import Link
from actors.voice.link_state import LinkState, LinkStatus
from actors.voice.links import Links
from actors.voice.source import FrameSource
from actors.voice.stream import Stream
from actors.voice.stream_status import Expected, Reached, StreamStatus

__all__ = [
    "CAUSES",
    "CLOSE_CODES",
    "Action",
    "Cause",
    "Clock",
    "ClockStatus",
    "Closed",
    "DaveStatus",
    "Ended",
    "Expected",
    "Failed",
    "Fault",
    "FrameSource",
    "Link",
    "LinkEvent",
    "LinkState",
    "LinkStatus",
    "Links",
    "Lost",
    "Moved",
    "Reached",
    "Ready",
    "RetryPolicy",
    "Rewound",
    "Severity",
    "Started",
    "Stream",
    "StreamEvent",
    "StreamStatus",
    "Unheard",
    "VoiceError",
    "Waiting",
    "cause_of",
]
