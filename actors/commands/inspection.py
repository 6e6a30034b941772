"""Commands that look into the bot."""

# No postponed annotations here: discord.py reads those of the commands when they are made.

from dataclasses import replace

from discord.ext import commands

from actors import embeds
from actors.guild import GUILDS
from supervision import TreeNode

from .desk import Context, Desk, answer, command, guild_of


class Inspection(commands.Cog):
    """The tree, for everybody to see."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    @command("tree")
    async def tree(self, ctx: Context) -> None:
        seen = seen_from(await self.desk.tree(), guild_of(ctx).id)
        await answer(ctx, embeds.code_block(seen.to_text()))


def seen_from(root: TreeNode, guild_id: int) -> TreeNode:
    """The tree with one guild's subtree only: other guilds are nobody's business here."""
    children = []
    for child in root.children:
        if child.path == GUILDS:
            own = tuple(node for node in child.children if node.id == str(guild_id))
            child = replace(child, children=own)  # noqa: PLW2901 - the same child, seen from here
        children.append(child)
    return replace(root, children=tuple(children))
