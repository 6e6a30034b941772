"""When whoever runs the bot is alerted: one table of rules, with hysteresis.

A rule has a level, a limit from which on the alert is raised, and another one below (or above) which it is
cleared: a figure that wavers around its limit alerts once. Pure; the clock is the caller's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CODES_S: Final = 300.0
OUTCOMES_S: Final = 900.0
GAVE_UP_S: Final = 300.0
UNKNOWN_S: Final = 600.0
FEWEST_OUTCOMES: Final = 5
"""A share of fewer incidents says nothing."""
NAMED: Final = 5
"""Guilds that an alert names."""
MOST: Final = 10_000
"""Entries that a window holds."""


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """What the settings say.

    :ivar sessions_lost: more of 4006 within five minutes are too many
    :ivar success: a smaller share of incidents that end well is too small
    :ivar unheard_s: so long may a guild wait for its music
    :ivar away_s: so long may Discord's gateway be away
    """

    sessions_lost: int = 20
    success: float = 0.8
    unheard_s: float = 30.0
    away_s: float = 60.0


@dataclass(slots=True)
class Window:
    """What has happened within the last `span_s` seconds, with a value each."""

    span_s: float
    entries: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MOST))

    def add(self, now: float, value: float = 1.0) -> None:
        """It happened now."""
        self.entries.append((now, value))

    def values(self, now: float) -> list[float]:
        """Those that are not too old."""
        while self.entries and self.entries[0][0] <= now - self.span_s:
            self.entries.popleft()
        return [value for _, value in self.entries]


@dataclass(slots=True)
class Levels:
    """The figures that rules look at.

    :ivar unknown: alerts of undocumented close codes; the words are those of the latest
    :ivar gave_up_path: the supervisor that gave up last
    :ivar unheard: guilds that should hear music and get none, and for how long (s)
    :ivar away_s: for how long Discord's gateway has been away
    :ivar unsaved: why state cannot be written, None while it can
    """

    sessions_lost: Window = field(default_factory=lambda: Window(CODES_S))
    outcomes: Window = field(default_factory=lambda: Window(OUTCOMES_S))
    gave_up: Window = field(default_factory=lambda: Window(GAVE_UP_S))
    unknown: Window = field(default_factory=lambda: Window(UNKNOWN_S))
    unknown_words: str = "no undocumented voice close codes"
    gave_up_path: str = "none"
    unheard: Mapping[int, float] = field(default_factory=dict)
    away_s: float = 0.0
    unsaved: str | None = None

    def success(self, now: float) -> float:
        """The share of incidents that ended well; 1 while there are too few to tell."""
        ended = self.outcomes.values(now)
        return sum(ended) / len(ended) if len(ended) >= FEWEST_OUTCOMES else 1.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One row.

    :ivar raised: whether the alert is raised, given that it was not
    :ivar cleared: whether it is cleared, given that it was raised
    :ivar words: what is wrong
    :ivar over: how it is when it is over
    :ivar advice: what to do about it; also in the chapter on operations
    """

    name: str
    raised: Callable[[Levels, AlertLimits, float], bool]
    cleared: Callable[[Levels, AlertLimits, float], bool]
    words: Callable[[Levels, float], str]
    over: Callable[[Levels, float], str]
    advice: str


def _lost(levels: Levels, now: float) -> int:
    return len(levels.sessions_lost.values(now))


def _unheard(levels: Levels, _now: float) -> str:
    """Who waits, the longest first."""
    waiting = sorted(levels.unheard.items(), key=lambda each: -each[1])
    if len(waiting) == 1:
        ((guild_id, waited_s),) = waiting
        return f"guild {guild_id} has waited for its music for {waited_s:.0f} s"
    named = ", ".join(f"{guild_id} ({waited_s:.0f} s)" for guild_id, waited_s in waiting[:NAMED])
    more = f" and {len(waiting) - NAMED} more" if len(waiting) > NAMED else ""
    return f"{len(waiting)} guilds wait for their music: {named}{more}"


