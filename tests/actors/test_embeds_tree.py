"""The supervision tree in Discord: what each line says, and that it fits."""

from __future__ import annotations

import time
from typing import Any

from actors.embeds import COLOUR, EMBED_TEXT
from actors.embeds_tree import SHOWN_GUILDS, all_guilds, guild_tree
from actors.embeds_voice import COLOUR_TROUBLE
from actors.guild import ACTORS
from supervision import TreeNode


def node(path: str, *children: TreeNode, **more: Any) -> TreeNode:
    """One who is well."""
    row: dict[str, Any] = {
        "id": path.rpartition("/")[2] or "ostinato", "path": path,
        "kind": "supervisor" if children else "actor", "state": "running", "incarnation": 1, "restarts": 0,
        "mailbox_depth": 0, "mailbox_peak": 0,
        "mailbox_dropped": 0, "handled": 3, "restart_in_s": None, "uptime_s": 7300.0, "last_error": None,
        "last_error_at": None, "current_message": None, "current_message_s": 0.0}  # fmt: skip
    return TreeNode(**(row | more), children=children)


def guild(number: int, **player: Any) -> TreeNode:
    actors = (node(f"guilds/{number}/{name}", **(player if name == "player" else {})) for name in ACTORS)
    return node(f"guilds/{number}", *actors)


def backing_off() -> dict[str, Any]:
    return {"state": "backoff", "restart_in_s": 12.4, "incarnation": 4, "restarts": 3, "mailbox_depth": 2,
            "last_error": "KeyError: 'what a user wrote'", "last_error_at": time.time() - 30}  # fmt: skip


def lines(embed: Any) -> list[str]:
    return str(embed.description).splitlines()


def test_a_guild_that_is_well_is_five_short_lines() -> None:
    embed = guild_tree(guild(1))
    assert lines(embed) == [f"🟢 **{name}** up 2 h" for name in ACTORS]
    assert embed.footer.text == "5 of 5 running · 0 restarts in all"
    assert embed.colour == COLOUR


def test_trouble_is_told_with_its_countdown_and_without_what_anybody_wrote() -> None:
    embed = guild_tree(guild(1, **backing_off()), "note")
    assert lines(embed)[:2] == ["note", ""]
    begin, cause = lines(embed)[5:7]
    due = round(time.time() + 12.4)
    assert begin.startswith("🔴 **player** starts again <t:")
    assert abs(int(begin.partition("<t:")[2].partition(":")[0]) - due) <= 1
    assert begin.endswith(" · incarnation 4 · 3 restarts · 2 waiting")
    assert cause.startswith("⤷ KeyError <t:")
    assert "wrote" not in str(embed.description)
    assert embed.colour == COLOUR_TROUBLE


def test_what_is_busy_for_long_says_with_what() -> None:
    shown = lines(guild_tree(guild(1, current_message="Play_Now", current_message_s=6.5)))
    assert shown[4] == r"⤷ busy with Play\_Now for 6 s"
    assert len(lines(guild_tree(guild(1, current_message="Play", current_message_s=4)))) == 5


def test_old_failures_are_no_news() -> None:
    old = {"last_error": "killed by system.kill", "last_error_at": time.time() - 90_000, "restarts": 1}
    shown = lines(guild_tree(guild(1, **old)))
    assert shown[3] == "🟢 **player** up 2 h · 1 restart"
    assert len(shown) == 5


def test_without_a_tree_it_is_said() -> None:
    assert lines(guild_tree(None))[0].startswith("Nothing runs for this server")


def test_all_guilds_are_a_line_each_those_in_trouble_first() -> None:
    guilds = [
        *(guild(number) for number in range(100, 140)),
        guild(200, restarts=2),
        guild(300, **backing_off()),
    ]
    root = node("", node("store"), node("discord", state="starting"), node("guilds", *guilds), node("admin"))
    embed = all_guilds(root, {100: "a *b*"}.get)
    shown = lines(embed)
    assert shown[:4] == ["🟢 **store**", "🟡 **discord**", "🟢 **admin**", ""]
    assert shown[4:7] == [
        "🔴 **300** 4/5 up · 3 restarts · 2 waiting",
        "🟢 **200** 5/5 up · 2 restarts",
        r"🟢 **a \*b\*** 5/5 up",
    ]
    assert shown[-1] == f"and {42 - SHOWN_GUILDS} more, {42 - SHOWN_GUILDS} of them well"
    assert embed.footer.text == "42 servers · 213 actors · 5 restarts in all"


def test_it_fits_however_long_the_names_are() -> None:
    guilds = [guild(10**18 + number, **backing_off()) for number in range(60)]
    embed = all_guilds(node("", node("guilds", *guilds)), lambda _: "*" * 100)
    assert len(str(embed.description)) <= EMBED_TEXT


def test_before_any_guild_there_are_only_rooms() -> None:
    assert lines(all_guilds(node("", node("store")), lambda _: None))[0] == "🟢 **store**"
