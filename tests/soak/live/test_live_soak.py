"""The verdict of `make soak-live`, on streams that are known."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from av.audio.frame import AudioFrame

from actors.media.encoder import new_encoder
from tests.actors.media.streaming import LOWEST_HZ, RATE, STEP_HZ, TONES
from tests.soak.live.verdict import Heard, judge

SEGMENT_S, LAG, STALL = 1.0, 3, (8.0, 14.0)


@cache
def sound(seconds: int) -> list[bytes]:
    """Frames of a stream whose tone changes every second."""
    at = np.arange(seconds * RATE) / RATE
    hertz = LOWEST_HZ + STEP_HZ * ((at / SEGMENT_S).astype(int) % TONES)
    wave = (9000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)
    encoder, made = new_encoder(), []
    for begin in range(0, len(wave), 960):
        frame = AudioFrame.from_ndarray(np.repeat(wave[begin : begin + 960], 2)[None], "s16", "stereo")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), begin
        made += [bytes(packet) for packet in encoder.encode(frame)]
    return made


def heard(back_s: float, *, without: range = range(0), late: float = 0.0) -> Heard:
    """Of a stream that stands still in the stall, is back so long after, and then `late` behind its edge."""
    frames = []
    for number, frame in enumerate(sound(24)):
        at = 0.02 * number
        if number not in without and not STALL[0] + LAG <= at < STALL[1] + back_s:
            frames.append((at, frame))
    return judge(frames, lambda at: int(at / SEGMENT_S + (late if at > STALL[1] else 0)) + LAG, STALL)


def test_a_stream_that_keeps_its_promises() -> None:
    found = heard(1.0)
    assert found.well
    assert found.usual_segments == LAG
    assert found.longest_gap_ms == pytest.approx(20)
    assert found.back_s == pytest.approx(1.0, abs=0.1)


def test_what_breaks_them_is_noticed() -> None:
    for hole in (range(100, 104), range(850, 854)):
        assert (heard(1.0, without=hole).gaps, heard(1.0, without=hole).well) == (1, False)
    assert heard(2.6).back_s == pytest.approx(2.6, abs=0.1)
    assert not heard(2.6).well
    assert heard(1.0, late=3.0).back_s is None, "heard, but not at the edge"
