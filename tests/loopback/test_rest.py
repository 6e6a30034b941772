"""REST spoken to by a bare HTTP client: the token, errors, limits, messages, members, files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from loopback import Guild, Loopback, LoopbackSettings, TextChannel
from loopback.rest.api import ROUTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

API = "https://discord.com/api/v10"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    data: Any


@dataclass
class Client:
    """A REST client with the bot's token."""

    http: aiohttp.ClientSession
    token: str

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        headers = {"Authorization": f"Bot {self.token}"}
        if body is not None:
            options["json"] = body
        async with self.http.request(method, f"{API}{path}", headers=headers, **options) as response:
            is_json = response.headers.get("Content-Type") == "application/json"
            data = await response.json() if is_json else await response.read()
            return Answer(response.status, dict(response.headers), data)


@pytest.fixture
async def discord() -> AsyncIterator[Loopback]:
    async with Loopback(LoopbackSettings(rate_limits=False)) as made:
        yield made


@pytest.fixture
async def rest(discord: Loopback) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(connector=discord.connector()) as http:
        yield Client(http, discord.token)


@pytest.fixture
def guild(discord: Loopback) -> Guild:
    return discord.add_guild("Guild")


@pytest.fixture
def text(guild: Guild) -> TextChannel:
    return guild.add_text_channel("general")


def _error(answer: Answer) -> tuple[int, int]:
    return answer.status, answer.data["code"]


async def test_the_bots_account_and_its_application(discord: Loopback, rest: Client) -> None:
    me = await rest("GET", "/users/@me")
    assert (me.data["id"], me.data["bot"]) == (str(discord.bot.id), True)
    application = await rest("GET", "/oauth2/applications/@me")
    invited = int(application.data["install_params"]["permissions"])
    assert application.data["install_params"]["scopes"] == ["bot", "applications.commands"]
    assert str(invited) in discord.application.invite_url


async def test_a_wrong_token_is_unauthorized(discord: Loopback, rest: Client) -> None:
    stranger = Client(rest.http, discord.token[:-1])
    assert _error(await stranger("GET", "/users/@me")) == (401, 0)
    assert (await stranger("GET", "/gateway")).status == 200


async def test_what_does_not_exist_is_404(rest: Client, text: TextChannel) -> None:
    assert _error(await rest("GET", "/no/such/route")) == (404, 0)
    assert _error(await rest("GET", "/channels/1")) == (404, 10003)
    assert _error(await rest("GET", "/guilds/1")) == (404, 10004)
    assert _error(await rest("GET", f"/channels/{text.id}/messages/1")) == (404, 10008)
    assert _error(await rest("GET", "/channels/x")) == (400, 50035)


async def test_content_type_is_bare_json(rest: Client) -> None:
    """discord.py takes `application/json; charset=utf-8` for text."""
    assert (await rest("GET", "/users/@me")).headers["Content-Type"] == "application/json"


async def test_a_message_is_sent_edited_read_and_deleted(rest: Client, text: TextChannel) -> None:
    path = f"/channels/{text.id}/messages"
    sent = await rest("POST", path, {"content": "one", "embeds": [{"title": "t"}]})
    message = text.messages[0]
    assert (sent.data["id"], message.content, message.text) == (str(message.id), "one", "one\nt")
    edited = await rest("PATCH", f"{path}/{message.id}", {"content": "two"})
    assert edited.data["edited_timestamp"] is not None
    assert (message.content, message.embeds, message.edits) == ("two", [{"title": "t", "type": "rich"}], 1)
    assert (await rest("GET", f"{path}/{message.id}")).data["content"] == "two"
    assert (await rest("DELETE", f"{path}/{message.id}")).status == 204
    assert (text.messages, message.deleted) == ([], True)


