"""`tree` in Discord, with its buttons, through the embedded Discord and the real bot in process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import structlog

from actors.app import OpenBot, open_bot
from actors.commands import tree_panel
from actors.settings import Address, Settings
from loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from loopback import Guild, Message, ScriptedUser, TextChannel

pytestmark = pytest.mark.anyio

ACTORS = ("persistence", "connection", "preloader", "player", "display")


@dataclass
class Scene:
    """A guild of the bot's owner with alice, who is nobody, and anna, who is an administrator."""

    discord: Loopback
    bot: OpenBot
    guild: Guild
    text: TextChannel
    alice: ScriptedUser
    anna: ScriptedUser

    async def tree(self, who: ScriptedUser) -> Message:
        return await (await who.slash(self.text, "tree")).wait_answer(20.0)

    def restarts(self, actor: str) -> tuple[int, str]:
        node = self.bot.system.tree().find(f"guilds/{self.guild.id}/{actor}")
        return (0, "away") if node is None else (node.restarts, node.state)


@asynccontextmanager
async def open_scene(folder: Path) -> AsyncIterator[Scene]:
    async with Loopback() as discord:
        guild = discord.add_guild("Guild")
        text = guild.add_text_channel("general")
        alice, anna = discord.add_user("alice"), discord.add_user("anna")
        guild.add_member(alice)
        guild.add_member(anna, guild.add_role("chief", "administrator"))
        host, _, port = discord.address.partition(":")
        settings = Settings(
            token=discord.token,
            data_dir=folder,
            admin_socket=folder / "admin.sock",
            discord_address=Address(host, int(port)),
            discord_ca=discord.ca_file,
        )
        async with open_bot(settings) as bot:
            await discord.wait_bot()
            await alice.wait_command(text, "tree", 20.0)
            yield Scene(discord, bot, guild, text, alice, anna)


def buttons(message: Message) -> list[str]:
    return list(message.controls())


async def test_the_tree_and_its_buttons(tmp_path: Path) -> None:
    """Anybody looks, administrators restart, the owner sees all; who presses is judged when they press."""
    async with open_scene(tmp_path) as scene:
        empty = await scene.tree(scene.alice)
        assert "nobody has asked for music" in str(empty.embeds)
        await (await scene.alice.slash(scene.text, "queue")).wait_answer(20.0)
        seen = await scene.tree(scene.alice)
        assert all(f"🟢 **{actor}** up" in str(seen.embeds) for actor in ACTORS)
        assert "store" not in str(seen.embeds)
        assert buttons(seen) == ["tree:look"]

        panel = await scene.tree(scene.anna)
        assert buttons(panel) == ["tree:look", *(f"tree:restart:{actor}" for actor in ACTORS)]
        refused = await (await scene.alice.press(panel, "tree:restart:player")).wait_answer(20.0)
        assert (refused.content, refused.ephemeral) == (tree_panel.FOR_ADMINISTRATORS, True)
        assert scene.restarts("player") == (0, "running")

        with structlog.testing.capture_logs() as logs:
            pressed = await scene.anna.press(panel, "tree:restart:player")
            await scene.text.watch.until(
                lambda: "it is up again" in str(panel.embeds) or None, 20.0, lambda: "the outcome"
            )
        assert pressed.source is panel
        assert f"{scene.anna.mention} restarted **player**" in str(panel.embeds)
        assert buttons(panel) != []
        assert scene.restarts("player") == (1, "running")
        (told,) = [line for line in logs if line["event"] == "tree_restart"]
        assert (told["actor"], told["user_id"], told["guild_id"], told["outcome"]) == (
            "player", scene.anna.id, scene.guild.id, "it is up again")  # fmt: skip

        await scene.alice.press(seen, "tree:look")
        await scene.text.watch.until(
            lambda: "1 restart in all" in str(seen.embeds) or None, 20.0, lambda: "a new look"
        )

        said = await scene.anna.say(scene.text, "!tree")
        by_text = await scene.text.wait_message(lambda each: each.id > said.id and bool(each.embeds), 20.0)
        assert buttons(by_text) == buttons(panel)

        owners = await scene.tree(scene.discord.owner)
        assert buttons(owners)[:2] == ["tree:look", "tree:all"]
        refused = await (await scene.alice.press(owners, "tree:all")).wait_answer(20.0)
        assert refused.content == tree_panel.FOR_THE_OWNER
        whole = await (await scene.discord.owner.press(owners, "tree:all")).wait_answer(20.0)
        assert whole.ephemeral
        assert "🟢 **Guild** 5/5 up · 1 restart" in str(whole.embeds)
        assert "**store**" in str(whole.embeds)


async def test_what_goes_wrong_at_a_press_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor that does not come up, others at work at the same time, a defect; and buttons do not stay."""
    async with open_scene(tmp_path) as scene:
        await (await scene.alice.slash(scene.text, "queue")).wait_answer(20.0)
        panel = await scene.tree(scene.anna)

        def shows(words: str) -> Any:
            return scene.text.watch.until(lambda: words in str(panel.embeds) or None, 20.0, lambda: words)

        def broken(*_: object) -> None:
            raise RuntimeError("no start")

        with monkeypatch.context() as patch:
            patch.setattr("actors.display.Display.on_start", broken)
            await scene.anna.press(panel, "tree:restart:display")
            await shows("it failed to start (RuntimeError), so all five are started anew")
        with anyio.fail_after(20):
            while scene.restarts("display")[1] != "running":  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.02)

        with monkeypatch.context() as patch:
            patch.setattr("actors.commands.desk.Desk.restart", broken)
            failed = await (await scene.anna.press(panel, "tree:restart:display")).wait_message(
                lambda message: message.content == tree_panel.FAILED, 20.0
            )
        assert failed.ephemeral
        monkeypatch.setattr(tree_panel, "PANEL_S", 0.05)
        brief = await scene.tree(scene.anna)
        await scene.text.watch.until(lambda: not buttons(brief) or None, 20.0, lambda: "no buttons")
