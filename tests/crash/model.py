"""What a guild's state must be after the commands that were answered: the bot's promises, kept by hand."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.envelope import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Known:
    """A guild.

    :ivar entries: numbers of the tracks, the current one first
    :ivar ordered: False after a shuffle, until the order was read from the disk
    :ivar inside: whether the bot is meant to be in the voice channel; None: either is right
    """

    entries: tuple[int, ...] = ()
    ordered: bool = True
    volume: int = 100
    loop: str = "off"
    paused: bool = False
    inside: bool | None = False

    def fits(self, found: Known) -> bool:
        """Whether the state on disk is this one."""
        same = found.entries == self.entries or (
            not self.ordered
            and found.entries[:1] == self.entries[:1]
            and sorted(found.entries) == sorted(self.entries)
        )
        inside = self.inside is None or self.inside == found.inside
        rest = (found.volume, found.loop, found.paused) == (self.volume, self.loop, self.paused)
        return same and inside and rest


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command with its options; `number` of the track for `play`."""

    name: str
    options: Mapping[str, Any]
    number: int = 0


def _play(known: Known, command: Command) -> Known:
    paused = known.paused and bool(known.entries)
    return replace(known, entries=(*known.entries, command.number), paused=paused, inside=True)


def _skip(known: Known, _command: Command) -> Known:
    kept = known.entries[:1] if known.loop == "queue" else ()
    return replace(known, entries=known.entries[1:] + kept, paused=False)


def _remove(known: Known, command: Command) -> Known:
    at = int(command.options["entry"])
    return replace(known, entries=known.entries[:at] + known.entries[at + 1 :])


def _move(known: Known, command: Command) -> Known:
    current, *waiting = known.entries
    waiting.insert(command.options["number"] - 1, waiting.pop(int(command.options["entry"]) - 1))
    return replace(known, entries=(current, *waiting))


_AFTER: dict[str, Callable[[Known, Command], Known]] = {
    "play": _play,
    "skip": _skip,
    "remove": _remove,
    "move": _move,
    "stop": lambda known, _: replace(known, entries=(), paused=False, ordered=True),
    "leave": lambda known, _: replace(known, entries=(), paused=False, ordered=True, inside=False),
    "join": lambda known, _: replace(known, inside=True),
    "pause": lambda known, _: replace(known, paused=True),
    "resume": lambda known, _: replace(known, paused=False),
    "volume": lambda known, command: replace(known, volume=command.options["level"]),
    "loop": lambda known, command: replace(known, loop=command.options["mode"]),
    "shuffle": lambda known, _: replace(known, ordered=False),
    "seek": lambda known, _: known,
}


def after(known: Known, command: Command) -> Known:
    """What an answered command makes of it."""
    return _AFTER[command.name](known, command)


def possible(known: Known, pending: Command | None) -> Iterator[Known]:
    """All states that are right while a command was not answered: as if it had never come, as if it had been
    carried out, and for the two that consist of two changes the one between.
    """
    yield known
    if pending is None:
        return
    yield after(known, pending)
    if pending.name == "play":
        yield replace(known, inside=True)
    if pending.name == "leave":
        yield replace(known, inside=False)


@dataclass(frozen=True, slots=True)
class Disk:
    """What the file says after the process was killed; `sound` is SQLite's own word."""

    sound: bool
    guilds: Mapping[int, Known]


def read(folder: Path) -> Disk:
    """Read a copy, so that the next process finds the file as the killed one has left it."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for file in folder.glob("state.sqlite3*"):
            shutil.copy(file, copy)
        connection = sqlite3.connect(copy / "state.sqlite3")
        try:
            sound = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = connection.execute("SELECT guild, part, blob FROM part").fetchall()
        finally:
            connection.close()
    states: dict[int, dict[str, Any]] = {}
    for guild_id, part, blob in rows:
        states.setdefault(guild_id, {})[part] = decode(part, blob)
    return Disk(sound, {guild_id: _known(parts) for guild_id, parts in states.items()})


def _known(parts: Mapping[str, Any]) -> Known:
    player, connection = parts.get("player"), parts.get("connection")
    inside = connection is not None and connection["channel_id"] is not None
    if player is None:
        return Known(inside=inside)
    tracks = [track for track in (player["current"], *player["waiting"]) if track is not None]
    return Known(
        entries=tuple(number_of(track["url"]) for track in tracks),
        volume=player["volume"],
        loop=player["loop"],
        paused=player["paused"],
        inside=inside,
    )


def number_of(url: str) -> int:
    """Of a track, as the harness writes it into its address."""
    found = re.search(r"n=(\d+)", url)
    return int(found[1]) if found else -1
