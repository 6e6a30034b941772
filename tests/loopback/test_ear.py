"""Decoding of recorded frames: tones, silence, what is missing, what is no audio."""

from __future__ import annotations

import numpy as np
import pytest

from loopback.listening import ear
from loopback.listening.listener import SILENCE_FRAME, Frame
from loopback.voice.rtp import FRAME_SAMPLES
from loopback.voice.tones import encode, sine


def record(payloads: list[bytes | None], session: int = 1, first: int = 0) -> list[Frame]:
    return [
        Frame(
            arrival_ns=number * 20_000_000,
            sequence=number % 65536,
            timestamp=number * 960,
            ssrc=session,
            nonce=number,
            opus=opus,
            silence=opus == SILENCE_FRAME,
            session=session,
        )
        for number, opus in enumerate(payloads, first)
    ]


def tone(hz: float, frames: int = 50) -> list[bytes | None]:
    return list(encode(sine(hz, frames)))


@pytest.mark.parametrize("hz", [110.0, 440.0, 441.5, 2500.0])
def test_a_tone_is_heard_at_its_pitch(hz: float) -> None:
    pcm = ear.decode(record(tone(hz)))

    assert pcm.dtype == np.int16
    assert pcm.shape == (50 * FRAME_SAMPLES, 2)
    assert ear.tone_hz(pcm) == pytest.approx(hz, abs=1.0)


def test_both_channels_are_kept_apart() -> None:
    pcm = ear.decode(record(list(encode(sine(300, 50, right_hz=900)))))

    left, right = pcm[:, :1], pcm[:, 1:]
    assert ear.tone_hz(left) == pytest.approx(300, abs=1)
    assert ear.tone_hz(right) == pytest.approx(900, abs=1)


def test_a_mono_frame_is_heard_on_both_sides() -> None:
    pcm = ear.decode(record(list(encode(sine(440, 50), layout="mono"))))

    assert pcm.shape == (50 * FRAME_SAMPLES, 2)
    assert ear.tone_hz(pcm[:, 1:]) == pytest.approx(440, abs=1)


def test_discords_silence_frame_is_silent() -> None:
    pcm = ear.decode(record([SILENCE_FRAME] * 10))

    assert len(pcm) == 10 * FRAME_SAMPLES
    assert ear.is_silent(pcm)
    assert ear.tone_hz(pcm) is None


def test_music_is_not_silent() -> None:
    assert not ear.is_silent(sine(440, 10, amplitude=0.01))


def test_level_is_measured_against_full_scale() -> None:
    square = np.full((960, 2), 16384, np.int16)

    assert ear.level_dbfs(square) == pytest.approx(-6.02, abs=0.01)
    assert ear.level_dbfs(np.zeros((0, 2), np.int16)) == float("-inf")


def test_what_is_missing_is_marked_and_silent() -> None:
    payloads = tone(440, 20)
    payloads[5] = None  # undecryptable
    frames = record(payloads)
    del frames[10:13]  # lost

    heard = ear.hear(frames)

    assert np.flatnonzero(heard.missing).tolist() == [5, 10, 11, 12]
    assert heard.seconds == pytest.approx(0.4)
    assert not heard.pcm[heard.starts[11] : heard.starts[12]].any()
    assert not ear.is_silent(heard.pcm[heard.starts[14] : heard.starts[16]])


@pytest.mark.parametrize(
    "payload", [b"OpusHead\x01\x02\x38\x01", b"OpusTags\x00\x00", b"OggS\x00", b"", b"\xff"]
)
def test_no_audio_is_missing_and_the_rest_is_still_heard(payload: bytes) -> None:
    heard = ear.hear(record([payload, *tone(440)]))

    assert np.flatnonzero(heard.missing).tolist() == [0]
    assert ear.tone_hz(heard.pcm[FRAME_SAMPLES:]) == pytest.approx(440, abs=1)


def test_ogg_headers_sent_as_audio_are_found() -> None:
    payloads: list[bytes | None] = [
        b"OpusHead\x01\x02",
        b"OpusTags\x08",
        *tone(440, 3),
        None,
        b"OggS\x00\x02",
    ]

    assert ear.ogg_headers(record(payloads)) == [0, 1, 6]


def test_frames_out_of_order_and_repeated_are_heard_once_in_order() -> None:
    frames = record(tone(440, 30))
    frames[3], frames[4] = frames[4], frames[3]
    jumbled = [*frames[:10], frames[9], *frames[10:]]

    assert np.array_equal(ear.decode(jumbled), ear.decode(record(tone(440, 30))))


def test_the_wrap_of_the_sequence_number_is_no_hole() -> None:
    heard = ear.hear(record(tone(440, 30), first=65_520))

    assert len(heard.missing) == 30
    assert not heard.missing.any()


def test_sessions_follow_each_other_without_a_hole() -> None:
    frames = [*record(tone(300), session=1, first=900), *record(tone(600), session=2, first=7)]

    heard = ear.hear(frames)

    assert not heard.missing.any()
    assert [round(hz or 0, -1) for hz in ear.tones_hz(heard, slots=50)] == [300, 600]


def test_nothing_heard_is_no_sound() -> None:
    heard = ear.hear([])

    assert (heard.seconds, heard.pcm.shape, ear.tone_hz(heard.pcm)) == (0, (0, 2), None)
