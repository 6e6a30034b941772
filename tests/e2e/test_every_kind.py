"""A minute of every kind of file is heard whole: right music, right order, on time, and nothing but music."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from loopback import Loopback
from loopback.listening.ear import ogg_headers
from loopback.listening.heard import Asked, hear
from loopback.listening.report import inter_arrival_errors_ms, longest_gap_ms, report
from loopback.media_server import MediaServer
from loopback.music.files import write_sound
from loopback.music.pieces import PIECES, blocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from anyio.abc import Process

    from loopback import Guild
    from loopback.listening.listener import Frame

    RunBot = Callable[[Loopback], AbstractAsyncContextManager[Process]]
    EmptySender = Callable[[], AbstractAsyncContextManager[list[int]]]

pytestmark = pytest.mark.anyio

SECONDS = 60
FRAMES = SECONDS * 50
KINDS = {"WebM/Opus": ".webm", "m4a/AAC": ".m4a", "mp3": ".mp3", "Ogg/Vorbis": ".ogg", "WAV": ".wav"}
SAMPLES_A_FRAME = 960
PADDING = 3
"""Frames by which an encoder may lengthen a track (AAC and mp3 work in blocks of about 25 ms)."""


def write_files(folder: Path) -> None:
    """The same minute of music as every kind of file."""
    sound = list(blocks(PIECES[0], SECONDS))
    for ending in KINDS.values():
        write_sound(folder / f"music{ending}", sound, title=PIECES[0].title)


async def listen(discord: Loopback, guild: Guild, url: str) -> list[Frame]:
    """Join, ask for the track, and record until it is over."""
    alice = discord.add_user(f"alice of {guild.name}")
    guild.add_member(alice)
    text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Music")
    await alice.wait_command(text, "play", 30)
    await alice.join(voice)
    await alice.slash(text, "play", query=url)
    await guild.listener.wait_frames(FRAMES, SECONDS + 30)
    await anyio.sleep(1.0)  # what should not come after the end would come now
    return list(guild.listener.frames)


@pytest.mark.timeout(180)
async def test_a_minute_of_each_kind_is_heard_whole(
    run_bot: RunBot, empty_sender: EmptySender, p99_error_ms: Callable[[list[int]], float], tmp_path: Path
) -> None:
    """Five guilds play a minute of one kind each, beside a sender that does nothing but send on time."""
    media = tmp_path / "media"
    media.mkdir()
    heard: dict[str, list[Frame]] = {}
    await anyio.to_thread.run_sync(write_files, media)

    async def one(kind: str, guild: Guild, url: str) -> None:
        heard[kind] = await listen(discord, guild, url)

    async with Loopback() as discord, MediaServer(media) as server:
        guilds = {kind: discord.add_guild(kind) for kind in KINDS}
        async with run_bot(discord), empty_sender() as arrivals:
            async with anyio.create_task_group() as tasks:
                for kind, ending in KINDS.items():
                    tasks.start_soon(partial(one, kind, guilds[kind], server.url(f"music{ending}")))
            floor_ms = p99_error_ms(arrivals)

    for kind, frames in heard.items():
        check_heard_whole(kind, frames)
        check_in_time(kind, frames[:FRAMES])
        check_evenness(kind, frames[:FRAMES], floor_ms)


def check_heard_whole(kind: str, frames: list[Frame]) -> None:
    """Every frame of the track is there, once, in order, decodable, and no container's header among them."""
    asked = Asked(PIECES[0].title, float(SECONDS), number=PIECES[0].track)
    track = hear(frames, [asked]).reports[0]
    assert track.ok, (kind, track)
    assert (track.lost, track.repeated, track.out_of_order, track.undecodable) == (0, 0, 0, 0), (kind, track)
    figures = report(frames)
    assert (figures.lost, figures.repeated, figures.out_of_order, figures.undecryptable) == (0, 0, 0, 0), kind
    assert figures.reused_nonces == 0, kind
    assert ogg_headers(frames) == [], kind
    music = sum(not frame.silence for frame in frames)
    assert FRAMES <= music <= FRAMES + PADDING, (kind, music)


def check_in_time(kind: str, frames: list[Frame]) -> None:
    """RTP steps of 20 ms, no bursts, no gaps."""
    figures = report(frames)
    assert figures.timestamp_steps == {SAMPLES_A_FRAME: len(frames) - 1}, kind
    assert figures.largest_burst <= 4, (kind, figures)
    assert longest_gap_ms(frames) < 60, (kind, figures)


def check_evenness(kind: str, frames: list[Frame], floor_ms: float) -> None:
    """The 99th percentile of how far neighbours are from 20 ms apart is at most twice the empty sender's."""
    errors = sorted(inter_arrival_errors_ms(frames))
    p99_ms = errors[int(len(errors) * 0.99)]
    assert p99_ms <= 2 * floor_ms, (kind, p99_ms, floor_ms)
