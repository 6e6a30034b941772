"""What the bot says of itself to those who run it: metrics, health and alerts.

Logs are `actors.logs`; what people in Discord are told is the display's.
"""

from __future__ import annotations

from actors.telemetry.alerts import Alerts
from actors.telemetry.health import BotHealth
from actors.telemetry.observer import Observer
from actors.telemetry.rules import RULES, AlertLimits
from actors.telemetry.spans import Spans
from actors.telemetry.table import METRICS, Kind, Metric
from actors.telemetry.telemetry import Telemetry

__all__ = [
    "METRICS",
    "RULES",
    "AlertLimits",
    "Alerts",
    "BotHealth",
    "Kind",
    "Metric",
    "Observer",
    "Spans",
    "Telemetry",
]
