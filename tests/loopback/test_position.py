"""The position code is read right after every codec, and says what was cut, repeated or moved."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from loopback.music.files import FORMATS, write_music
from loopback.music.pieces import PIECES, Piece, render
from loopback.music.position import FRAME, RATE, TRACKS, code, read_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pcm = NDArray[np.int16]

SECONDS = 30.0


@cache
def opus_packets() -> list[bytes]:
    """A piece as the 20 ms Opus packets that a bot passes through."""
    with TemporaryDirectory() as folder:
        path = write_music(Path(folder) / "music.webm", PIECES[1], 12.0)
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def decode(packets: list[bytes]) -> Pcm:
    context = av.CodecContext.create("libopus", "r")
    blocks = [f.to_ndarray() for packet in packets for f in context.decode(av.Packet(packet))]
    return np.concatenate([block.reshape(-1, 2) for block in blocks])


def transcode(pcm: Pcm) -> Pcm:
    """What a bot does with what is no Opus: 128 kbit/s in 20 ms packets, decoded again by a listener."""
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format, context.bit_rate = RATE, "stereo", "s16", 128_000
    packets = []
    for start in range(0, len(pcm) - FRAME + 1, FRAME):
        block = np.ascontiguousarray(pcm[start : start + FRAME].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(block, "s16", "stereo")
        frame.sample_rate, frame.pts = RATE, start
        packets += [bytes(packet) for packet in context.encode(frame)]
    return decode(packets)


def read_file(path: Path) -> Pcm:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16", "stereo", RATE)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return np.concatenate([part.to_ndarray().reshape(-1, 2) for part in frames])


@pytest.mark.parametrize(("ending", "mine"), list(zip(FORMATS, itertools.cycle(PIECES), strict=False)))
def test_more_than_999_of_1000_frames_are_read_right_after_every_codec(
    ending: str, mine: Piece, tmp_path: Path
) -> None:
    heard = transcode(read_file(write_music(tmp_path / f"x{ending}", mine, SECONDS)))
    positions = read_positions(heard)
    numbers = positions.frames()
    first = numbers[10] - 10
    assert abs(first) <= 1
    right = (positions.track == mine.track) & (numbers == first + np.arange(len(numbers)))
    assert len(numbers) >= SECONDS * 50 - 2
    assert right[2:-2].mean() > 0.999


def test_a_passed_through_stream_is_read_from_its_first_frame_to_its_last() -> None:
    numbers = read_positions(decode(opus_packets())).frames()
    assert numbers.tolist()[1:600] == list(range(1, 600))


@pytest.mark.parametrize("volume", [0.02, 0.5, 1.0])
def test_loudness_does_not_matter(volume: float) -> None:
    pcm = (decode(opus_packets()[:200]) * volume).astype(np.int16)
    assert read_positions(pcm).frames().tolist()[1:] == list(range(1, 200))


@given(st.lists(st.tuples(st.integers(5, 550), st.integers(1, 20)), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_frames_in_any_order_are_read_as_what_they_are(pieces: list[tuple[int, int]]) -> None:
    """Cuts, repeats and moves: runs of frames from anywhere, put together, are read as just those."""
    wanted = [number for first, length in pieces for number in range(first, first + length)]
    positions = read_positions(decode([opus_packets()[number] for number in wanted]))
    # A decoder that is thrown into the middle of a stream needs a frame to find its feet.
    read = positions.track >= 0
    assert read.mean() > 0.7
    shifted = positions.seconds * 50 + 0.325  # the encoder's delay of 6.5 ms
    assert np.abs(shifted[read] - np.array(wanted)[read]).max() < 0.05


@given(st.integers(0, 400), st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_inserted_silence_is_not_read_as_music(at: int, length: int) -> None:
    pcm = decode(opus_packets()[:440])
    heard = np.concatenate([pcm[: at * FRAME], np.zeros((length * FRAME, 2), np.int16), pcm[at * FRAME :]])
    numbers = read_positions(heard).frames()
    assert (numbers[at : at + length] == -1).all()
    rest = np.concatenate([numbers[:at], numbers[at + length :]])
    assert rest.tolist()[1:] == list(range(1, 440))


@given(st.integers(0, TRACKS - 1), st.integers(0, 4000 * RATE))
@settings(max_examples=40, deadline=None)
def test_every_track_and_every_sample_of_it_can_be_told(track: int, first: int) -> None:
    pcm = np.rint(code(track, first, 10 * FRAME) * 32767).astype(np.int16)
    positions = read_positions(pcm)
    assert (positions.track == track).all()
    assert np.abs(positions.seconds - first / RATE - np.arange(10) * 0.02).max() < 0.0001


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 20_000.0))
@settings(max_examples=20, deadline=None)
def test_noise_is_never_read(seed: int, loudness: float) -> None:
    noise = np.random.default_rng(seed).normal(0, loudness, (500 * FRAME, 2))
    assert (read_positions(np.clip(noise, -32768, 32767).astype(np.int16)).track == -1).all()


def test_music_without_the_code_is_never_read() -> None:
    assert (read_positions(render(PIECES[1], 20.0, level_db=None)).track == -1).all()


def test_two_tracks_at_once_are_not_read_as_either_for_sure() -> None:
    both = code(1, 0, 100 * FRAME) + code(2, 77_777, 100 * FRAME)
    assert (read_positions(np.rint(both * 32767).astype(np.int16)).track >= 0).mean() < 0.05


def test_the_time_line_has_room_for_stated_tracks_only() -> None:
    for track, first in ((-1, 0), (TRACKS, 0), (0, -1), (0, 4096 * RATE)):
        with pytest.raises(ValueError, match="no room"):
            code(track, first, FRAME)


def test_nothing_is_read_from_nothing() -> None:
    assert len(read_positions(np.zeros((0, 2), np.int16)).frames()) == 0
