"""Cutting and joining packets of Opus, against RFC 6716 and the decoder."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from actors.media import opus
from actors.media.reframer import CannotReframeError, Reframer

TOC_10_MS = 30 << 3 | 4  # CELT, fullband, 10 ms, stereo
payloads = st.lists(st.binary(max_size=600), min_size=1, max_size=12)


@given(payloads)
def test_joined_frames_come_apart_again(frames: list[bytes]) -> None:
    packet = opus.join(TOC_10_MS, frames)
    assert opus.frames_of(packet) == frames
    assert opus.packet_samples(packet) == 480 * len(frames)


@given(st.binary(max_size=64))
def test_damaged_packets_are_an_error_or_frames_but_nothing_else(packet: bytes) -> None:
    try:
        frames = opus.frames_of(packet)
    except ValueError:
        return
    assert sum(map(len, frames)) < len(packet)


@pytest.mark.parametrize(
    ("packet", "frames"),
    [
        (b"\xf4ab", [b"ab"]),
        (b"\xf5abcd", [b"ab", b"cd"]),
        (b"\xf6\x01abc", [b"a", b"bc"]),
        (b"\xf7\x03abcdef", [b"ab", b"cd", b"ef"]),
        (b"\xf7\x42\x02abcd\x00\x00", [b"ab", b"cd"]),
        (b"\xf7\x83\x01\x02abbc", [b"a", b"bb", b"c"]),
    ],
    ids=["one", "two equal", "two", "three equal", "padded", "three"],
)
def test_every_form_of_a_packet(packet: bytes, frames: list[bytes]) -> None:
    assert opus.frames_of(packet) == frames


@pytest.mark.parametrize(
    "packet", [b"", b"\xf5abc", b"\xf6", b"\xf6\x09a", b"\xf7", b"\xf7\x00", b"\xf7\x42\xff", b"\xf6\xfc"]
)
def test_malformed_packets(packet: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        opus.frames_of(packet)


@given(st.lists(st.integers(1, 6), max_size=20))
def test_frames_keep_their_order_and_none_is_lost(sizes: list[int]) -> None:
    reframer, sent, number = Reframer(), list[bytes](), 0
    got: list[bytes] = []
    for size in sizes:
        frames = [(number + offset).to_bytes(2) for offset in range(size)]
        number, sent = number + size, sent + frames
        got += reframer.push(opus.join(TOC_10_MS, frames))
    assert all(opus.packet_samples(packet) == opus.FRAME_SAMPLES for packet in got)
    got += reframer.flush()
    assert [frame for packet in got for frame in opus.frames_of(packet)] == sent


def test_what_cannot_be_regrouped_is_said() -> None:
    for bad in (b"", bytes([3 << 3]) + b"speech of 60 ms", b"\xf7\x00"):
        with pytest.raises(CannotReframeError):
            Reframer().push(bad)
    reframer = Reframer()
    assert reframer.push(opus.join(TOC_10_MS, [b"half"])) == []
    with pytest.raises(CannotReframeError):
        reframer.push(opus.join(31 << 3 | 4, [b"whole"]))


def test_a_short_last_packet_stays_as_it_is() -> None:
    reframer, short = Reframer(), b"\xf7\x01half"
    assert reframer.push(b"\xfcwhole") == [b"\xfcwhole"]
    assert [*reframer.push(short), *reframer.flush()] == [short]


def test_packets_that_no_datagram_could_carry_are_not_passed_on() -> None:
    largest = b"\xfc" + bytes(opus.MAX_FRAME)
    assert Reframer().push(largest) == [largest]
    for bad in (b"\xfc" + bytes(60_000), b"\xf5" + bytes(2 * 1000), b"\xf4" + bytes(3000)):
        with pytest.raises(CannotReframeError):
            Reframer().push(bad)


@pytest.mark.parametrize(
    ("toc", "samples"),
    [(0, 480), (3 << 3, 2880), (12 << 3, 480), (13 << 3, 960), (16 << 3, 120), (31 << 3, 960)],
)
def test_lengths_of_frames(toc: int, samples: int) -> None:
    assert opus.frame_samples(toc) == samples


def test_only_plain_streams_pass() -> None:
    def head(channels: int, family: int, gain: int = 0) -> bytes:
        return b"OpusHead\x01" + bytes([channels]) + bytes(6) + gain.to_bytes(2, "little") + bytes([family])

    assert opus.passes_through(head(2, 0))
    assert opus.passes_through(head(1, 0))
    assert opus.passes_through(b"")
    assert not opus.passes_through(head(2, 0, gain=256)), "players are to apply it (RFC 7845, section 5.1)"
    assert not opus.passes_through(head(6, 1))
    assert not opus.passes_through(head(2, 255))
    assert not opus.passes_through(b"OpusHead")
    assert opus.pre_skip(b"OpusHead\x01\x02\x38\x01" + bytes(7)) == 312
    assert opus.pre_skip(b"") == 0
