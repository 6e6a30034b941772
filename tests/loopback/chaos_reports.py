"""Reports of chaos that never took place, for tests of what is made of reports."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Final

from loopback.chaos.report import (
    Commands,
    Fault,
    Gap,
    KindFigures,
    Player,
    Report,
    Restarts,
    Run,
    Sample,
    Timeline,
    Violation,
)

KINDS: Final = (
    ("actor killed", "actors", 0.0, 40.0, 0),
    ("guild supervisor killed", "actors", 0.0, 150.0, 0),
    ("4006 session no longer valid", "voice", 0.0, 150.0, 5),
    ("UDP hole 5 s, both ways", "voice", 5000.0, 250.0, 2),
    ("REST 502", "rest", 0.0, 60.0, 0),
    ("main gateway late", "gateway", 0.0, 60.0, 0),
    ("media: cut in the middle", "media", 0.0, 60.0, 0),
    ("SIGKILL and restart", "process", 2500.0, 5000.0, 10),
    ("wall clock stepped", "machine", 0.0, 60.0, 0),
    ("kicked, and asked back", "place", 1500.0, 1500.0, 0),
)
"""Name, group, forced hole and bound in ms, frames that may be lost."""

_EVERYBODY: Final = {"REST 502", "main gateway late", "SIGKILL and restart", "wall clock stepped"}


def made_report(
    *, guilds: int = 3, seconds: float = 120.0, faults: int = 40, broken: int = 0, other: bool = False
) -> Report:
    """A report with all there is in one; the same every time.

    :param broken: promises that were
    :param other: whether a plain player stands beside
    """
    dice = Random(1)  # noqa: S311 - made up
    names = [f"Guild {number}" for number in range(1, guilds + 1)]
    player = _player("the bot", names, seconds, faults, dice, 0.6)
    return Report(
        run=Run(7, seconds / 60, guilds, "2026-01-02T03:04:05+00:00", seconds, True, {"ostinato": "0.1"}, 2),
        player=player,
        commands=Commands(120, 104, 9, 3, 7, 0, {"play": 60, "skip": 24, "volume": 12, "seek": 8}),
        restarts=(
            Restarts("player", 14, 14, 14),
            Restarts("guild", 3, 3, 3),
            Restarts("media", 1, 1, 1),
        ),
        samples=tuple(_sample(at, seconds, dice) for at in range(0, int(seconds), 2)),
        invariants={"commands": "no acknowledged command is lost", "silence": "never silent for too long"},
        violations=tuple(
            Violation("silence", 10.0 * number, names[number % guilds], f"silent for {number} s", 7)
            for number in range(1, broken + 1)
        ),
        other=_player("discord.py", names, seconds, faults, dice, 6.0) if other else None,
    )


def _player(name: str, guilds: list[str], seconds: float, faults: int, dice: Random, worse: float) -> Player:
    done = tuple(_fault(number, guilds, seconds, dice) for number in range(1, faults + 1))
    timelines = tuple(_timeline(guild, done, seconds, dice, worse) for guild in guilds)
    gaps = [gap for timeline in timelines for gap in timeline.gaps]
    return Player(
        name,
        sum(one.heard for one in timelines) / sum(one.due for one in timelines),
        max((gap.length_ms for gap in gaps), default=0.0),
        sum(one.lost for one in timelines),
        sum(one.repeated for one in timelines),
        1 + sum(one.kind == "SIGKILL and restart" for one in done),
        done,
        timelines,
        tuple(figures for row in KINDS if (figures := _figures(row, done, gaps)) is not None),
    )


def _fault(number: int, guilds: list[str], seconds: float, dice: Random) -> Fault:
    kind, group, forced_ms, bound_ms, lost = dice.choice(KINDS)
    start_s = dice.uniform(0, seconds - 8)
    return Fault(
        number,
        kind,
        group,
        None if kind in _EVERYBODY else dice.choice(guilds),
        "player" if group == "actors" else "",
        start_s,
        start_s + (forced_ms / 1000 if forced_ms else dice.choice((0.0, 2.0))),
        forced_ms,
        bound_ms,
        3.0,
        lost,
        50,
    )


def _timeline(guild: str, faults: tuple[Fault, ...], seconds: float, dice: Random, worse: float) -> Timeline:
    gaps = []
    for fault in faults:
        if fault.guild in (None, guild) and dice.random() < 0.5:
            length_ms = fault.forced_ms + 22 + fault.bound_ms * dice.random() ** 3 * worse
            allowed_ms = fault.forced_ms + fault.bound_ms
            gaps.append(Gap(fault.start_s, length_ms, (fault.id,), allowed_ms))
    due = int(seconds * 50)
    return Timeline(guild, due - 3, due, 3, 11, 0, 5, tuple(sorted(gaps, key=lambda gap: gap.start_s)))


def _figures(
    row: tuple[str, str, float, float, int], faults: tuple[Fault, ...], gaps: list[Gap]
) -> KindFigures | None:
    kind, group, forced_ms, bound_ms, _lost = row
    mine = {fault.id for fault in faults if fault.kind == kind}
    lengths = [gap.length_ms for gap in gaps if gap.faults[0] in mine]
    longest = max(lengths, default=0.0)
    beyond = max(longest - forced_ms, 0.0)
    if not mine:
        return None
    return KindFigures(kind, group, len(mine), longest, beyond, bound_ms, 1, 5, tuple(lengths))


def _sample(at: int, seconds: float, dice: Random) -> Sample:
    life = 1 + int(at > seconds / 2)
    grown = at - (seconds / 2 if life == 2 else 0)
    return Sample(
        at, life, 92 + grown * 0.05 + dice.random(), 60 + dice.random() * 8, 110 + dice.randrange(9), 9, 28, 4
    )


def hostile(report: Report, name: str) -> Report:
    """With that name wherever somebody else may give one."""
    fault = replace(report.player.faults[0], kind=name, path=name, guild=name)
    timeline = replace(report.player.timelines[0], guild=name)
    figures = replace(report.player.kinds[0], kind=name)
    player = replace(
        report.player,
        name=name,
        faults=(fault, *report.player.faults[1:]),
        timelines=(timeline, *report.player.timelines[1:]),
        kinds=(figures, *report.player.kinds[1:]),
    )
    return replace(
        report,
        run=replace(report.run, started_at=name, versions={name: name}),
        player=player,
        other=player,
        restarts=(Restarts(name, 1, 2, 3),),
        commands=replace(report.commands, by_name={name: 1}),
        invariants={name: name},
        violations=(Violation(name, 1.0, name, name, 7),),
    )