async def test_history_is_newest_first_and_pages(rest: Client, text: TextChannel) -> None:
    path = f"/channels/{text.id}/messages"
    ids = [(await rest("POST", path, {"content": str(number)})).data["id"] for number in range(5)]
    newest = await rest("GET", path, params={"limit": "2"})
    assert [one["id"] for one in newest.data] == [ids[4], ids[3]]
    before = await rest("GET", path, params={"before": ids[2]})
    assert [one["id"] for one in before.data] == [ids[1], ids[0]]
    after = await rest("GET", path, params={"after": ids[1], "limit": "2"})
    assert [one["id"] for one in after.data] == [ids[3], ids[2]]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 50006),
        ({"content": "x" * 2001}, 50035),
        ({"embeds": [{"title": "x" * 257}]}, 50035),
        ({"embeds": [{"description": "x" * 4097}]}, 50035),
        ({"embeds": [{"fields": [{"name": "", "value": "v"}]}]}, 50035),
        ({"embeds": [{"description": "x" * 4000}, {"description": "x" * 2001}]}, 50035),
        ({"content": "x", "components": [{"type": 1, "components": []}]}, 50035),
        ({"content": "x", "message_reference": {"message_id": "1"}}, 50035),
        (["no object"], 50035),
    ],
)
async def test_a_message_beyond_discords_limits_is_refused(
    rest: Client, text: TextChannel, body: Any, code: int
) -> None:
    assert _error(await rest("POST", f"/channels/{text.id}/messages", body)) == (400, code)
    assert text.messages == []


