"""A disk that takes nothing: the music goes on, changes say so, and are written when that works again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors import persistence, store
from actors.app import OpenBot, open_bot
from actors.envelope import decode
from actors.schema import bring_up_to_date
from actors.settings import Address, Settings
from loopback import Loopback
from loopback.media_server import MediaServer
from loopback.music.files import write_sound
from loopback.voice.tones import sine

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from actors.store import Store

pytestmark = pytest.mark.anyio

NOT_SAVED = "not saved"


class Disk:
    """Where nothing can be written while `full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._open = bring_up_to_date
        monkeypatch.setattr(store, "bring_up_to_date", self._opened)

    def _opened(self, connection: sqlite3.Connection) -> None:
        self._open(connection)
        self._refuse(connection)

    def _refuse(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA query_only = {int(self.full)}")

    async def fill(self, file: Store) -> None:
        """From now on; an end of it is noticed by the next connection."""
        self.full = True
        await file._do(self._refuse)


async def test_each_change_is_done_answered_honestly_and_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "RETRY_S", 0.05)
    disk = Disk(monkeypatch)
    write_sound(tmp_path / "song.webm", [sine(440.0, 3000)], title="Song")
    async with Loopback() as discord, MediaServer(tmp_path) as media:
        guild = discord.add_guild("Guild", owner=(alice := discord.add_user("alice")))
        text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Music")
        await alice.join(voice)
        host, port = discord.address.rsplit(":", 1)
        settings = Settings(
            token=discord.token,
            data_dir=tmp_path / "data",
            discord_address=Address(host, int(port)),
            discord_ca=discord.ca_file,
            allow_private_media=True,
            admin_socket=tmp_path / "admin.sock",
        )

        async def ask(command: str, **options: Any) -> str:
            answer = await (await alice.slash(text, command, **options)).wait_answer(20.0)
            return answer.text

        async with open_bot(settings) as bot:
            await alice.wait_command(text, "play", 30.0)
            assert NOT_SAVED not in await ask("play", query=media.url("song.webm"))
            await guild.listener.wait_frames(25, 20.0)
            file = bot.house.rooms.store
            await disk.fill(file)
            for number in range(4):
                assert NOT_SAVED in await ask("play", query=media.url("song.webm") + f"?{number}")
            changes: tuple[tuple[str, dict[str, Any]], ...] = (
                ("pause", {}),
                ("resume", {}),
                ("seek", {"position": "0:02"}),
                ("volume", {"level": 100}),
                ("loop", {"mode": "queue"}),
                ("shuffle", {}),
                ("move", {"entry": "1", "number": 2}),
                ("remove", {"entry": "1"}),
                ("skip", {}),
            )
            for command, options in changes:
                assert NOT_SAVED in await ask(command, **options), command
            await guild.listener.wait_frames(guild.listener.heard + 25, 20.0)
            for command in ("stop", "leave", "join", "reconnect"):
                assert NOT_SAVED in await ask(command), command
            await raised(bot, {"state_unsaved"})
            disk.full = False
            await on_disk(file, guild.id, "player", lambda state: state["loop"] == "queue")
            await on_disk(file, guild.id, "connection", lambda state: state["channel_id"] == voice.id)
            assert NOT_SAVED not in await ask("volume", level=30)
            assert file.problem is None
            await raised(bot, set())


async def raised(bot: OpenBot, alerts: set[str]) -> None:
    """Wait until these alerts stand, and no others."""
    with anyio.fail_after(10.0):
        while bot.house.telemetry.book.raised != alerts:  # noqa: ASYNC110 - looked at in its own time
            await anyio.sleep(0.05)


async def on_disk(file: Store, guild_id: int, part: str, fact: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until it is there."""
    with anyio.fail_after(20):
        while True:
            blob = await file.get(guild_id, part)
            if blob is not None and fact(decode(part, blob)):
                return
            await anyio.sleep(0.01)
