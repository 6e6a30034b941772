"""A live stream to frames: opened again and again, for as long as it goes on.

FFmpeg's reader of HLS ends whenever a playlist cannot be had, and an internet radio is one answer that ends
with its connection. Neither is the end of the stream. So it is opened anew, at its edge, and what was had
before is left out: the time stamps go on over the opening. After a short break nothing is missing; after one
that was longer than what the server still hands out, the stream goes on at its edge.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from av.error import FFmpegError, InvalidDataError

from .encoder import Transcoder
from .errors import ErrorKind, MediaError
from .maker import BAD_PACKETS, NOT_AUDIO, Maker, audio_of, can_pass, check_cancelled
from .passing import Passing
from .source import HttpSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

    from .requester import Address

    #: Takes a packet; False if it cannot be passed on without decoding.
    Take = Callable[[Packet[AudioStream]], bool]

AGAIN_S: Final = 0.25
"""Between an end and the next opening."""
GIVE_UP_S: Final = 40.0
"""Without a new frame: then the bot extracts a new address."""
TIMEOUT_S: Final = 2.0
"""For a connection, and between two pieces: who waits longer has fallen out of the window anyway."""
PATIENCE_S: Final = (0.0, 0.25, 0.25, 0.5)
BURST_FRAMES: Final = 2000
"""What may come at once; from then on no faster than it is heard, or the ring would overtake its readers."""

_REPEATED_S: Final = 120.0  # what is opened anew repeats no more than this
_FATAL: Final = {
    ErrorKind.CANCELLED,
    ErrorKind.DISK,
    ErrorKind.PRIVATE_ADDRESS,
    ErrorKind.UNSUPPORTED_LINK,
}
_PLAYLIST, _ENDED = b"#EXTM3U", b"#EXT-X-ENDLIST"  # RFC 8216, 4.3.1.1 and 4.3.3.4


class LiveSource(HttpSource):
    """Tells when a playlist says that the stream is over."""

    _is_playlist: bool | None = None
    _tail = b""

    def __init__(self, address: Address, on_over: Callable[[], None], **more: Any) -> None:
        super().__init__(address, timeout_s=TIMEOUT_S, backoff_s=PATIENCE_S, **more)
        self._on_over = on_over

    def read(self, size: int) -> bytes:
        """As every source."""
        data = super().read(size)
        if self._is_playlist is None:
            self._is_playlist = data.startswith(_PLAYLIST)
        if self._is_playlist and _ENDED in self._tail + data:
            self._on_over()
        self._tail = data[-len(_ENDED) :]
        return data


@dataclass(slots=True)
class LiveMaker(Maker):
    """Makes a live spool, until the stream says that it is over, or nobody wants it any more."""

    _over: bool = False
    _decodes: bool = False  # its packets cannot be sent as they are
    _until_s: float | None = None  # time stamp of the latest packet that was taken
    _began_s: float | None = None  # time stamp of the first one of the latest opening
    _goes_on: bool = False  # the time stamps of this opening go on from those of the one before
    _transcoder: Transcoder | None = None  # one for all openings: its frames go on from each other
    _allowed: float = BURST_FRAMES
    _counted_at: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Until the end; raises MediaError."""
        latest = time.monotonic()
        while not self._over:
            before = self.sink.frames
            try:
                self._visit()
            except (FFmpegError, ValueError, MediaError) as error:
                self._judge(error, got_on=self.sink.frames > before)
            self.sink.flush()
            check_cancelled(self)
            latest = time.monotonic() if self.sink.frames > before else latest
            if time.monotonic() - latest > GIVE_UP_S:
                raise MediaError(ErrorKind.GONE, "The live stream sends nothing any more.")
            self.cancelled.wait(AGAIN_S)

    def _judge(self, error: Exception, *, got_on: bool) -> None:
        """Raise what another opening cannot help against."""
        lost = error if isinstance(error, MediaError) else self._lost
        if lost is not None and (lost.kind in _FATAL or not self.sink.frames):
            raise lost
        if lost is not None and lost.kind is ErrorKind.GONE and not got_on:
            raise lost
        if not self.sink.frames:
            raise MediaError(ErrorKind.NOT_AUDIO, NOT_AUDIO) from error

    def _visit(self) -> None:
        """Open it, and take what comes until that ends."""
        self._lost = None
        try:
            with self._open() as container:
                stream = audio_of(container)
                self._announce(container, stream)
                self._take_all(container, stream)
                if not self.medium.manifest:  # a file that ends is no live stream any more
                    self._over = self._sources[0].size_was_stated and self._sources[0].error is None
        finally:
            self._close_sources()
            check_cancelled(self)

    def _source(self, address: Address, refresh: Callable[[int], Address] | None = None) -> HttpSource:
        source = LiveSource(address, self._is_over, cancelled=self.cancelled, refresh=refresh)
        self._sources.append(source)
        return source.open()

    def _is_over(self) -> None:
        self._over = True

    def _take_all(self, container: InputContainer, stream: AudioStream) -> None:
        passing = self.medium.as_it_is and can_pass(stream) and not self._decodes
        take = self._pass_on() if passing else self._transcode(stream)
        self._began_s, previous_s = None, self._began_s
        for packet in container.demux(stream):
            check_cancelled(self)
            if packet.size and not self._was_had(packet, previous_s):
                before = self.sink.frames
                if not take(packet):
                    self._decodes = True
                    return
                self._keep_pace(self.sink.frames - before)

    def _was_had(self, packet: Packet[AudioStream], previous_s: float | None) -> bool:
        """Whether an earlier opening gave this packet already; streams that count from 0 anew cannot tell."""
        if packet.pts is None or not packet.time_base:
            return False
        at_s = float(packet.pts * packet.time_base)
        if self._began_s is None:
            self._began_s = at_s
            self._goes_on = previous_s is not None and at_s > 1.0 and at_s >= previous_s
        until_s = self._until_s
        if self._goes_on and until_s is not None and 0 <= until_s - at_s < _REPEATED_S:
            return True
        self._until_s = at_s
        return False

    def _pass_on(self) -> Take:
        passing: list[Passing] = []

        def take(packet: Packet[AudioStream]) -> bool:
            if not passing:  # the first one that counts is the next frame
                start_s = float((packet.pts or 0) * (packet.time_base or 0))
                passing.append(Passing(self.sink, 0, start_s))
            return passing[0].take(packet)

        return take

    def _transcode(self, stream: AudioStream) -> Take:
        stream.codec_context.thread_count = 1
        transcoder = self._transcoder = self._transcoder or Transcoder(
            volume=self.medium.volume, effect=self.medium.effect
        )
        bad = 0

        def take(packet: Packet[AudioStream]) -> bool:
            nonlocal bad
            try:
                frames = stream.decode(packet)
            except InvalidDataError:
                bad += 1
                if bad > BAD_PACKETS:
                    raise
                return True
            bad = 0
            for payload in chain.from_iterable(map(transcoder.push, frames)):
                self.sink.append(payload)
            return True

        return take

    def _keep_pace(self, made: int) -> None:
        self._allowed -= made
        while self._allowed < 0 and not self.cancelled.is_set():
            now = time.monotonic()
            self._allowed = min(BURST_FRAMES, self._allowed + (now - self._counted_at) * 55)
            self._counted_at = now
            if self._allowed < 0:
                self.sink.flush()
                self.cancelled.wait(0.1)