async def test_an_error_names_the_field(rest: Client, text: TextChannel) -> None:
    body = {"embeds": [{"title": "fine"}, {"title": "x" * 257}]}
    answer = await rest("POST", f"/channels/{text.id}/messages", body)
    errors = answer.data["errors"]["embeds"]["1"]["title"]["_errors"]
    assert errors == [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 256 or fewer in length."}]


async def test_a_custom_id_stands_once(rest: Client, text: TextChannel) -> None:
    button = {"type": 2, "style": 1, "label": "a", "custom_id": "same"}
    body = {"content": "x", "components": [{"type": 1, "components": [button, button]}]}
    assert _error(await rest("POST", f"/channels/{text.id}/messages", body)) == (400, 50035)


@pytest.mark.parametrize(
    ("denied", "body", "code"),
    [
        ("view_channel", {"content": "x"}, 50001),
        ("send_messages", {"content": "x"}, 50013),
        ("embed_links", {"embeds": [{"title": "t"}]}, 50013),
    ],
)
async def test_permissions_are_needed(
    rest: Client, guild: Guild, text: TextChannel, denied: str, body: Any, code: int
) -> None:
    guild.deny(text, denied)
    assert _error(await rest("POST", f"/channels/{text.id}/messages", body)) == (403, code)
    guild.allow(text, denied)
    assert (await rest("POST", f"/channels/{text.id}/messages", body)).status == 200


async def test_only_own_messages_can_be_edited(
    discord: Loopback, rest: Client, guild: Guild, text: TextChannel
) -> None:
    alice = discord.add_user("alice")
    guild.add_member(alice)
    message = await alice.say(text, "mine")
    path = f"/channels/{text.id}/messages/{message.id}"
    assert _error(await rest("PATCH", path, {"content": "yours"})) == (403, 50005)
    assert _error(await rest("DELETE", path)) == (403, 50013)


async def test_a_file_is_kept_and_served_by_the_cdns_name(rest: Client, text: TextChannel) -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", '{"content": "with a file"}')
    form.add_field("files[0]", b"\x00\x01", filename="a.bin", content_type="application/octet-stream")
    sent = await rest("POST", f"/channels/{text.id}/messages", data=form)
    attachment = sent.data["attachments"][0]
    assert (attachment["filename"], attachment["size"]) == ("a.bin", 2)
    async with rest.http.get(attachment["url"]) as response:
        assert await response.read() == b"\x00\x01"


async def test_every_answer_tells_of_its_bucket(rest: Client, text: TextChannel) -> None:
    path = f"/channels/{text.id}/messages"
    first, second = [await rest("POST", path, {"content": "x"}) for _ in range(2)]
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("5", "4")
    assert second.headers["X-RateLimit-Remaining"] == "3"
    assert first.headers["X-RateLimit-Bucket"] == second.headers["X-RateLimit-Bucket"]
    assert 0 < float(first.headers["X-RateLimit-Reset-After"]) <= 5


async def test_a_429_comes_when_asked_for_and_then_no_more(discord: Loopback, rest: Client) -> None:
    discord.faults.rest.rate_limit("GET", "/users/@me", retry_after_s=0.5)
    refused = await rest("GET", "/users/@me")
    assert (refused.status, refused.data["retry_after"], refused.data["global"]) == (429, 0.5, False)
    assert refused.headers["Via"]
    assert (await rest("GET", "/users/@me")).status == 200


async def test_buckets_are_enforced_per_channel(guild: Guild) -> None:
    async with Loopback() as discord:
        place = discord.add_guild("Guild")
        one, other = place.add_text_channel("one"), place.add_text_channel("other")
        async with aiohttp.ClientSession(connector=discord.connector()) as http:
            rest = Client(http, discord.token)
            path = f"/channels/{one.id}/messages"
            statuses = [(await rest("POST", path, {"content": "x"})).status for _ in range(6)]
            elsewhere = await rest("POST", f"/channels/{other.id}/messages", {"content": "x"})
    assert (statuses, elsewhere.status) == ([200] * 5 + [429], 200)


async def test_commands_are_synced_and_keep_their_ids(discord: Loopback, rest: Client) -> None:
    path = f"/applications/{discord.application_id}/commands"
    play = {"name": "play", "description": "Play", "options": []}
    first = await rest("PUT", path, [play, {"name": "skip", "description": "Skip"}])
    second = await rest("PUT", path, [play])
    assert [one["name"] for one in first.data] == ["play", "skip"]
    assert [one["id"] for one in second.data] == [first.data[0]["id"]]
    assert (await rest("GET", path)).data == second.data
    assert _error(await rest("PUT", "/applications/1/commands", [])) == (403, 20012)


@pytest.mark.parametrize(
    "definition",
    [
        {"name": "Play", "description": "capitals"},
        {"name": "two words", "description": "a space"},
        {"name": "play", "description": ""},
        {"name": "play", "description": "x" * 101},
        {"name": "play", "description": "p", "options": [{"name": "a", "description": "d", "type": 99}]},
        {
            "name": "play",
            "description": "p",
            "options": [
                {"name": "a", "description": "d", "type": 3},
                {"name": "b", "description": "d", "type": 3, "required": True},
            ],
        },
    ],
)
async def test_a_broken_command_is_refused(discord: Loopback, rest: Client, definition: Any) -> None:
    path = f"/applications/{discord.application_id}/commands"
    assert _error(await rest("PUT", path, [definition])) == (400, 50035)
    assert discord.commands.all() == []


async def test_moving_a_member_needs_the_permission(discord: Loopback, rest: Client, guild: Guild) -> None:
    one, other = guild.add_voice_channel("one"), guild.add_voice_channel("other")
    alice = discord.add_user("alice")
    guild.add_member(alice)
    await alice.join(one)
    path = f"/guilds/{guild.id}/members/{alice.id}"
    assert _error(await rest("PATCH", path, {"channel_id": str(other.id)})) == (403, 50013)
    guild.members[discord.bot.id].roles.append(guild.add_role("mover", "move_members"))
    assert (await rest("PATCH", path, {"channel_id": str(other.id)})).status == 200
    assert other.members == [alice]
    assert (await rest("PATCH", path, {"channel_id": None})).status == 200
    assert guild.voice_of(alice) is None


async def test_on_a_stage_the_bot_is_let_on_with_the_permission(
    discord: Loopback, rest: Client, guild: Guild
) -> None:
    stage = guild.add_stage_channel("Stage")
    from loopback.world.guild_voice import request

    request(guild, guild.members[discord.bot.id], stage, "session")
    state = guild.voice_of(discord.bot)
    assert state is not None
    assert state.suppress
    path, body = f"/guilds/{guild.id}/voice-states/@me", {"channel_id": str(stage.id), "suppress": False}
    assert _error(await rest("PATCH", path, body)) == (403, 50013)
    guild.allow(stage, "mute_members")
    assert (await rest("PATCH", path, body)).status == 204
    assert not state.suppress


def test_the_table_names_every_route_once() -> None:
    keys = [(route.method, route.path) for route in ROUTES]
    assert len(keys) == len(set(keys))
