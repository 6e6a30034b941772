"""Ten guilds at once: each hears its own track, and what is killed in one of them is heard in none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from actors.app import OpenBot, open_bot
from actors.settings import Address, Settings
from loopback import Loopback
from loopback.listening.heard import Asked, hear
from loopback.listening.report import longest_gap_ms, report
from loopback.media_server import MediaServer
from loopback.music.files import write_music
from loopback.music.pieces import PIECES
from supervision import ChildStarted

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Guild
    from loopback.music.pieces import Piece

pytestmark = pytest.mark.anyio

GUILDS = 10
SECONDS = 12.0
LISTENED_S = 6
LONGEST_GAP_MS = 60.0
ENDINGS = (".webm", ".m4a", ".mp3", ".ogg", ".wav")


@dataclass(frozen=True, slots=True)
class Place:
    """A guild and the piece that is asked for there."""

    guild: Guild
    piece: Piece
    url: str


async def start(discord: Loopback, place: Place) -> None:
    """Join and ask; returns when music is heard."""
    listener = discord.add_user(f"listener of {place.guild.name}")
    place.guild.add_member(listener)
    text, voice = place.guild.add_text_channel("general"), place.guild.add_voice_channel("Music")
    await listener.wait_command(text, "play", 30)
    await listener.join(voice)
    await listener.slash(text, "play", query=place.url)
    await place.guild.listener.wait_frames(50, 30)


def settings_of(discord: Loopback, folder: Path) -> Settings:
    """What the environment would say."""
    host, port = discord.address.rsplit(":", 1)
    return Settings(
        token=discord.token,
        data_dir=folder,
        discord_address=Address(host, int(port)),
        discord_ca=discord.ca_file,
        allow_private_media=True,
        admin_socket=folder / "admin.sock",
    )


async def kill(bot: OpenBot, path: str) -> None:
    """Kill an actor and wait until its successor has started."""
    with anyio.fail_after(10):
        async with bot.system.subscribe() as events:
            await bot.system.kill(path)
            async for event in events:
                if isinstance(event, ChildStarted) and event.path == path:
                    return


async def test_ten_guilds_hear_their_own_tracks_while_actors_of_one_are_killed(tmp_path: Path) -> None:
    """Ten tracks at once; the player and the display of one guild are killed; nobody hears anything of it."""
    media = tmp_path / "media"
    media.mkdir()
    pieces = [replace(PIECES[number % len(PIECES)], track=number) for number in range(GUILDS)]
    names = [f"piece-{number}{ENDINGS[number % len(ENDINGS)]}" for number in range(GUILDS)]
    for piece, name in zip(pieces, names, strict=True):
        await anyio.to_thread.run_sync(write_music, media / name, piece, SECONDS)

    async with Loopback() as discord, MediaServer(media) as server:
        places = [
            Place(discord.add_guild(name), piece, server.url(name))
            for piece, name in zip(pieces, names, strict=True)
        ]
        async with open_bot(settings_of(discord, tmp_path / "data")) as bot:
            async with anyio.create_task_group() as tasks:
                for place in places:
                    tasks.start_soon(partial(start, discord, place))
            victim = places[0].guild
            for actor in ("player", "display"):
                await kill(bot, f"guilds/{victim.id}/{actor}")
            for place in places:
                await place.guild.listener.wait_frames(LISTENED_S * 50, 30)
            check_tree(bot, places)
        for place in places:
            check_heard(place)


def check_tree(bot: OpenBot, places: list[Place]) -> None:
    """One restart each where something was killed, none elsewhere."""
    for index, place in enumerate(places):
        for actor in ("connection", "player", "preloader", "display", "persistence"):
            node = bot.system.tree().find(f"guilds/{place.guild.id}/{actor}")
            assert node is not None
            killed = index == 0 and actor in ("player", "display")
            assert (node.restarts, node.incarnation) == ((1, 2) if killed else (0, 1)), node


def check_heard(place: Place) -> None:
    """The listener heard its own piece from the beginning, without a hole."""
    frames = place.guild.listener.frames[: LISTENED_S * 50]
    track = hear(frames, [Asked(place.piece.title, float(LISTENED_S), number=place.piece.track)]).reports[0]
    assert track.ok, track
    assert (track.lost, track.repeated, track.out_of_order) == (0, 0, 0), track
    assert report(frames).timestamp_steps == {960: len(frames) - 1}
    assert longest_gap_ms(frames) < LONGEST_GAP_MS
