"""The buttons below a guild's tree: look again, restart an actor, and for the bot's owner: all guilds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
import structlog
from discord import ButtonStyle, ui

from actors import embeds, embeds_tree
from actors.guild import ACTORS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .desk import Desk

PANEL_S = 300.0
"""After this long without a press the buttons go; Discord allows edits of an answer for 15 minutes."""

FOR_ADMINISTRATORS = "Restarting is for administrators."
FOR_THE_OWNER = "Only the bot's owner may see all servers."
FAILED = "Something went wrong inside the bot. It has been logged, and the music goes on."

log = structlog.get_logger(__name__)


class TreePanel(ui.View):
    """Belongs to one message. What a press may do is decided when somebody presses."""

    def __init__(self, desk: Desk, guild_id: int, *, restarts: bool, owner: bool) -> None:
        """
        :param restarts: whether there are buttons that restart
        :param owner: whether there is one for all guilds
        """
        super().__init__(timeout=PANEL_S)
        self.message: discord.Message | None = None
        self._desk, self._guild_id = desk, guild_id
        self._add("Look again", "tree:look", self._look, row=0)
        if owner:
            self._add("All servers", "tree:all", self._all, row=0)
        for actor in ACTORS if restarts else ():
            press = _restarting(self, actor)
            self._add(f"Restart {actor}", f"tree:restart:{actor}", press, row=1, style=ButtonStyle.danger)

    def _add(
        self,
        label: str,
        custom_id: str,
        press: Callable[[discord.Interaction], Awaitable[None]],
        *,
        row: int,
        style: ButtonStyle = ButtonStyle.secondary,
    ) -> None:
        button: ui.Button[TreePanel] = ui.Button(label=label, custom_id=custom_id, style=style, row=row)
        button.callback = press  # type: ignore[assignment]  # as discord.py documents it
        self.add_item(button)

    async def picture(self, note: str | None = None) -> discord.Embed:
        """The guild's tree as it is now."""
        return embeds_tree.guild_tree(await self._desk.guild_tree(self._guild_id), note)

    async def restart(self, interaction: discord.Interaction, actor: str) -> None:
        """Somebody pressed it: whoever they are, they must be an administrator now."""
        if not (interaction.permissions.administrator or await _is_owner(interaction)):
            await interaction.response.send_message(FOR_ADMINISTRATORS, ephemeral=True)
            return
        await interaction.response.defer()
        outcome = await self._desk.restart(self._guild_id, actor)
        log.info(
            "tree_restart",
            guild_id=self._guild_id,
            actor=actor,
            user_id=interaction.user.id,
            outcome=outcome,
        )
        note = f"{interaction.user.mention} restarted **{actor}**: {embeds.plain(outcome, 200)}"
        await interaction.edit_original_response(embed=await self.picture(note), view=self)

    async def _look(self, interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(embed=await self.picture(), view=self)

    async def _all(self, interaction: discord.Interaction) -> None:
        """For nobody else's eyes."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        if not await _is_owner(interaction):
            await interaction.followup.send(FOR_THE_OWNER, ephemeral=True)
            return
        client = interaction.client

        def name_of(guild_id: int) -> str | None:
            guild = client.get_guild(guild_id)
            return None if guild is None else guild.name

        whole = embeds_tree.all_guilds(await self._desk.tree(), name_of)
        await interaction.followup.send(embed=whole, ephemeral=True)

    async def on_timeout(self) -> None:
        """The buttons go."""
        if self.message is not None:
            try:
                await self.message.edit(view=None)
            except (discord.DiscordException, OSError, TimeoutError) as error:
                log.debug("tree_panel_left", error=str(error))

    async def on_error(
        self, interaction: discord.Interaction, error: Exception, item: ui.Item[Any], /
    ) -> None:
        """Never a traceback for a person."""
        log.error("tree_panel_failed", guild_id=self._guild_id, item=str(item), exc_info=error)
        try:
            if interaction.response.is_done():
                await interaction.followup.send(FAILED, ephemeral=True)
            else:
                await interaction.response.send_message(FAILED, ephemeral=True)
        except (discord.DiscordException, OSError, TimeoutError) as failure:
            log.warning("tree_panel_not_answered", guild_id=self._guild_id, error=str(failure))


def _restarting(panel: TreePanel, actor: str) -> Callable[[discord.Interaction], Awaitable[None]]:
    async def press(interaction: discord.Interaction) -> None:
        await panel.restart(interaction, actor)

    return press


async def _is_owner(interaction: discord.Interaction) -> bool:
    """Whether it is the bot's owner, or one of its team."""
    is_owner = getattr(interaction.client, "is_owner", None)
    return is_owner is not None and await is_owner(interaction.user)
