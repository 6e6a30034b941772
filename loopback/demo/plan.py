"""What the demo plays: the project's own pieces, or somebody's track and a piece after it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import av
import numpy as np
from av.error import FFmpegError

from loopback.listening.heard import Asked
from loopback.music.files import write_music
from loopback.music.pieces import PIECES, Piece
from loopback.music.position import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopback.media_server import MediaServer

TOTAL_S: Final = 30.0  # of the project's own music
LEAST_S: Final = 2.0  # less than this of a piece says nothing
AFTER_S: Final = 5.0  # of own music behind somebody's track
REFERENCE_S: Final = 1_200.0  # a longer track is not held in memory to be compared

_LINK = re.compile(r"[a-z][a-z0-9+.-]*://|[a-z]+search[a-z]*\d*:", re.IGNORECASE)


class NotPlayableError(Exception):
    """What was asked for cannot even be tried; the message is one line for a person."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One track of the demo: what the user asks the bot for, and what the listener ought to hear.

    `stop_s` says after how many seconds it is skipped (None: it is heard to its end); `named_by_bot`: only
    the bot finds out its title.
    """

    query: str
    asked: Asked
    stop_s: float | None = None
    named_by_bot: bool = False


def check(play: str | None) -> None:
    """Raises NotPlayableError if `play` is neither a link nor a readable file."""
    if play is None or _LINK.match(play):
        return
    path = Path(play).expanduser()
    if not path.exists():
        raise NotPlayableError(f"there is no file {play!r}, and it is no link either")
    if not path.is_file():
        raise NotPlayableError(f"{play!r} is no file")
    try:
        path.open("rb").close()
    except OSError as error:
        raise NotPlayableError(f"{play!r} cannot be read: {error.strerror}") from None


def make_plan(play: str | None, seconds: float | None, folder: Path, server: MediaServer) -> list[Item]:
    """The two tracks of the demo; own music is written into `folder`, files are added to the server.

    `seconds` bounds both tracks together. Takes a while: run it in a thread.
    """
    if play is None:
        each = max(LEAST_S, (seconds or TOTAL_S) / 2)
        first = own_piece(PIECES[0], each, ".webm", folder, server)  # passed through
        return [first, own_piece(PIECES[1], each, ".m4a", folder, server, follows_on=True)]  # transcoded
    after_s = AFTER_S if seconds is None else min(AFTER_S, max(LEAST_S, seconds / 5))
    first = _foreign(play, None if seconds is None else max(LEAST_S, seconds - after_s), server)
    to_its_end = first.stop_s is None
    return [first, own_piece(PIECES[2], after_s, ".webm", folder, server, follows_on=to_its_end)]


def own_piece(
    piece: Piece, seconds: float, ending: str, folder: Path, server: MediaServer, *, follows_on: bool = False
) -> Item:
    """A piece of the project's own music, of that many seconds, as a file of that kind."""
    name = piece.title.lower().replace(" ", "-") + ending
    url = server.add(name, write_music(folder / name, piece, seconds))
    return Item(url, Asked(piece.title, seconds, piece.track, follows_on=follows_on))


def _foreign(play: str, stop_s: float | None, server: MediaServer) -> Item:
    if _LINK.match(play):
        return Item(play, Asked(unquote(play.rsplit("/", 1)[-1]) or play, stop_s), stop_s, named_by_bot=True)
    path = Path(play).expanduser()
    title, sound = read_audio(path, REFERENCE_S if stop_s is None else stop_s + 5.0)
    length_s = None if sound is None else len(sound) / RATE
    if stop_s is not None and length_s is not None and length_s <= stop_s:
        stop_s = None  # it ends by itself before it would be cut
    whole = length_s is not None and length_s < REFERENCE_S
    seconds = stop_s if stop_s is not None else length_s if whole else None
    return Item(server.add(path.name, path), Asked(title, seconds, None, sound if seconds else None), stop_s)


def read_audio(path: Path, most_s: float) -> tuple[str, NDArray[np.int16] | None]:
    """The title of a file and what it decodes to: 48 kHz (samples, 2), `most_s` at most; None: no audio."""
    blocks: list[NDArray[np.int16]] = []
    title, left = path.stem, round(most_s * RATE)
    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            title = container.metadata.get("title") or stream.metadata.get("title") or title
            resampler = av.AudioResampler("s16", "stereo", RATE)
            for frame in container.decode(stream):
                for part in resampler.resample(frame):
                    blocks.append(part.to_ndarray().astype(np.int16, copy=False).reshape(-1, 2))
                    left -= part.samples
                if left <= 0:
                    break
    except (FFmpegError, IndexError, OSError):  # the bot is asked all the same: it has to answer well
        pass
    return title, np.concatenate(blocks)[: round(most_s * RATE)] if blocks else None
