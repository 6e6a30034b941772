"""What the bot shows of its voice connection: its state, its incidents, and trouble while it lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from . import epoch
from .embeds import COLOUR, COLOUR_ENDED, PHASES, plain
from .embeds_day import last_day
from .embeds_health import fared, when
from .messages import LinkPhase
from .recovery import Health, Incident, Outcome

if TYPE_CHECKING:
    from .messages import NowPlaying, TroubleNews, VoiceReport
    from .voice import LinkStatus

COLOUR_TROUBLE = discord.Colour.from_str("#b8862f")
FIELD_TEXT = 1024
"""Discord's limit of a field, in characters."""

SHOWN = 6
"""Incidents that `voicestatus` shows; more are remembered."""

_TITLES = {
    Outcome.OPEN: "Trouble with the voice connection",
    Outcome.BACK: "The voice connection is back",
    Outcome.GAVE_UP: "The voice connection is lost",
    Outcome.FATAL: "Disconnected from voice",
    Outcome.LEFT: "Left the voice channel",
}
_COLOURS = {Outcome.OPEN: COLOUR_TROUBLE, Outcome.BACK: COLOUR}


def trouble(news: TroubleNews) -> discord.Embed:
    """What has happened, what happens next, and what those who listen can do."""
    outcome = news.incident.outcome
    embed = discord.Embed(title=_TITLES[outcome], colour=_COLOURS.get(outcome, COLOUR_ENDED))
    code = f" (close code {news.cause.label})" if isinstance(news.cause.key, int) else ""
    embed.add_field(name="What happened", value=f"{_sentence(news.cause.name)}{code}", inline=False)
    embed.add_field(name="What happens next", value=_next(news), inline=False)
    if outcome in (Outcome.OPEN, Outcome.GAVE_UP, Outcome.FATAL):
        embed.add_field(name="What you can do", value=news.cause.advice, inline=False)
    return embed


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _next(news: TroubleNews) -> str:
    incident = news.incident
    match incident.outcome:
        case Outcome.OPEN if news.next_at is not None:
            return f"The next attempt is {when(news.next_at)}; {_attempts(incident)} so far."
        case Outcome.OPEN:
            return "The bot is connecting again right now."
        case Outcome.BACK:
            return f"The music goes on where it was, after {incident.silent_s:.0f} s of silence."
        case Outcome.LEFT:
            return "Somebody has called the bot away."
        case _:
            return "The bot does not come back by itself. The queue is kept."


def _attempts(incident: Incident) -> str:
    return "1 attempt failed" if incident.attempts == 1 else f"{incident.attempts} attempts failed"


def status(report: VoiceReport, now: NowPlaying | None) -> discord.Embed:
    """The state of the voice connection in words."""
    embed = discord.Embed(title="Voice connection", colour=COLOUR)
    where = f" in <#{report.channel_id}>" if report.channel_id and report.phase is not LinkPhase.AWAY else ""
    embed.description = f"The bot is {report.phase.value}{where}."
    health = report.health or Health()
    code = health.close_code if report.close_code is None else report.close_code
    problem = report.problem or health.reason
    rows = {
        "Next attempt": None if report.next_at is None else when(report.next_at),
        **({} if report.link is None else _link_rows(report.link)),
        "Last close code": None if code is None else str(code),
        "Last problem": None if problem is None else plain(problem, 300),
        "Playback": None if now is None else PHASES[now.phase],
    }
    for name, value in rows.items():
        if value:
            embed.add_field(name=name, value=value)
    if words := " ".join(filter(None, (fared(health), _intent(report)))):
        embed.add_field(name="Health", value=words, inline=False)
    embed.add_field(name="Last 24 hours", value=last_day(_incidents(report), epoch.now()), inline=False)
    if incidents := _timeline(report):
        embed.add_field(name="Incidents", value=incidents, inline=False)
    return embed


def _intent(report: VoiceReport) -> str:
    """Whether it comes back by itself."""
    if report.override:
        return "An administrator wants it back, whatever pause runs."
    never_tried = report.health is None or report.health.attempt_at is None
    away = report.phase is LinkPhase.AWAY and not never_tried
    return "It does not come back by itself: join or play calls it." if away else ""


def _incidents(report: VoiceReport) -> list[Incident]:
    """All that are known, oldest first."""
    return [*report.past, *([report.incident] if report.incident else [])]


def _link_rows(link: LinkStatus) -> dict[str, str | None]:
    return {
        "Round trip": _ms(link.latency_ms),
        "Round trip (UDP)": _ms(link.keep_alive_ms),
        "Encryption": link.mode,
        "End-to-end encryption": _dave(link),
        "Failed attempts": str(link.failures) if link.failures else None,
    }


def _ms(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f} ms"


def _dave(link: LinkStatus) -> str | None:
    if link.dave.epoch is None:
        return "DAVE, nobody else is there" if link.dave.version else None
    return f"DAVE {link.dave.version}, epoch {link.dave.epoch}"


def _timeline(report: VoiceReport) -> str:
    """The open incident and the latest ones, newest first, as far as they fit."""
    lines: list[str] = []
    for incident in _incidents(report)[: -SHOWN - 1 : -1]:
        line = _line(incident)
        if sum(map(len, lines)) + len(lines) + len(line) > FIELD_TEXT:
            break
        lines.append(line)
    return "\n".join(lines)


def _silence(silent_s: float) -> str:
    if silent_s <= 0:
        return "not heard"
    return f"silent {silent_s:.1f} s" if silent_s >= 0.05 else "silent for a moment"


def _line(incident: Incident) -> str:
    """One incident: time, causes, silence, attempts, outcome."""
    causes = ", ".join(dict.fromkeys(closure.label for closure in incident.closures))
    first = f": {incident.closures[0].name}" if incident.closures else ""
    parts = (
        f"{when(incident.at, 'f')} {causes}{first}",
        _silence(incident.silent_s),
        _attempts(incident) if incident.attempts else "",
        incident.outcome.value,
    )
    return " · ".join(part for part in parts if part)
