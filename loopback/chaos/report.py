"""What a run of chaos leaves: plain data, which `report.json` holds and `report.html` shows.

Times are seconds since the beginning of the chaos (`at_s`, `start_s`, `end_s`), silences are in ms, counts
of music in frames of 20 ms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from pathlib import Path

FORM = 1
"""Version of the form of `report.json`."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was run, where and when.

    :ivar seed: of all decisions; the same seed, guilds and minutes make the same plan
    :ivar started_at: ISO 8601, UTC
    :ivar lasted_s: of the chaos itself, without what comes before and after
    :ivar versions: of the bot and what it stands on, by name
    :ivar processors: that the machine has
    """

    seed: int
    minutes: float
    guilds: int
    started_at: str
    lasted_s: float
    dave: bool
    versions: Mapping[str, str] = field(default_factory=dict)
    processors: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that was done on purpose.

    :ivar kind: as in the table of kinds; faults of a kind may cost the same
    :ivar group: what was disturbed: actors, voice, gateway, rest, media, process, machine, place
    :ivar guild: its name; None: all of them
    :ivar path: the actor that was hit, or details such as a close code
    :ivar end_s: when it was put right; the same as the start for what happens at once
    :ivar forced_ms: silence that nobody could prevent: the part of the interval in which nothing could be
        heard (a hole of UDP, a process that is not there)
    :ivar bound_ms: silence that is allowed beyond that
    :ivar settle_s: for so long after its end a gap may still come of it
    :ivar lost: frames that may never be heard; `repeated`: that may be heard twice
    :ivar refused: why it was not done after all; None if it was
    """

    id: int
    kind: str
    group: str
    guild: str | None
    path: str
    start_s: float
    end_s: float
    forced_ms: float = 0.0
    bound_ms: float = 0.0
    settle_s: float = 0.0
    lost: int = 0
    repeated: int = 0
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A silence between two frames of music, longer than a listener's client hides.

    :ivar faults: ids of the faults that it may come of; the first is the one that it is counted for
    :ivar allowed_ms: forced holes within it, and the bounds of these faults
    :ivar late_ms: for how long the machine kept the bot or Discord waiting for a processor meanwhile
    """

    start_s: float
    length_ms: float
    faults: tuple[int, ...] = ()
    allowed_ms: float = 0.0
    late_ms: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it is no longer than it may be on a machine that was so late."""
        return self.length_ms <= self.allowed_ms + self.late_ms


@dataclass(frozen=True, slots=True)
class Slip:
    """Frames that were lost or heard again at one place of the music.

    :ivar track: number of the track, `frame` the place in it
    :ivar faults: as of a gap
    """

    at_s: float
    track: int
    frame: int
    lost: int = 0
    repeated: int = 0
    faults: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """What one guild's listener heard.

    :ivar heard: frames of music, each counted once
    :ivar due: frames that should have been heard outside of forced holes
    :ivar tracks: that were begun
    """

    guild: str
    heard: int
    due: int
    lost: int
    repeated: int
    out_of_order: int
    tracks: int
    gaps: tuple[Gap, ...] = ()
    slips: tuple[Slip, ...] = ()


@dataclass(frozen=True, slots=True)
class KindFigures:
    """What all faults of a kind cost together.

    :ivar count: how often it was done (refused ones are not counted)
    :ivar longest_ms: the longest silence of which no other fault is a part; 0: nobody noticed
    :ivar longest_beyond_ms: the same without the forced hole, and without what the machine was late
    :ivar bound_ms: what is allowed beyond the forced hole
    :ivar gaps_ms: all silences that are counted for it, alone or not
    """

    kind: str
    group: str
    count: int
    longest_ms: float
    longest_beyond_ms: float
    bound_ms: float
    lost: int
    repeated: int
    gaps_ms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Commands:
    """What people asked for.

    :ivar acknowledged: answered as done; `refused`: answered with a reason why not
    :ivar not_saved: done, but could not be written down, and the answer said so
    :ivar unanswered: the process was killed or Discord failed meanwhile: either outcome is right
    :ivar lost: acknowledged, and not to be found afterwards
    :ivar by_name: how many of each were acknowledged
    """

    given: int = 0
    acknowledged: int = 0
    refused: int = 0
    not_saved: int = 0
    unanswered: int = 0
    lost: int = 0
    by_name: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often actors of a kind (`player`, `guild`, `voice/clock` ...) were started again, by each witness.

    :ivar events: in the tree that the admin socket shows, which is made of the kernel's own events
    """

    actor: str
    events: int
    metrics: int
    log: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What the bot held at a moment.

    :ivar life: number of its process, from 1; it grows with every SIGKILL
    :ivar memory_mib: private memory of the bot's process; `workers_mib` of those below it
    :ivar late_ms: the most that the machine kept the bot waiting for a processor since the last sample
    """

    at_s: float
    life: int
    memory_mib: float
    workers_mib: float
    descriptors: int
    threads: int
    actors: int
    processes: int
    late_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken; with the seed the run can be done again.

    :ivar invariant: its name, one of the table of invariants
    """

    invariant: str
    at_s: float
    guild: str | None
    words: str
    seed: int


@dataclass(frozen=True, slots=True)
class Player:
    """Who played, and what was heard of it.

    :ivar share_heard: of the frames due outside of forced holes, from 0 to 1
    :ivar lives: processes that it took
    """

    name: str
    share_heard: float
    longest_gap_ms: float
    lost: int
    repeated: int
    lives: int
    faults: tuple[Fault, ...] = ()
    timelines: tuple[Timeline, ...] = ()
    kinds: tuple[KindFigures, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run; `other` is a plain player under the faults that can meet it too.

    :ivar invariants: all that were checked, by name, each with what it means
    """

    run: Run
    player: Player
    commands: Commands = field(default_factory=Commands)
    restarts: tuple[Restarts, ...] = ()
    samples: tuple[Sample, ...] = ()
    invariants: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    other: Player | None = None

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.violations


def write_json(report: Report, path: Path) -> None:
    """`report.json`."""
    text = json.dumps({"form": FORM, "ok": report.ok, **asdict(report)}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Report:
    """What `write_json` wrote.

    :raises ValueError: it is of another form
    """
    plain = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(plain, dict) or plain.get("form") != FORM:
        raise ValueError(f"{path} is no report of form {FORM}")
    made = _made(Report, plain)
    assert isinstance(made, Report)  # noqa: S101 - for the type checker
    return made


def _made(kind: Any, plain: Any) -> Any:
    """A value of that type from plain JSON; types are those that the classes above use."""
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        known = {each.name for each in fields(kind)} & plain.keys()
        return kind(**{name: _made(hints[name], plain[name]) for name in known})
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if plain is None else _made(next(one for one in inner if one is not NoneType), plain)
    if origin is tuple:
        return tuple(_made(inner[0], each) for each in plain)
    if origin is Mapping:
        return {name: _made(inner[1], each) for name, each in plain.items()}
    return plain
