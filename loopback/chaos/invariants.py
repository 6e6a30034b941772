"""What must hold whatever is done, each by name; silences and frames are judged by the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loopback.world.snowflakes import DISCORD_EPOCH_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopback.chaos.guest import Tally
    from loopback.chaos.holdings import Holdings
    from loopback.chaos.judge import Judge
    from loopback.chaos.performance import Performance
    from loopback.chaos.scene import Seat
    from loopback.chaos.witnesses import Witnesses

INVARIANTS: Final[Mapping[str, str]] = {
    "beginning": "there is music in every guild before anything is done to the bot",
    "commands": "no acknowledged command is lost: the queue is what it must be after all of them",
    "order": "no track is skipped, ended early or played out of turn",
    "lost": "no frame is lost beyond what the fault's row allows",
    "repeated": "no frame is heard twice beyond what the fault's row allows",
    "silence": "never silent for longer than the forced holes and the bounds of the faults",
    "heard": "at least 99.9 % of what is due outside of forced holes is heard, all in all",
    "messages": "the bot writes a bounded number of messages into a channel",
    "kicked": "the bot is never in a channel from which it was kicked",
    "intensity": "no supervisor gives up",
    "leaks": "descriptors, threads, actors and processes are what a bot at rest has",
    "witnesses": "every restart is in events, metrics and log alike",
    "process": "the process ends when it is told to, and only then, with status 0",
    "harness": "every fault could be injected as planned",
}

WINDOW_S: Final = 30.0
MESSAGES: Final = 8
"""New messages beside answers that the bot may write into a channel in a window,"""
GUILD_ACTORS: Final = 5
ROOT_ACTORS: Final = 13
"""At most: the rooms, and what watches them."""
DESCRIPTORS: Final = 60
DESCRIPTORS_A_GUILD: Final = 8
"""The voice websocket, its UDP socket, and spools: of what plays, of what is next and of four tracks further,
where as many wait (a guest keeps up to seven).
"""
THREADS: Final = 40
PROCESSES: Final = 12
IN_FLIGHT: Final = 3
"""Restarts of which a process that is killed may not have told everybody."""


def check(
    judge: Judge,
    performance: Performance,
    tally: Tally,
    witnesses: Witnesses,
    holdings: Holdings,
    code: int | None,
) -> None:
    """All that can be said when the bot has ended."""
    for at_ns, guild, words in tally.losses:
        judge.broken("commands", at_ns, guild, words)
    for at_ns, guild in performance.intruded:
        judge.broken("kicked", at_ns, guild, "the bot has come back uninvited")
    for at_ns, path in witnesses.gave_up:
        judge.broken("intensity", at_ns, None, f"{path or 'the root'} has given up")
    for at_ns, kind, words in performance.failed:
        judge.broken("harness", at_ns, None, f"{kind}: {words}")
    _messages(judge, performance)
    _leaks(judge, performance, holdings)
    _witnesses(judge, performance, witnesses)
    if code != 0:
        judge.broken("process", performance.ended_ns, None, f"status {code} after SIGTERM")
    if witnesses.bot.ended is not None:
        words = f"a process has ended by itself, status {witnesses.bot.ended}"
        judge.broken("process", performance.ended_ns, None, words)


def _messages(judge: Judge, performance: Performance) -> None:
    for seat in performance.scene.seats:
        times = _written_s(seat)
        worst = max(((times[at:], at_s) for at, at_s in enumerate(times)), key=_within, default=None)
        if worst is not None and _within(worst) > MESSAGES:
            words = f"{_within(worst)} messages within {WINDOW_S:g} s"
            judge.broken("messages", int(worst[1] * 1e9), seat.guild.name, words)


def _within(found: tuple[list[float], float]) -> int:
    later, at_s = found
    return sum(one <= at_s + WINDOW_S for one in later)


def _written_s(seat: Seat) -> list[float]:
    """When the bot wrote what nobody had asked for."""
    own = [one for one in seat.text.messages if one.author is seat.discord.bot and one.interaction is None]
    return sorted(((one.id >> 22) + DISCORD_EPOCH_MS) / 1000 for one in own)


def _leaks(judge: Judge, performance: Performance, holdings: Holdings) -> None:
    if not holdings.samples:
        return
    last, guilds = holdings.samples[-1], len(performance.scene.seats)
    limits = {
        "actors": GUILD_ACTORS * guilds + ROOT_ACTORS,
        "descriptors": DESCRIPTORS + DESCRIPTORS_A_GUILD * guilds,
        "threads": THREADS,
        "processes": PROCESSES,
    }
    for name, most in limits.items():
        if (held := getattr(last, name)) > most:
            judge.broken("leaks", performance.ended_ns, None, f"{held} {name} at the end, {most} allowed")


def _witnesses(judge: Judge, performance: Performance, witnesses: Witnesses) -> None:
    """The last process was compared at rest; of those that were killed the last lines are lost."""
    for number, life in enumerate(witnesses.lives):
        killed = life is not witnesses.now
        apart = (life.events - life.log).total() + (life.log - life.events).total()
        if apart > IN_FLIGHT if killed else not life.agreed:
            words = f"events {dict(life.events)}, metrics {dict(life.metrics)}, log {dict(life.log)}"
            judge.broken("witnesses", performance.ended_ns, None, f"process {number}: {words}")