RULES: Final = (
    Rule(
        "voice_sessions_lost",
        lambda levels, limits, now: _lost(levels, now) > limits.sessions_lost,
        lambda levels, limits, now: _lost(levels, now) <= limits.sessions_lost // 2,
        lambda levels, now: f"{_lost(levels, now)} voice sessions became invalid (4006) within five minutes",
        lambda levels, now: f"{_lost(levels, now)} voice sessions became invalid within five minutes",
        "look at Discord's status page; the bot makes new sessions by itself",
    ),
    Rule(
        "voice_reconnects_fail",
        lambda levels, limits, now: levels.success(now) < limits.success,
        lambda levels, limits, now: levels.success(now) >= (1 + limits.success) / 2,
        lambda levels, now: (
            f"only {levels.success(now):.0%} of the voice incidents of the last quarter of an hour ended well"
        ),
        lambda levels, now: f"{levels.success(now):.0%} of the voice incidents end well",
        "look at `voicestatus` of the guilds named in the log, and at the machine's UDP",
    ),
    Rule(
        "unknown_close_codes",
        lambda levels, limits, now: bool(levels.unknown.values(now)),
        lambda levels, limits, now: not levels.unknown.values(now),
        lambda levels, now: levels.unknown_words,
        lambda levels, now: "no undocumented voice close codes for ten minutes",
        "look for a release of the bot: Discord may have changed its protocol",
    ),
    Rule(
        "music_unheard",
        lambda levels, limits, now: max(levels.unheard.values(), default=0.0) >= limits.unheard_s,
        lambda levels, limits, now: not levels.unheard,
        _unheard,
        lambda levels, now: "every guild that should be hears its music",
        "look at that guild's `voicestatus`, and at `ostinato tree guilds/<its id>`",
    ),
    Rule(
        "gateway_away",
        lambda levels, limits, now: levels.away_s >= limits.away_s,
        lambda levels, limits, now: levels.away_s == 0.0,
        lambda levels, now: f"Discord's gateway has been away for {levels.away_s:.0f} s",
        lambda levels, now: "Discord's gateway is there",
        "look at the machine's network and at Discord's status page",
    ),
    Rule(
        "supervisor_gave_up",
        lambda levels, limits, now: bool(levels.gave_up.values(now)),
        lambda levels, limits, now: not levels.gave_up.values(now),
        lambda levels, now: f"supervisor {levels.gave_up_path} gave up: too many restarts within its period",
        lambda levels, now: "no supervisor has given up for five minutes",
        "look for the crash in the log: it is a bug, or a machine without memory, disk or descriptors",
    ),
    Rule(
        "state_unsaved",
        lambda levels, limits, now: levels.unsaved is not None,
        lambda levels, limits, now: levels.unsaved is None,
        lambda levels, now: f"state cannot be saved: {levels.unsaved}",
        lambda levels, now: "state can be saved",
        "make room on the disk of the data folder, or make it writable; the music goes on meanwhile",
    ),
)


@dataclass(frozen=True, slots=True)
class Change:
    """An alert was raised, or is over."""

    rule: Rule
    raised: bool
    words: str


class AlertBook:
    """Which alerts are raised now."""

    def __init__(self, limits: AlertLimits | None = None) -> None:
        self.levels = Levels()
        self._limits = limits or AlertLimits()
        self._raised: set[str] = set()

    @property
    def raised(self) -> frozenset[str]:
        """Their names."""
        return frozenset(self._raised)

    def look(self, now: float) -> list[Change]:
        """What has changed; `now` in seconds of a monotonic clock."""
        changes = []
        for rule in RULES:
            standing = rule.name in self._raised
            turns = rule.cleared if standing else rule.raised
            if turns(self.levels, self._limits, now):
                (self._raised.discard if standing else self._raised.add)(rule.name)
                words = rule.over if standing else rule.words
                changes.append(Change(rule, not standing, words(self.levels, now)))
        return changes
