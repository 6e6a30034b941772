"""A medium to Opus frames of 20 ms: passed through where they are that already, else transcoded."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import av
from av.error import FFmpegError, InvalidDataError

from . import opus
from .cache_file import Origin
from .effects import OFF
from .encoder import LEAD_FRAMES, RATE, Transcoder
from .errors import ErrorKind, MediaError
from .passing import Passing
from .source import HttpSource
from .text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from .requester import Address
    from .sink import Sink

FRAME_S = 0.02
_PREROLL_S = (
    0.2  # decoded before the position asked for: decoders need a start (Opus 80 ms, mp3 a few frames)
)
BAD_PACKETS = 50  # in a row that cannot be decoded, then it is no audio
_EARLY_S = (
    3.0  # an end this much before the stated duration, where the server does not state a size, is a cut
)
_MAX_TITLE = 200
# Containers of audio that one file holds whole. Nothing that opens other resources by itself (hls, dash,
# concat, sdp, rtsp, image2, lavfi ...): some of these demuxers open them past `io_open`.
_FORMATS = (
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,ogg,wav,w64,aac,flac,mpegts,aiff,caf,asf,avi,flv,amr,ac3,eac3,"
    "wv,ape,tta,dsf,mpeg,au,mpc,mpc8,opus"
)
_SEGMENT_FORMATS = "hls,mpegts,aac,mp3,mov,mp4,m4a,ac3,eac3,flac"
_PROTOCOLS = "http,https"  # for whatever would open by itself all the same; files, pipes and data never
NOT_AUDIO = "There is no audio in this file that can be played."


@dataclass(frozen=True, slots=True)
class Medium:
    """What to make: from frame `start_frame` of the medium on, at `volume` percent, with one of EFFECTS.

    `manifest`: the address is a playlist of segments (HLS). `use_title`: it is a direct link, whose
    file's own title counts.
    """

    address: Address
    start_frame: int = 0
    volume: int = 100
    effect: str = OFF
    manifest: bool = False
    is_live: bool = False
    use_title: bool = False
    max_s: float = 6 * 3600.0
    chunk_bytes: int | None = None

    @property
    def as_it_is(self) -> bool:
        """Whether nothing is to be done to the sound."""
        return self.volume == 100 and self.effect == OFF


@dataclass(slots=True)
class Maker:
    """Makes one spool. `announce` gets what the medium states: title and duration_s.

    `origin` is known when `run` has returned.
    """

    medium: Medium
    sink: Sink
    announce: Callable[[dict[str, Any]], None]
    refresh: Callable[[int], Address] | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    origin: Origin = field(default_factory=Origin)
    short_s: float = 0.0  # what a file that is whole by its size lacks of the duration that it states
    _sources: list[HttpSource] = field(default_factory=list)
    _lost: MediaError | None = None

    def run(self) -> None:
        """Until the end of the medium; raises MediaError."""
        first = self.sink.frames
        try:
            if not self._once(
                first, transcode=False
            ):  # packets of another length came: the rest is transcoded
                self._once(first, transcode=True)
        except (FFmpegError, ValueError) as error:
            self._raise_lost()
            raise MediaError(ErrorKind.NOT_AUDIO, NOT_AUDIO) from error
        self.sink.flush()

    def abort(self) -> None:
        """Wake it if it waits for a server; from any thread, after `cancelled` was set."""
        for source in list(self._sources):
            source.abort()

    def _once(self, first: int, *, transcode: bool) -> bool:
        """From the frame that is due to the end; False if passing through must be given up."""
        try:
            with self._open() as container:
                stream = audio_of(container)
                self._announce(container, stream)
                passing = not transcode and self.medium.as_it_is and can_pass(stream)
                way = _pass_through if passing else _transcode
                due = self.medium.start_frame + self.sink.frames - first
                return way(self, container, stream, due)
        finally:
            self._close_sources()
            check_cancelled(self)

    # -- opening

    def _open(self) -> InputContainer:
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": _PROTOCOLS}
        if self.medium.manifest:  # persistent connections would be FFmpeg's own
            options |= {"http_persistent": "0", "http_multiple": "0", "allowed_extensions": "ALL"}
            options["format_whitelist"] = _SEGMENT_FORMATS
            return av.open(
                self.medium.address.url, format="hls", io_open=self._open_segment, container_options=options
            )
        source = self._source(self.medium.address, self.refresh)
        return av.open(source, "r", io_open=_no_other, container_options=options, buffer_size=65536)

    def _source(self, address: Address, refresh: Callable[[int], Address] | None = None) -> HttpSource:
        chunk = self.medium.chunk_bytes
        source = HttpSource(address, cancelled=self.cancelled, refresh=refresh, chunk=chunk)
        self._sources.append(source)
        return source.open()

    def _open_segment(self, url: str, flags: int, options: dict[str, str]) -> HttpSource:
        self._sources = [source for source in self._sources if not source.closed]
        return self._source(self.medium.address.leading_to(url))

    def seekable(self) -> bool:
        """Whether FFmpeg may seek: on a source that cannot, it would read on and lose its place."""
        return self.medium.manifest or self._sources[0].seekable()

    def _close_sources(self) -> None:
        if self._sources and self.medium.use_title:
            self.origin = Origin(direct=True) if self.medium.manifest else self._sources[0].origin()
        for source in self._sources:
            source.close()
            self._lost = self._lost or source.error
        self._sources.clear()

    def _announce(self, container: InputContainer, stream: AudioStream) -> None:
        duration_s = _duration_s(container, stream)
        if duration_s is not None and duration_s > self.medium.max_s and not self.medium.is_live:
            raise MediaError(ErrorKind.TOO_LONG, "The track is longer than this bot plays.")
        title = (
            (container.metadata.get("title") or stream.metadata.get("title"))
            if self.medium.use_title
            else None
        )
        self.announce({"title": clean(title or "", _MAX_TITLE) or None, "duration_s": duration_s})

    # -- the end

    def _raise_lost(self) -> None:
        """Raise what ended a source: FFmpeg takes some errors for a proper end of the file."""
        errors = [source.error for source in self._sources if source.error is not None]
        if (lost := self._lost or next(iter(errors), None)) is not None:
            raise lost

    def check_end(self, container: InputContainer, stream: AudioStream, position: int) -> None:
        """Raise if it ended long before its stated duration, and no size of the file vouches for the end."""
        self._raise_lost()
        duration_s = _duration_s(container, stream)
        short_s = 0.0 if duration_s is None or self.medium.is_live else duration_s - position * FRAME_S
        if short_s <= _EARLY_S:
            return
        if self._sources and self._sources[0].size_was_stated and not self.medium.manifest:
            self.short_s = short_s
            return
        raise MediaError(
            ErrorKind.UNAVAILABLE, "The connection to the media server was lost.", retryable=True
        )


def _no_other(url: str, flags: int, options: dict[str, str]) -> HttpSource:
    raise MediaError(ErrorKind.NOT_AUDIO, "The file refers to other files; that is not played.")


def audio_of(container: InputContainer) -> AudioStream:
    """The audio that is to be heard; raises MediaError (NOT_AUDIO) if there is none."""
    stream = container.streams.best("audio")
    if stream is None:
        raise MediaError(ErrorKind.NOT_AUDIO, NOT_AUDIO)
    return stream  # type: ignore[return-value]  # best("audio") gives streams of audio only


def _duration_s(container: InputContainer, stream: AudioStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _start_s(stream: AudioStream) -> float:
    return float((stream.start_time or 0) * (stream.time_base or 0))


def _seek(maker: Maker, container: InputContainer, stream: AudioStream, position_s: float) -> None:
    """To a key frame at or before the position; a source that cannot seek is read from the start."""
    base = stream.time_base
    if position_s > 0 and base and maker.seekable():
        try:
            container.seek(int((_start_s(stream) + position_s) / base), stream=stream, backward=True)
        except (FFmpegError, OSError):
            return


# -- Opus as it is


def can_pass(stream: AudioStream) -> bool:
    """Whether its packets are Opus that can be sent as it is."""
    context = stream.codec_context
    return context.name in {"opus", "libopus"} and opus.passes_through(context.extradata or b"")


def _pass_through(maker: Maker, container: InputContainer, stream: AudioStream, position: int) -> bool:
    _seek(maker, container, stream, position * FRAME_S)
    head = stream.codec_context.extradata or b""
    # A stream's time 0 is its first audible sample; the samples to be skipped (RFC 7845, 4.2) lie before it.
    passing = Passing(maker.sink, position, _start_s(stream) - opus.pre_skip(head) / RATE)
    for packet in container.demux(stream):
        check_cancelled(maker)
        if packet.size and not passing.take(packet):
            return False
    passing.finish()
    maker.check_end(container, stream, passing.due)
    return True


# -- everything else


def _transcode(maker: Maker, container: InputContainer, stream: AudioStream, position: int) -> bool:
    lead = min(LEAD_FRAMES, position)
    from_s = (position - lead) * FRAME_S
    _seek(maker, container, stream, from_s - _PREROLL_S)
    transcoder = Transcoder(
        volume=maker.medium.volume,
        effect=maker.medium.effect,
        from_s=_start_s(stream) + from_s if position else None,
        lead=lead,
    )
    before = maker.sink.frames
    stream.codec_context.thread_count = 1
    bad = 0
    for packet in container.demux(stream):
        check_cancelled(maker)
        try:
            frames = stream.decode(packet)
        except InvalidDataError:
            bad += 1
            if bad > BAD_PACKETS:
                raise
            continue
        bad = 0
        for frame in frames:
            for payload in transcoder.push(frame):
                maker.sink.append(payload)
    for payload in transcoder.flush():
        maker.sink.append(payload)
    maker.check_end(container, stream, position + maker.sink.frames - before)
    return True


def check_cancelled(maker: Maker) -> None:
    """Raises MediaError (CANCELLED) if nobody wants the spool any more."""
    if maker.cancelled.is_set():
        raise MediaError(ErrorKind.CANCELLED, "Nobody wants this any more.")
