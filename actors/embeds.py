"""What the bot shows, made from views: pure functions. Text that users or sites wrote is escaped and bounded
here.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import discord

from .media import OFF
from .messages import Phase
from .queue import SHORT_ID, Loop

if TYPE_CHECKING:
    from .media import Rest, Track
    from .messages import NowPlaying, QueueView

BAR_CELLS = 20
TITLE_LENGTH = 100
"""Characters of a title, before escaping."""
EMBED_TEXT = 4096
"""Discord's limit of a description, in characters."""

_MARKS = re.compile(r"([\\`*_~|\[\]<>]|^[#-]|:(?=//))")
"""What formats: marks anywhere, headings and lists at the beginning, and addresses, which become links."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs"})
_JOINER = "\u200d"
"""Holds emoji together."""

COLOUR = discord.Colour.from_str("#3d7a8c")
COLOUR_ENDED = discord.Colour.from_str("#7d8590")

PHASES = {
    Phase.PLAYING: "Now playing",
    Phase.PAUSED: "Paused",
    Phase.LOADING: "Loading",
    Phase.WAITING: "Waiting for the voice connection",
    Phase.IDLE: "Nothing is playing",
}
_LOOPS = {Loop.OFF: "", Loop.TRACK: "repeats the track", Loop.QUEUE: "repeats the queue"}


def plain(text: str, length: int = TITLE_LENGTH) -> str:
    """One bounded line that neither formats nor mentions anything."""
    line = " ".join("".join(filter(_is_shown, text)).split())
    if len(line) > length:
        line = line[: length - 1] + "…"
    return discord.utils.escape_mentions(_MARKS.sub(r"\\\1", line)) or "untitled"


def _is_shown(character: str) -> bool:
    """No control character, which may turn the direction of what follows, and no half of a character."""
    return character.isspace() or character == _JOINER or unicodedata.category(character) not in _HIDDEN


def clock(seconds: float) -> str:
    """`m:ss` or `h:mm:ss`; never negative."""
    total = max(0, int(seconds))
    hours, minutes = divmod(total // 60, 60)
    return f"{hours}:{minutes:02}:{total % 60:02}" if hours else f"{minutes}:{total % 60:02}"


def bar(position_s: float, duration_s: float | None) -> str:
    """A progress bar of `BAR_CELLS` cells with the present cell marked; it clamps at both ends."""
    done = 0
    if duration_s is not None and duration_s > 0:
        done = int(min(max(position_s / duration_s, 0.0), 1.0) * (BAR_CELLS - 1))
    return "▬" * done + "●" + "─" * (BAR_CELLS - 1 - done)


def linked(track: Track) -> str:
    """The title, as a link where the address is one that can be shown."""
    address = track.url
    safe = (
        address.startswith(("https://", "http://"))
        and len(address) <= 300
        and not set(address) & set("() <>\n")
    )
    return f"[{plain(track.title)}]({address})" if safe else plain(track.title)


def length_of(track: Track) -> str:
    """The duration of a track in a list."""
    if track.is_live:
        return "live"
    return clock(track.duration_s) if track.duration_s is not None else "?:??"


def progress(now: NowPlaying) -> str:
    """Bar and times; a live stream has neither end nor bar."""
    if now.track is not None and now.track.is_live:
        return f"live · {clock(now.position_s)}"
    end = clock(now.duration_s) if now.duration_s is not None else "?:??"
    return f"{bar(now.position_s, now.duration_s)}\n{clock(now.position_s)} / {end}"


def now_playing(now: NowPlaying) -> discord.Embed:
    """The now-playing message."""
    if now.track is None:
        return discord.Embed(title=PHASES[Phase.IDLE], colour=COLOUR_ENDED)
    embed = discord.Embed(
        title=PHASES[now.phase], description=f"{linked(now.track)}\n{progress(now)}", colour=COLOUR
    )
    if now.track.uploader:
        embed.add_field(name="By", value=plain(now.track.uploader))
    embed.add_field(name="Asked for by", value=f"<@{now.track.requested_by}>")
    embed.set_footer(text=_footer(now))
    return embed


def _footer(now: NowPlaying) -> str:
    waiting = f"{now.waiting} waiting" if now.waiting else "nothing waiting"
    effect = "" if now.effect == OFF else f"filter {now.effect}"
    parts = (f"volume {now.volume} %", effect, waiting, _LOOPS[now.loop])
    return " · ".join(part for part in parts if part)


def finished(track: Track | None) -> discord.Embed:
    """The last state of a now-playing message."""
    embed = discord.Embed(title="Finished", colour=COLOUR_ENDED, timestamp=datetime.now(UTC))
    embed.description = linked(track) if track is not None else None
    return embed


def queue(view: QueueView) -> discord.Embed:
    """One page of the queue."""
    lines = [_current_line(view.now)]
    for number, track in enumerate(view.entries, view.first):
        line = f"`{number}.` {plain(track.title, 60)} · {length_of(track)} · <@{track.requested_by}>"
        lines.append(f"{line} · `#{track.id[:SHORT_ID]}`")
    if not view.entries:
        lines.append("Nothing is waiting.")
    if view.page == view.pages:
        lines += [_rest_line(rest) for rest in view.rests]
    embed = discord.Embed(title="Queue", description="\n".join(lines)[:EMBED_TEXT], colour=COLOUR)
    repeats = f" · {_LOOPS[view.now.loop]}" if view.now.loop is not Loop.OFF else ""
    embed.set_footer(text=f"Page {view.page} of {view.pages} · {view.total} waiting{repeats}")
    return embed


def _rest_line(rest: Rest) -> str:
    """What is still to come of a playlist."""
    count = f"{rest.count} more" if rest.count is not None else "more"
    line = f"… {count} of {plain(rest.title, 60)}, from its entry {rest.first} on · <@{rest.requested_by}>"
    return f"{line} · `#{rest.id[:SHORT_ID]}`"


def _current_line(now: NowPlaying) -> str:
    if now.track is None:
        return "Nothing is playing."
    return f"**{PHASES[now.phase]}:** {linked(now.track)} · {clock(now.position_s)} / {length_of(now.track)}"
