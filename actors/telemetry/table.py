"""Every metric that the bot has: one table, for the registry, the dashboard's test and whoever reads it.

Names of the voice connection stand without a prefix, as they are agreed on; the others begin with `ostinato`.
Labels are bounded: guilds that the bot is in, kinds of actors, documented codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """As Prometheus has them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row.

    :ivar read: its values are read from the rooms when somebody asks, and cost nothing before; all gauges are
    :ivar buckets: upper bounds, for a histogram
    :ivar known: values of the label that are served as 0 from the start: Prometheus sees no rise in a series
        that begins with 1
    """

    name: str
    kind: Kind
    what: str
    labels: tuple[str, ...] = ()
    read: bool = False
    buckets: tuple[float, ...] = ()
    known: tuple[str, ...] = ()


_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_GUILD: Final = ("guild_id",)
_ACTOR: Final = ("actor",)

METRICS: Final = (
    Metric(
        "voice_disconnect_total",
        _C,
        "Closures of voice connections, by close code or fault",
        ("code",),
        known=("4006",),
    ),
    Metric("voice_reconnect_success_total", _C, "Incidents of voice connections that ended well"),
    Metric(
        "voice_reconnect_failure_total",
        _C,
        "Incidents that ended otherwise",
        ("outcome",),
        known=("gave_up", "fatal", "left"),
    ),
    Metric("voice_reconnect_attempts_current", _G, "Failed attempts of the open incident", _GUILD, read=True),
    Metric("voice_latency_ms", _G, "Round trip of the voice websocket's heartbeat", _GUILD, read=True),
    Metric(
        "voice_reconnect_duration_seconds",
        _H,
        "From the closure until frames could leave again",
        buckets=(0.03, 0.06, 0.15, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0),
    ),
    Metric("ostinato_frames_sent_total", _C, "Frames of 20 ms that left, silence not counted", read=True),
    Metric("ostinato_frames_late_total", _C, "Of these, more than 10 ms after their time", read=True),
    Metric("ostinato_underruns_total", _C, "Times that a stream had no frame ready", read=True),
    Metric(
        "ostinato_streams", _G, "Streams, by what they do: playing, paused, silent", ("state",), read=True
    ),
    Metric("ostinato_unheard_guilds", _G, "Guilds that should hear music and get no frame", read=True),
    Metric("ostinato_spool_lead_seconds", _G, "Music that is ready ahead of what is sent", _GUILD, read=True),
    Metric("ostinato_clock_late_ms", _G, "The most that the clock of all streams was ever late", read=True),
    Metric("ostinato_cache_hits_total", _C, "Found without work", ("cache",), read=True),
    Metric("ostinato_cache_misses_total", _C, "Not found", ("cache",), read=True),
    Metric(
        "ostinato_resolve_seconds",
        _H,
        "To find what a link, a search or a track leads to",
        ("outcome",),
        buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    ),
    Metric("ostinato_actor_restarts_total", _C, "Incarnations after the first, by kind of actor", _ACTOR),
    Metric("ostinato_actor_crashes_total", _C, "Actors that failed, by kind", _ACTOR),
    Metric(
        "ostinato_supervisors_gave_up_total",
        _C,
        "Restart intensities exceeded",
        _ACTOR,
        known=("root", "guild", "voice"),
    ),
    Metric("ostinato_mailbox_overflows_total", _C, "Mailboxes that became full, by kind of actor", _ACTOR),
    Metric("ostinato_events_lost_total", _C, "Events of the tree that telemetry was too slow for"),
    Metric("ostinato_mailbox_depth", _G, "The most messages that wait, by kind of actor", _ACTOR, read=True),
    Metric("ostinato_actors", _G, "Actors by state", ("state",), read=True),
    Metric(
        "ostinato_event_loop_lag_seconds",
        _H,
        "How late the event loop woke up",
        buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0),
    ),
    Metric("ostinato_gateway_latency_seconds", _G, "Round trip of the main gateway's heartbeat", read=True),
    Metric("ostinato_gateway_up", _G, "1 while every shard is connected", read=True),
    Metric("ostinato_guilds", _G, "Guilds that the bot is in", read=True),
    Metric("ostinato_alerts", _G, "1 while the alert is raised", ("alert",), read=True),
)


def metric(name: str) -> Metric:
    """The row of that name; raises KeyError."""
    return _BY_NAME[name]


_BY_NAME: Final = {row.name: row for row in METRICS}
