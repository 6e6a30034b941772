"""The top of the page: the verdict and the figures that matter; and its foot: what was run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.chaos.page.markup import Markup, el, many
from loopback.chaos.page.style import COMMAND
from loopback.chaos.page.words import count, date, minutes, ms, share

if TYPE_CHECKING:
    from loopback.chaos.report import Report


def section(report: Report) -> Markup:
    """Verdict and figures."""
    headline = (
        el("h1", "Every promise was ", el("em", "kept"))
        if report.ok
        else el("h1", broken(report).removesuffix("broken"), el("em", "broken"))
    )
    return el(
        "header",
        el("p", "Ostinato · chaos report", class_="eyebrow"),
        headline,
        el("p", _story(report), class_="soft"),
        el("dl", *_tiles(report), class_="tiles"),
        class_="verdict" if report.ok else "verdict broken",
    )


def broken(report: Report) -> str:
    """How many promises were; each may have been more than once."""
    number = len({violation.invariant for violation in report.violations})
    return f"{count(number, 'promise')} {'was' if number == 1 else 'were'} broken"


def _story(report: Report) -> str:
    run = report.run
    done = [one for one in report.player.faults if one.refused is None and one.group != COMMAND]
    kinds = len({fault.kind for fault in done})
    return (
        f"For {minutes(run.lasted_s)} {count(run.guilds, 'server')} listened to music while "
        f"{count(len(done), 'fault')} of {count(kinds, 'kind')} were injected on purpose: actors killed, "
        "voice links and the gateway cut, sites that fail, workers and the whole process killed. "
        f"Seed {run.seed}, "
        f"{'end-to-end encrypted, ' if run.dave else ''}{date(run.started_at)}."
    )


def _tiles(report: Report) -> list[Markup]:
    player, commands = report.player, report.commands
    beyond = max((kind.longest_beyond_ms for kind in player.kinds), default=0.0)
    restarts = sum(one.events for one in report.restarts)
    return [
        _tile("Heard of what was due", share(player.share_heard), "outside of forced holes"),
        _tile(
            "Longest silence of one fault",
            ms(beyond),
            f"beyond its forced hole; of all together {ms(player.longest_gap_ms)}",
        ),
        _tile("Frames of 20 ms lost", f"{player.lost:,}", f"{player.repeated:,} heard twice"),
        _tile("Commands acknowledged", f"{commands.acknowledged:,}", f"{commands.lost:,} lost"),
        _tile(
            "Restarts of actors", f"{restarts:,}", f"in {count(player.lives, 'life', 'lives')} of the process"
        ),
        _tile(
            "Promises checked",
            f"{len(report.invariants):,}",
            count(len(report.violations), "breach", "breaches"),
        ),
    ]


def _tile(name: str, figure: str, more: str) -> Markup:
    return el("div", el("dt", name), el("dd", figure, el("small", more)), class_="tile")


def colophon(report: Report) -> Markup:
    """What was run, and on what."""
    run = report.run
    versions = " · ".join(f"{name} {version}" for name, version in run.versions.items())
    machine = f"{count(run.processors, 'processor')}. " if run.processors else ""
    return el(
        "section",
        el("h2", "About this run"),
        el(
            "p",
            "The servers, the voice connections and the listeners are those of an embedded Discord; the bot "
            "is the real one, as a process of its own. A listener's frames are decrypted, decoded and read "
            "by the places that the music itself states. A forced hole is a time in which nothing could be "
            "heard, whoever plays: its bounds come from the log of what was injected. "
            f"{machine}{versions}",
            class_="soft",
        ),
        el("p", "The same plan again:", class_="soft"),
        el("pre", replay(report)),
    )


def replay(report: Report) -> Markup:
    """The command that does the run again."""
    run, beside = report.run, " --against stock" if report.other is not None else ""
    size = f"--minutes {run.minutes:g} --guilds {run.guilds}"
    return many(f"ostinato chaos --seed {run.seed} {size}{beside} --report DIR")
