"""The supervision tree in Discord, in lines that a phone shows: one guild's actors, and all guilds in sum."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import discord

from .durations import duration
from .embeds import COLOUR, EMBED_TEXT, plain
from .embeds_health import when
from .embeds_voice import COLOUR_TROUBLE
from .guild import GUILDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from supervision import TreeNode

MARKS = {
    "running": "🟢", "starting": "🟡", "stopping": "🟡", "suspended": "⏸️", "backoff": "🔴", "stopped": "⚫",
}  # fmt: skip

BUSY_S = 5.0
"""A message that is in hand for longer is worth a word."""

ERROR_S = 86_400.0
"""So is a failure within the last day,"""

ERROR_TEXT = 60
"""by its kind: what it says in full is for the log, where only the bot's owner reads."""

SHOWN_GUILDS = 25
NOTHING = "Nothing runs for this server: nobody has asked for music since the bot started."


def guild_tree(node: TreeNode | None, note: str | None = None) -> discord.Embed:
    """The actors of one guild; `note` tells what has just been done to them."""
    actors = () if node is None else node.children
    embed = discord.Embed(title="What keeps the music going", colour=_colour(actors))
    lines = [line for actor in actors for line in _actor(actor)] or [NOTHING]
    embed.description = _fitting([*([note, ""] if note else []), *lines])
    if node is not None:
        up = sum(actor.state == "running" for actor in actors)
        embed.set_footer(text=f"{up} of {len(actors)} running · {_restarts(_sum(actors))} in all")
    return embed


def all_guilds(root: TreeNode, name_of: Callable[[int], str | None]) -> discord.Embed:
    """The rooms that all share, and a line for each guild, those in trouble first."""
    guilds = root.find(GUILDS)
    guild_nodes = () if guilds is None else guilds.children
    rooms = [child for child in root.children if child.path != GUILDS]
    embed = discord.Embed(title="The whole bot", colour=_colour([*rooms, *guild_nodes]))
    ranked = sorted(guild_nodes, key=lambda node: (_is_well(node), -_sum([node]), node.id))
    lines = [f"{_mark(room)} **{room.id}**{_remark(room)}" for room in rooms]
    lines += ["", *(_guild(node, name_of) for node in ranked[:SHOWN_GUILDS])]
    if rest := ranked[SHOWN_GUILDS:]:
        lines.append(f"and {len(rest)} more, {sum(map(_is_well, rest))} of them well")
    embed.description = _fitting(lines)
    actors = sum(each.kind == "actor" for each in root.walk())
    restarts = _restarts(sum(each.restarts for each in root.walk()))
    embed.set_footer(text=f"{len(guild_nodes)} servers · {actors} actors · {restarts} in all")
    return embed


def _actor(node: TreeNode) -> Iterable[str]:
    incarnation = f" · incarnation {node.incarnation}" if node.incarnation > 1 else ""
    yield f"{_mark(node)} **{node.id}** {_state(node)}{incarnation}{_remark(node)}"
    if node.current_message_s > BUSY_S:
        busy_with = plain(str(node.current_message), ERROR_TEXT)
        yield f"⤷ busy with {busy_with} for {duration(node.current_message_s)}"
    if node.last_error_at is not None and time.time() - node.last_error_at < ERROR_S:
        kind = str(node.last_error).partition(":")[0]
        yield f"⤷ {plain(kind, ERROR_TEXT)} {when(node.last_error_at)}"


def _state(node: TreeNode) -> str:
    if node.restart_in_s is not None:
        return f"starts again {when(time.time() + node.restart_in_s)}"
    return f"up {duration(node.uptime_s)}" if node.state == "running" else node.state


def _remark(node: TreeNode) -> str:
    restarts = sum(each.restarts for each in node.walk())
    waiting = sum(each.mailbox_depth for each in node.walk())
    facts = (_restarts(restarts) if restarts else "", f"{waiting} waiting" if waiting else "")
    return "".join(f" · {fact}" for fact in facts if fact)


def _guild(node: TreeNode, name_of: Callable[[int], str | None]) -> str:
    name = name_of(int(node.id)) if node.id.isdigit() else None
    up = sum(child.state == "running" for child in node.children)
    return f"{_mark(node)} **{plain(name or node.id, 40)}** {up}/{len(node.children)} up{_remark(node)}"


def _mark(node: TreeNode) -> str:
    """The worst state of all below."""
    if _is_well(node):
        return MARKS["running"]
    return next(MARKS.get(each.state, "🔴") for each in node.walk() if each.state != "running")


def _is_well(node: TreeNode) -> bool:
    return all(each.state == "running" for each in node.walk())


def _sum(nodes: Iterable[TreeNode]) -> int:
    return sum(each.restarts for node in nodes for each in node.walk())


def _restarts(count: int) -> str:
    return "1 restart" if count == 1 else f"{count} restarts"


def _colour(nodes: Iterable[TreeNode]) -> discord.Colour:
    return COLOUR if all(map(_is_well, nodes)) else COLOUR_TROUBLE


def _fitting(lines: Iterable[str]) -> str:
    """As many lines as Discord takes."""
    text = ""
    for line in lines:
        if len(text) + len(line) + 1 > EMBED_TEXT:
            break
        text += f"{line}\n"
    return text
