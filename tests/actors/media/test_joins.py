"""Where one spool takes over from another there is no click, at any loudness, filter or position.

Judged as a listener's decoder hears it: the two are joined as the deck does it, decoded by one decoder, and
the greatest step from one sample to the next is compared with the music's own.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import anyio
import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from actors.media import EFFECTS, Media, Spool, Track
from actors.media.encoder import LEAD_FRAMES, Transcoder
from loopback.fault_server import FaultServer, Served

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sound = NDArray[np.float64]

pytestmark = pytest.mark.anyio

RATE, FRAME = 48_000, 960
ALLOWED = 10 ** (3 / 20)
"""3 dB above the greatest step of the music itself."""


def pieces() -> dict[str, Sound]:
    """Four seconds each: a tone; and chords with a soft passage between loud ones, and a beat."""
    time = np.arange(4 * RATE) / RATE
    tone = 0.4 * np.sin(2 * np.pi * 440 * time)
    chords = sum(np.sin(2 * np.pi * hertz * time + hertz) for hertz in (110, 220, 277.2, 329.6, 1318.5))
    beat = np.exp(-30 * (time % 0.5)) * np.sin(2 * np.pi * 90 * time)
    level = np.interp(time, [0, 2.4, 2.5, 3.4, 3.5, 4], [0.08, 0.08, 0.004, 0.004, 0.08, 0.08])
    return {"tone": tone, "music": level * chords + 0.3 * beat * (level > 0.01)}


def wav(sound: Sound) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        assert isinstance(stream, AudioStream)
        samples = np.repeat((sound * 32767).astype(np.int16), 2).reshape(1, -1)
        frame = AudioFrame.from_ndarray(samples, "s16", "stereo")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def heard(frames: list[bytes]) -> Sound:
    """What one decoder makes of these frames, left channel."""
    decoder: Any = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = RATE, "stereo"
    decoded = [frame for each in frames for frame in decoder.decode(av.Packet(each))]
    return np.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in decoded]) / 32768.0


def greatest_step(sound: Sound) -> float:
    return float(np.abs(np.diff(sound)).max())


async def read(spool: Spool, frame: int, *, soft: bool = False) -> list[bytes]:
    """All from that frame of the track on, as the deck has it read."""
    with anyio.fail_after(30):
        await spool.wait_ready(1 << 30)
    return list(iter(spool.cursor(spool.place(frame), soft=soft).next_frame, None))


@pytest.mark.parametrize("kind", ["tone", "music"])
async def test_no_step_at_a_join_is_above_its_own(media: Media, server: FaultServer, kind: str) -> None:
    track = Track(server.add(f"{kind}.wav", Served(wav(pieces()[kind]))), kind, 1)
    ways: list[dict[str, Any]] = [{}, {"volume": 0}, {"volume": 200}]
    ways += [{"effect": name} for name in EFFECTS if name != "off"]
    wholes = [await read(media.spool(track, **way), 0) for way in ways]
    own = {str(way): greatest_step(heard(whole)) for way, whole in zip(ways, wholes, strict=True)}
    joins = [(61, 61, way) for way in ways] + [(61, 30, {}), (61, 178, {}), (110, 176, {})]
    begun = [media.spool(track, start_s=to / 50, **way) for _, to, way in joins]
    for spool, (at, to, way) in zip(begun, joins, strict=True):
        after = await read(spool, to, soft=at != to)
        joined = heard(wholes[0][at - 15 : at] + after[:15])
        assert greatest_step(joined[10 * FRAME :]) <= ALLOWED * max(own["{}"], own[str(way)]), (at, to, way)
        assert len(after) == len(wholes[0]) - to, "no frame more or less"


def steps_of_an_encoder_that_begins(lead: int) -> float:
    """Before the join, by so many frames: the tone at full loudness, and from frame 61 on at half of it."""
    sound = (pieces()["tone"] * 32767).astype(np.int16)

    def made(volume: int, first: int, lead: int) -> list[bytes]:
        transcoder, frames = Transcoder(volume=volume, lead=lead), []
        for begin in range((first - lead) * FRAME, 100 * FRAME, FRAME):
            samples = np.repeat(sound[begin : begin + FRAME], 2).reshape(1, -1)
            frame = AudioFrame.from_ndarray(samples, "s16", "stereo")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), begin
            frames += list(transcoder.push(frame))
        return frames

    return greatest_step(heard(made(50, 0, 0)[:61] + made(100, 61, lead))[59 * FRAME : 70 * FRAME])


def test_the_lead_of_the_encoder_is_what_makes_the_difference() -> None:
    own = greatest_step(pieces()["tone"])
    assert steps_of_an_encoder_that_begins(LEAD_FRAMES) < ALLOWED * own
    assert steps_of_an_encoder_that_begins(0) > 2 * own
