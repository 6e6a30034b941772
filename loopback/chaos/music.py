"""The music of a run of chaos: numbered tracks, and a media server that can be in trouble."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from anyio import to_thread

from loopback.fault_server import FaultServer, Served, fault_server
from loopback.music.numbered import FRAMES_PER_S, write_numbered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from loopback.chaos.hearing import Hearing

TRACKS: Final = 48
SECONDS: Final = 30.0
FRAME_BYTES: Final = 100
"""Of a numbered frame: 40 kbit/s, a low rate of music."""


@dataclass(frozen=True, slots=True)
class Share:
    """A place in a file, from 0 to 1."""

    part: float


TROUBLES: Final[Mapping[str, Mapping[str, object]]] = {
    "connection cut": {"cuts": (Share(0.4),)},
    "connection cut three times": {"cuts": (Share(0.2), Share(0.5), Share(0.8))},
    "connection reset": {"resets": (Share(0.5),)},
    "stall": {"stalls": (Share(0.5),), "stall_s": 3.0},
    "refused midway": {"refuse_from": Share(0.5)},
    "busy": {"cuts": (Share(0.3),), "after_cut": (503, 429)},
    "no ranges": {"ranges": False, "cuts": (Share(0.6),)},
    "chunked": {"ranges": False, "framing": "chunked"},
}
"""What may go wrong with a medium, as the fields of what is served."""


@dataclass(eq=False)
class Music:
    """Every address is served as a file of its own, whose trouble is written into it."""

    server: FaultServer
    files: list[bytes]
    outage: bool = False
    """Whether the server is too busy for anybody at the moment."""
    hearings: dict[int, Hearing] = field(default_factory=dict)
    _served: dict[str, Served] = field(default_factory=dict)
    _asked: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def count(self) -> int:
        """Tracks that there are; their numbers begin anew after that."""
        return len(self.files)

    @property
    def seconds(self) -> float:
        """Of each track."""
        return SECONDS

    @property
    def frames(self) -> int:
        """Of each track."""
        return round(SECONDS * FRAMES_PER_S)

    def url(self, number: int, guild_id: int, trouble: str = "") -> str:
        """A new address of a track, with that trouble."""
        name = _name(number)
        if name not in self.server.files:
            self.server.files[name] = lambda query: self._find(number, query)
        query = f"n={next(self._asked)}&g={guild_id}&t={trouble.replace(' ', '+')}"
        return f"http://127.0.0.1:{self.server.port}/{name}?{query}"

    def left_frames(self, guild_id: int) -> int:
        """Frames of the current track that have not been heard yet."""
        hearing = self.hearings.get(guild_id)
        return 0 if hearing is None or hearing.now is None else self.frames - hearing.now.last

    def heard(self, guild_id: int) -> int:
        """Frames of music that have been heard so far, however they sound."""
        hearing = self.hearings.get(guild_id)
        return 0 if hearing is None else len(hearing.arrivals)

    def other_sound_ns(self, guild_id: int) -> int:
        """When music was heard last that sounds otherwise than in its file."""
        hearing = self.hearings.get(guild_id)
        return 0 if hearing is None else hearing.other_sound_ns

    def _find(self, number: int, query: str) -> Served:
        data = self.files[number]
        if self.outage:
            return Served(data, broken=True, after_cut=[503], headers={"Retry-After": "1"})
        if query not in self._served:
            trouble = parse_qs(query).get("t", [""])[0]
            self._served[query] = _troubled(data, TROUBLES.get(trouble, {}))
        return self._served[query]


def _name(number: int) -> str:
    return f"track-{number}.webm"


def _troubled(data: bytes, trouble: Mapping[str, object]) -> Served:
    served = Served(data, content_type="audio/webm")
    for name, value in trouble.items():
        setattr(served, name, _placed(value, len(data)))
    return served


def _placed(value: object, size: int) -> object:
    """What stands in the table, with shares of the file as places in it."""
    match value:
        case tuple():
            return [_placed(one, size) for one in value]
        case Share(part):
            return int(part * size)
    return value


def _write(count: int) -> list[bytes]:
    with tempfile.TemporaryDirectory(prefix="ostinato-music-") as folder:
        place = Path(folder)
        for track in range(count):
            write_numbered(place / _name(track), SECONDS, track=track, length=FRAME_BYTES)
        return [(place / _name(track)).read_bytes() for track in range(count)]


@asynccontextmanager
async def open_music(count: int = TRACKS) -> AsyncIterator[Music]:
    """Make the tracks, and serve them while the block runs."""
    files = await to_thread.run_sync(_write, count)
    async with fault_server() as server:
        yield Music(server, files)
