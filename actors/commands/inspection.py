"""Commands that look into the bot."""

# No postponed annotations here: discord.py reads those of the commands when they are made.

from discord.ext import commands

from .desk import Context, Desk, command, guild_of
from .tree_panel import TreePanel


class Inspection(commands.Cog):
    """The guild's own tree, for everybody: it says how the bot is, and nothing of what anybody wrote."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._panels: list[TreePanel] = []

    @command("tree")
    async def tree(self, ctx: Context) -> None:
        panel = TreePanel(
            self.desk,
            guild_of(ctx).id,
            restarts=ctx.permissions.administrator,
            owner=await ctx.bot.is_owner(ctx.author),
        )
        panel.message = await ctx.send(embed=await panel.picture(), view=panel)
        self._panels = [*(each for each in self._panels if not each.is_finished()), panel]

    async def cog_unload(self) -> None:
        """The client closes: nobody presses buttons any more."""
        for panel in self._panels:
            panel.stop()
