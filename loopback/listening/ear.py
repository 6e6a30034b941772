"""Decodes what a listener recorded, and says what it sounds like.

Nothing is concealed: a frame that is lost, undecryptable or no Opus becomes 20 ms of digital silence and is
marked as missing. Needs numpy (the ``demo`` extra) and PyAV.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError

from loopback.listening.report import by_session, unwrapped
from loopback.voice.rtp import FRAME_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from loopback.listening.listener import Frame

    Pcm = npt.NDArray[np.int16]
    """48 kHz, shape (samples, 2): left and right."""

SAMPLE_RATE = 48_000
CHANNELS = 2
SILENCE_DBFS = -70.0
OGG_HEADERS = (b"OpusHead", b"OpusTags", b"OggS")


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Decoded sound. ``pcm`` is int16 of shape (samples, 2) at 48 kHz.

    ``missing`` has a flag for each slot: a frame that arrived or a hole in the sequence numbers. ``starts``
    holds the slot's first sample in ``pcm``. A slot has 960 samples (20 ms), unless the sender made it of
    another length.
    """

    pcm: Pcm
    missing: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]

    @property
    def seconds(self) -> float:
        """The length of the sound, missing slots included."""
        return len(self.pcm) / SAMPLE_RATE


class Decoder:
    """An Opus decoder with its state over the frames of one stream, by FFmpeg's libopus or native decoder."""

    def __init__(self) -> None:
        self._context = _opus_context()

    def decode(self, opus: bytes) -> Pcm | None:
        """The frame's samples, int16 (n, 2); None if it is not Opus."""
        if not opus:
            return None  # FFmpeg takes an empty packet for the end of the stream
        try:
            frames = self._context.decode(av.Packet(opus))
        except FFmpegError:
            self._context = _opus_context()
            return None
        if not frames:
            return None
        return np.concatenate([_stereo_int16(frame) for frame in frames])


def hear(frames: Sequence[Frame]) -> Heard:
    """Decode ``frames`` by their sequence numbers, session after session; a repeated one is heard once."""
    chunks: list[Pcm] = []
    missing: list[bool] = []
    for session in by_session(frames):
        decoder = Decoder()
        for opus in _slots(session):
            pcm = decoder.decode(opus) if opus is not None and not is_ogg_header(opus) else None
            missing.append(pcm is None)
            chunks.append(np.zeros((FRAME_SAMPLES, CHANNELS), np.int16) if pcm is None else pcm)
    lengths = np.array([len(chunk) for chunk in chunks], np.int64)
    pcm = np.concatenate(chunks) if chunks else np.zeros((0, CHANNELS), np.int16)
    return Heard(pcm, np.array(missing, np.bool_), np.cumsum(lengths) - lengths)


def decode(frames: Sequence[Frame]) -> Pcm:
    """The sound of ``frames``, int16 (samples, 2) at 48 kHz; what is missing is silent (see :func:`hear`)."""
    return hear(frames).pcm


def is_ogg_header(opus: bytes) -> bool:
    """Whether the payload is a header of an Ogg/Opus file that was sent as if it were audio."""
    return opus.startswith(OGG_HEADERS)


def ogg_headers(frames: Iterable[Frame]) -> list[int]:
    """The positions in ``frames`` of payloads that are Ogg headers."""
    return [at for at, frame in enumerate(frames) if frame.opus is not None and is_ogg_header(frame.opus)]


def level_dbfs(pcm: Pcm) -> float:
    """The root mean square of all samples in dB below full scale; -inf for digital silence."""
    if not pcm.size:
        return float("-inf")
    rms = float(np.sqrt(np.mean(np.square(pcm.astype(np.float64)))))
    return 20 * float(np.log10(rms / 32768)) if rms > 0 else float("-inf")


def is_silent(pcm: Pcm, below_dbfs: float = SILENCE_DBFS) -> bool:
    """Whether nothing can be heard: the level lies under ``below_dbfs``."""
    return level_dbfs(pcm) < below_dbfs


def tone_hz(pcm: Pcm) -> float | None:
    """The strongest frequency of both channels together, Hz; None if the sound is silent or under 10 ms.

    The peak is interpolated between the bins of a windowed FFT: about 1 Hz near for 200 ms of one clear tone.
    """
    mono = pcm.astype(np.float64).mean(axis=1)
    if len(mono) < SAMPLE_RATE // 100 or is_silent(pcm):
        return None
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono))))
    spectrum[0] = 0.0
    peak = int(np.argmax(spectrum))
    return (peak + _peak_offset(spectrum, peak)) * SAMPLE_RATE / len(mono)


def tones_hz(heard: Heard, slots: int = 10) -> list[float | None]:
    """The strongest frequency of each run of ``slots`` slots (default 200 ms)."""
    edges = [*heard.starts[::slots].tolist(), len(heard.pcm)]
    return [tone_hz(heard.pcm[start:end]) for start, end in itertools.pairwise(edges)]


def _peak_offset(spectrum: npt.NDArray[np.float64], peak: int) -> float:
    """Where between the bins the peak lies (-0.5 to 0.5): the top of a parabola through three logarithms."""
    if not 0 < peak < len(spectrum) - 1:
        return 0.0
    left, middle, right = np.log(spectrum[peak - 1 : peak + 2] + 1e-12)
    curve = left - 2 * middle + right
    return float((left - right) / (2 * curve)) if curve else 0.0


def _slots(session: Sequence[Frame]) -> list[bytes | None]:
    """The payload of each sequence number from the first to the last; None where nothing usable arrived."""
    payloads: dict[int, bytes | None] = {}
    for number, frame in zip(unwrapped(session), session, strict=True):
        if payloads.get(number) is None:
            payloads[number] = frame.opus
    return [payloads.get(number) for number in range(min(payloads), max(payloads) + 1)]


def _opus_context() -> AudioCodecContext:
    name = "libopus" if "libopus" in av.codecs_available else "opus"
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, AudioCodecContext)  # noqa: S101 - create() is typed by its base class
    return context


def _stereo_int16(frame: av.AudioFrame) -> Pcm:
    samples = frame.to_ndarray()
    if frame.format.is_packed:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype != np.int16:
        samples = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    stereo = samples if len(samples) == CHANNELS else np.repeat(samples[:1], CHANNELS, axis=0)
    return np.ascontiguousarray(stereo.T, dtype=np.int16)
