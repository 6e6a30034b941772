"""The commands against their table, and what people type."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import discord
import pytest
from discord.ext import commands as discord_commands
from hypothesis import given, strategies as st

from actors.commands import COMMANDS
from actors.commands.answers import RESTARTED, UNEXPECTED, cause_of, excuse, usage
from actors.commands.connection import VoiceConnection
from actors.commands.inspection import Inspection
from actors.commands.parse import parse_position, parse_query
from actors.commands.playback import Playback
from actors.media import EFFECTS, ErrorKind, MediaError
from actors.messages import No
from actors.queue import Loop
from supervision import ActorCrashed, AskTimeout

if TYPE_CHECKING:
    from collections.abc import Iterable

REFUSED: Any = SimpleNamespace(status=400, reason="")


def registered() -> dict[str, discord_commands.HybridCommand[Any, ..., Any]]:
    """Every hybrid command of the cogs."""
    members = [
        member for cog in (Playback, VoiceConnection, Inspection) for _, member in inspect.getmembers(cog)
    ]
    return {each.name: each for each in members if isinstance(each, discord_commands.HybridCommand)}


def test_the_table_is_what_is_registered() -> None:
    commands = registered()
    assert {row.name for row in COMMANDS} == set(commands)
    assert {row.name: row.what for row in COMMANDS} == {
        name: each.description for name, each in commands.items()
    }


def test_slash_commands_have_the_contracted_options() -> None:
    options = {name: list(each.clean_params) for name, each in registered().items() if each.clean_params}
    assert options == {
        "play": ["query"],
        "queue": ["page"],
        "seek": ["position"],
        "volume": ["level"],
        "filter": ["name"],
        "loop": ["mode"],
        "remove": ["entry"],
        "move": ["entry", "number"],
    }


def test_every_command_exists_as_slash_command_too() -> None:
    assert all(each.with_app_command for each in registered().values())
    assert all(len(row.what) <= 100 for row in COMMANDS), "Discord's limit of a description"


@pytest.mark.parametrize(("name", "option", "words"), [("loop", "mode", Loop), ("filter", "name", EFFECTS)])
def test_the_choices_are_those_of_the_table(name: str, option: str, words: Iterable[Any]) -> None:
    annotation = registered()[name].clean_params[option].annotation
    assert get_origin(annotation) is Literal
    row = next(row for row in COMMANDS if row.name == name)
    assert row.arguments == f"<{'|'.join(get_args(annotation))}>"
    assert list(get_args(annotation)) == [getattr(word, "value", word) for word in words]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("1:30", 90), ("01:05", 65), ("90:00", 5400), ("1:00:00", 3600), (" 2:03 ", 123)],
)
def test_positions(text: str, seconds: float) -> None:
    assert parse_position(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "x", "1:", ":30", "1:60", "1:75:00", "-5", "1:2:3:4", "1.5", "\u0661:\u0663", "1h"]
)
def test_what_is_no_position(text: str) -> None:
    with pytest.raises(No, match="position"):
        parse_position(text)


@given(st.text(max_size=30))
def test_any_text_is_a_position_or_refused(text: str) -> None:
    try:
        assert parse_position(text) >= 0
    except No:
        return


def test_queries() -> None:
    assert parse_query(" <https://x/y> ") == "https://x/y"
    assert parse_query("two\n words") == "two words"
    for bad in ("", "  \n", "<>", "x" * 1001):
        with pytest.raises(No):
            parse_query(bad)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (No("because"), "because"),
        (MediaError(ErrorKind.PRIVATE_ADDRESS, "Private *address*."), r"Private \*address\*."),
        (ActorCrashed("x"), RESTARTED),
        (discord_commands.CommandNotFound(), None),
        (discord_commands.NoPrivateMessage(), "That works in a server only."),
        (discord_commands.MissingPermissions(["administrator"]), "That is for administrators."),
        (discord_commands.BadArgument("x"), "Write it so: `volume <0-200>`"),
        (discord.Forbidden(REFUSED, "Missing Permissions"), "I lack a permission in this channel."),
        (discord.NotFound(REFUSED, "Unknown interaction"), None),
        (ZeroDivisionError("secret"), UNEXPECTED),
    ],
)
def test_failures_become_sentences(error: Exception, text: str | None) -> None:
    assert excuse(error, "volume") == text


def test_every_failure_of_an_ask_has_words() -> None:
    assert "busy" in str(excuse(AskTimeout("x"), None))


def test_the_cause_is_found_behind_the_wrappers() -> None:
    inner = No("because")
    invoked: Any = discord_commands.CommandInvokeError(inner)
    assert cause_of(discord_commands.HybridCommandError(invoked)) is inner


def test_usage() -> None:
    assert usage(None) == "I do not understand that."
    assert usage("skip") == "Write it so: `skip`"
