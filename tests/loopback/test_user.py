"""The scripted user, answered by a bare HTTP client in the bot's place: what a script may and may not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from loopback import (
    Guild,
    Interaction,
    Loopback,
    LoopbackSettings,
    NotAnswered,
    NotSeen,
    ScriptedUser,
    TextChannel,
    UserMistake,
)
from loopback.world.message import MessageFlag

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

API = "https://discord.com/api/v10"
COMMANDS = [
    {
        "name": "play",
        "description": "Play",
        "options": [
            {"name": "query", "description": "What", "type": 3, "required": True, "max_length": 20},
            {"name": "volume", "description": "Level", "type": 4, "min_value": 0, "max_value": 200},
            {"name": "who", "description": "Whose", "type": 6},
        ],
    },
    {
        "name": "loop",
        "description": "Loop",
        "options": [
            {
                "name": "mode",
                "description": "Mode",
                "type": 3,
                "choices": [{"name": "Off", "value": "off"}, {"name": "Track", "value": "track"}],
            }
        ],
    },
    {
        "name": "list",
        "description": "Lists",
        "options": [
            {"name": "add", "description": "Add", "type": 1, "options": []},
        ],
    },
    {"name": "reconnect", "description": "Admins", "default_member_permissions": "8"},
]


@dataclass
class Bot:
    """Answers interactions as a test says."""

    discord: Loopback
    http: aiohttp.ClientSession

    async def respond(self, made: Interaction, kind: int, data: Any = None) -> int:
        url = f"{API}/interactions/{made.id}/{made.token}/callback"
        async with self.http.post(url, json={"type": kind, "data": data or {}}) as response:
            return response.status

    async def hook(self, made: Interaction, method: str, body: Any = None, name: str | None = None) -> Any:
        url = f"{API}/webhooks/{self.discord.application_id}/{made.token}"
        if name is not None:
            url += f"/messages/{name}"
        async with self.http.request(method, url, json=body) as response:
            return await response.json() if response.status != 204 else None


@dataclass
class Stage:
    discord: Loopback
    guild: Guild
    text: TextChannel
    alice: ScriptedUser
    bot: Bot


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    settings = LoopbackSettings(rate_limits=False, interaction_deadline_s=0.2)
    async with Loopback(settings) as discord:
        guild = discord.add_guild("Guild")
        text, alice = guild.add_text_channel("general"), discord.add_user("alice")
        guild.add_member(alice)
        discord.commands.overwrite(None, COMMANDS)
        async with aiohttp.ClientSession(connector=discord.connector()) as http:
            yield Stage(discord, guild, text, alice, Bot(discord, http))


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("unknown", {}),
        ("play", {}),
        ("play", {"query": 5}),
        ("play", {"query": "x" * 21}),
        ("play", {"query": "x", "volume": 201}),
        ("play", {"query": "x", "volume": True}),
        ("play", {"query": "x", "who": "alice"}),
        ("play", {"query": "x", "speed": 2}),
        ("loop", {"mode": "queue"}),
        ("list", {}),
        ("list remove", {}),
        ("reconnect", {}),
    ],
)
async def test_what_discords_client_would_not_allow_is_a_mistake(
    stage: Stage, command: str, options: dict[str, Any]
) -> None:
    with pytest.raises(UserMistake):
        await stage.alice.slash(stage.text, command, **options)


async def test_options_travel_with_their_types_and_objects(stage: Stage) -> None:
    made = await stage.alice.slash(stage.text, "play", query="x", volume=50, who=stage.alice)
    assert [(one["name"], one["type"], one["value"]) for one in made.data["options"]] == [
        ("query", 3, "x"),
        ("volume", 4, 50),
        ("who", 6, str(stage.alice.id)),
    ]
    resolved = made.data["resolved"]
    assert resolved["users"][str(stage.alice.id)]["username"] == "alice"
    assert "permissions" in resolved["members"][str(stage.alice.id)]


async def test_a_subcommand_wraps_its_options(stage: Stage) -> None:
    made = await stage.alice.slash(stage.text, "list add")
    assert made.data["options"] == [{"name": "add", "type": 1, "options": []}]


async def test_an_administrator_sees_what_others_do_not(stage: Stage) -> None:
    stage.guild.members[stage.alice.id].roles.append(stage.guild.add_role("admin", "administrator"))
    assert (await stage.alice.slash(stage.text, "reconnect")).name == "reconnect"


async def test_the_guilds_command_hides_the_global_one(stage: Stage) -> None:
    stage.discord.commands.overwrite(stage.guild.id, [{"name": "play", "description": "Here"}])
    made = await stage.alice.slash(stage.text, "play")
    assert made.data["guild_id"] == str(stage.guild.id)


async def test_an_immediate_answer(stage: Stage) -> None:
    made = await stage.alice.slash(stage.text, "play", query="x")
    assert await stage.bot.respond(made, 4, {"content": "playing"}) == 204
    answer = await made.wait_answer()
    assert (answer.content, stage.text.messages) == ("playing", [answer])
    assert answer.payload()["interaction_metadata"]["id"] == str(made.id)
    assert made.answer_delay_s is not None
    assert await stage.bot.respond(made, 4, {"content": "again"}) == 400


async def test_a_deferred_answer_is_filled_by_the_first_follow_up(stage: Stage) -> None:
    made = await stage.alice.slash(stage.text, "play", query="x")
    await stage.bot.respond(made, 5)
    thinking = stage.text.messages[0]
    assert thinking.loading
    assert made.messages == []
    with pytest.raises(NotSeen):
        await made.wait_answer(timeout_s=0.02)
    first = await stage.bot.hook(made, "POST", {"content": "one"})
    second = await stage.bot.hook(made, "POST", {"content": "two"})
    assert (first["id"], first["flags"]) == (str(thinking.id), 0)
    assert [one.content for one in made.messages] == ["one", "two"]
    assert (await made.wait_answer()) is thinking
    assert second["id"] != first["id"]


async def test_the_original_is_read_edited_and_deleted(stage: Stage) -> None:
    made = await stage.alice.slash(stage.text, "play", query="x")
    await stage.bot.respond(made, 5)
    await stage.bot.hook(made, "PATCH", {"content": "done"}, "@original")
    assert (await stage.bot.hook(made, "GET", name="@original"))["content"] == "done"
    assert (await made.wait_answer()).content == "done"
    await stage.bot.hook(made, "DELETE", name="@original")
    assert stage.text.messages == []
    assert (await stage.bot.hook(made, "GET", name="@original"))["code"] == 10008


async def test_an_ephemeral_answer_is_seen_by_the_user_alone(stage: Stage) -> None:
    made = await stage.alice.slash(stage.text, "play", query="x")
    await stage.bot.respond(made, 5, {"flags": int(MessageFlag.EPHEMERAL)})
    await stage.bot.hook(made, "PATCH", {"content": "psst"}, "@original")
    answer = await made.wait_answer()
    assert (answer.content, answer.ephemeral, stage.text.messages) == ("psst", True, [])


async def test_after_the_deadline_the_interaction_is_unknown(stage: Stage) -> None:
    made = await stage.alice.slash(stage.text, "play", query="x")
    with pytest.raises(NotAnswered):
        await made.wait_answer()
    assert await stage.bot.respond(made, 4, {"content": "too late"}) == 404


async def test_an_update_by_a_button_changes_its_message(stage: Stage) -> None:
    made = await stage.alice.slash(stage.text, "play", query="x")
    row = {
        "type": 1,
        "components": [
            {"type": 2, "style": 1, "label": "Skip", "custom_id": "skip"},
            {"type": 2, "style": 1, "label": "Stop", "custom_id": "stop", "disabled": True},
        ],
    }
    await stage.bot.respond(made, 4, {"content": "playing", "components": [row]})
    message = await made.wait_answer()
    with pytest.raises(UserMistake):
        await stage.alice.press(message, "stop")
    with pytest.raises(UserMistake):
        await stage.alice.press(message, "pause")
    pressed = await stage.alice.press(message, "skip")
    await stage.bot.respond(pressed, 7, {"content": "skipped", "components": []})
    assert (await pressed.wait_answer()) is message
    assert (message.content, message.controls()) == ("skipped", {})


async def test_a_form_is_opened_filled_in_and_sent(stage: Stage) -> None:
    made = await stage.alice.slash(stage.text, "play", query="x")
    field = {"type": 4, "custom_id": "title", "style": 1, "label": "Title", "required": True}
    form = {"custom_id": "form", "title": "Form", "components": [{"type": 1, "components": [field]}]}
    await stage.bot.respond(made, 9, form)
    await made.wait_modal()
    with pytest.raises(UserMistake):
        await stage.alice.submit(made)
    sent = await stage.alice.submit(made, title="hello")
    assert sent.data["components"][0]["components"][0]["value"] == "hello"


async def test_an_autocompletion_is_answered_with_choices(stage: Stage) -> None:
    made = await stage.alice.autocomplete(stage.text, "play", "query", "be")
    assert made.data["options"] == [{"name": "query", "type": 3, "value": "be", "focused": True}]
    await stage.bot.respond(made, 8, {"choices": [{"name": "Bach", "value": "bach"}]})
    assert (await made.wait_choices())[0]["value"] == "bach"


async def test_nobody_writes_or_connects_where_it_is_denied(stage: Stage) -> None:
    voice = stage.guild.add_voice_channel("Music")
    stage.guild.deny(voice, "connect", to=stage.alice)
    stage.guild.deny(stage.text, "send_messages", to=stage.alice)
    with pytest.raises(UserMistake):
        await stage.alice.join(voice)
    with pytest.raises(UserMistake):
        await stage.alice.say(stage.text, "hello")


async def test_waiting_says_what_was_there_instead(stage: Stage) -> None:
    await stage.alice.say(stage.text, "hello")
    with pytest.raises(NotSeen, match="alice: 'hello'"):
        await stage.text.wait_message(lambda one: one.content == "bye", timeout_s=0.02)


async def test_a_reply_points_at_its_message(stage: Stage) -> None:
    first = await stage.alice.say(stage.text, "hello")
    reply = await stage.alice.say(stage.text, "again", reply_to=first)
    payload = reply.payload()
    assert payload["message_reference"]["message_id"] == str(first.id)
    assert payload["referenced_message"]["content"] == "hello"
