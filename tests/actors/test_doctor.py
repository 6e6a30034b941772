"""The doctor names what is wrong, and what to do about it."""

from __future__ import annotations

import sys
import time
from collections import namedtuple
from email.utils import formatdate
from importlib import metadata
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from rich.console import Console

from actors.doctor import Finding, Level, examine, machine, parts, remote
from actors.doctor.remote import Answer, invite_url
from actors.doctor.report import fail, note, ok, print_report, summary, warn
from actors.settings import Address, Settings
from loopback.certificates import Certificates, make_certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

TOKEN = "made-up-token-of-a-test"
ALL = sum(remote.PERMISSIONS.values())
Usage = namedtuple("Usage", ["total", "used", "free"])


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(data_dir=folder, admin_socket=folder / "admin.sock", **more)


def one(findings: list[Finding], name: str) -> Finding:
    (found,) = (finding for finding in findings if finding.name == name)
    return found


class FakeDiscord:
    """The three routes that the doctor asks, behind TLS; answers are data."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object]] = {
            "/api/v10/users/@me": (200, {"id": "5", "username": "ostinato"}),
            "/api/v10/oauth2/applications/@me": (200, {"id": "7", "flags": 1 << 19}),
            "/api/v10/users/@me/guilds": (200, [{"name": "G", "permissions": str(ALL)}]),
        }
        self.date = formatdate(usegmt=True)
        self.authorizations: list[str | None] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization"))
        status, body = self.answers[request.path]
        return web.json_response(body, status=status, headers={"Date": self.date})


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def discord(certificates: Certificates, tmp_path: Path) -> AsyncIterator[tuple[FakeDiscord, Settings]]:
    fake, app = FakeDiscord(), web.Application()
    app.router.add_get("/{path:.*}", fake.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context()).start()
        address = Address("127.0.0.1", runner.addresses[0][1])
        yield fake, settings(tmp_path, token=TOKEN, discord_address=address, discord_ca=certificates.ca_file)
    finally:
        await runner.cleanup()


async def test_all_is_well(discord: tuple[FakeDiscord, Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    fake, chosen = discord
    monkeypatch.setattr(parts, "_age_days", lambda _version: 1)
    findings = await examine(chosen)
    assert [f for f in findings if f.level in {Level.WARN, Level.FAIL}] == []
    assert set(fake.authorizations) == {f"Bot {TOKEN}"}
    assert one(findings, "token").what == "belongs to ostinato (5)"
    assert one(findings, "invite").link == invite_url(7)
    assert {"python", "opus", "voice encryption", "yt-dlp", "yt-dlp-ejs", "deno", "data folder", "disk"} <= {
        finding.name for finding in findings
    }


async def test_a_refused_token_ends_the_questions(discord: tuple[FakeDiscord, Settings]) -> None:
    fake, chosen = discord
    fake.answers = {"/api/v10/users/@me": (401, {"message": "401: Unauthorized"})}
    (finding,) = await remote.check_discord(chosen)
    assert (finding.name, finding.level) == ("token", Level.FAIL)
    assert "reset it" in finding.todo


async def test_a_clock_that_is_off_is_told(discord: tuple[FakeDiscord, Settings]) -> None:
    fake, chosen = discord
    fake.date = formatdate(time.time() - 600, usegmt=True)
    finding = one(await remote.check_discord(chosen), "clock at Discord")
    assert finding.what in {"ours is +600 s off", "ours is +601 s off", "ours is +599 s off"}


async def test_without_a_token_the_doctor_says_how_to_get_one(tmp_path: Path) -> None:
    (finding,) = await remote.check_discord(settings(tmp_path))
    assert finding.level is Level.FAIL
    assert "https://discord.com/developers/applications" in finding.todo


async def test_without_a_network_that_is_the_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_args: object, **_more: object) -> None:
        raise aiohttp.ClientConnectionError("Name or service not known")

    monkeypatch.setattr(aiohttp.ClientSession, "_request", down)
    (finding,) = await remote.check_discord(settings(tmp_path, token=TOKEN))
    assert (finding.name, finding.level) == ("network", Level.FAIL)
    assert finding.what == "Discord cannot be reached: Name or service not known"
    assert TOKEN not in str(finding)


@pytest.mark.parametrize(
    ("flags", "level"), [(0, Level.FAIL), (1 << 18, Level.OK), (1 << 19, Level.OK), (1 << 13, Level.FAIL)]
)
def test_the_message_content_intent(flags: int, level: Level) -> None:
    intents, invite = remote.check_application(Answer(200, {"id": "7", "flags": flags}, 0.0))
    assert (intents.name, intents.level) == ("intents", level)
    assert invite.level is Level.NOTE


@pytest.mark.parametrize(
    ("guild", "words"),
    [
        ({"permissions": str(ALL)}, "in 1 guilds"),
        ({"permissions": "8"}, "in 1 guilds"),
        ({"permissions": "0", "owner": True}, "in 1 guilds"),
        ({"permissions": str(ALL & ~remote.PERMISSIONS["Speak"])}, "missing in G: Speak"),
        ({"permissions": "0"}, "View Channels, Send Messages"),
    ],
)
def test_permissions_in_a_guild(guild: dict[str, Any], words: str) -> None:
    assert words in remote.check_permissions(Answer(200, [{"name": "G", **guild}], 0.0)).what


def test_no_guild_and_no_answer_are_told() -> None:
    assert remote.check_permissions(Answer(200, [], 0.0)).level is Level.NOTE
    assert remote.check_permissions(Answer(429, {}, 0.0)).level is Level.WARN
    assert remote.check_token(Answer(503, None, None)).level is Level.FAIL
    assert next(iter(remote.check_application(Answer(404, None, None)))).level is Level.WARN


def test_the_invite_link_asks_for_what_the_bot_needs() -> None:
    assert invite_url(7).endswith("client_id=7&scope=bot+applications.commands&permissions=3230720")


def test_an_old_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    assert machine.check_python().level is Level.FAIL


def test_a_clock_in_the_past_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert machine.check_clock().level is Level.FAIL


def test_a_replaced_discord_is_told(tmp_path: Path) -> None:
    finding = machine.check_settings(settings(tmp_path, discord_address=Address("h", 1)))
    assert (finding.level, "h:1" in finding.what) == (Level.NOTE, True)


@pytest.mark.parametrize(
    ("free", "level"), [(10 * 1024**3, Level.OK), (500 * 1024**2, Level.WARN), (1024, Level.FAIL)]
)
def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _place: Usage(0, 0, free))
    _folder, disk = machine.check_data_dir(tmp_path / "not" / "there")
    assert disk.level is level


def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    (finding,) = machine.check_data_dir(blocked)
    assert finding.level is Level.FAIL
    assert "OSTINATO_DATA_DIR" in finding.todo


def versions(monkeypatch: pytest.MonkeyPatch, **found: str) -> None:
    def version(package: str) -> str:
        if package not in found:
            raise metadata.PackageNotFoundError(package)
        return found[package]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(
        metadata, "requires", lambda _package: ["brotli", 'yt-dlp-ejs==0.8.0; extra == "default"']
    )


@pytest.mark.parametrize(
    ("found", "level"),
    [({}, Level.FAIL), ({"yt-dlp": "2020.1.2"}, Level.WARN), ({"yt-dlp": "2999.01.02.1.dev0"}, Level.OK)],
)
def test_the_age_of_yt_dlp(monkeypatch: pytest.MonkeyPatch, found: dict[str, str], level: Level) -> None:
    versions(monkeypatch, **found)
    assert parts.check_yt_dlp().level is level


@pytest.mark.parametrize(("found", "level"), [(None, Level.WARN), ("0.9.0", Level.WARN), ("0.8.3", Level.OK)])
def test_the_solver_scripts_match_yt_dlp(
    monkeypatch: pytest.MonkeyPatch, found: str | None, level: Level
) -> None:
    versions(monkeypatch, **({"yt-dlp": "2026.10.26"} | ({"yt-dlp-ejs": found} if found else {})))
    finding = parts.check_ejs()
    assert finding.level is level
    assert level is Level.OK or finding.todo == "pip install yt-dlp-ejs==0.8.0"


def test_the_real_yt_dlp_states_which_scripts_it_wants() -> None:
    assert parts._wanted_ejs() == metadata.version("yt-dlp-ejs")


@pytest.mark.parametrize(
    ("script", "level", "words"),
    [
        ("echo 'deno 2.9.8 (stable)'", Level.OK, "2.9.8"),
        ("echo 'deno 2.2.12'", Level.WARN, "too old"),
        ("echo nothing", Level.WARN, "too old"),
        ("exit 3", Level.WARN, "does not run"),
        (None, Level.WARN, "not found"),
    ],
)
def test_the_javascript_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, level: Level, words: str
) -> None:
    if script is not None:
        (tmp_path / "deno").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "deno").chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    monkeypatch.setenv("PATH", "")
    finding = parts.check_deno()
    assert (finding.level, words in finding.what) == (level, True)


@pytest.mark.parametrize(
    ("module", "check"),
    [("av", parts.check_opus), ("nacl.bindings", parts.check_encryption)],
)
def test_a_missing_package_is_a_finding(monkeypatch: pytest.MonkeyPatch, module: str, check: Any) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert check().level is Level.FAIL


def test_the_report_shows_names_marks_and_what_to_do() -> None:
    console = Console(width=100)
    with console.capture() as captured:
        print_report([ok("a", "fine"), fail("b", "broken [x]", "mend it")], console)
    shown = captured.get()
    assert "broken [x]" in shown
    assert "-> mend it" in shown
    assert shown.rstrip().endswith("1 of 2 checks failed: the bot cannot play yet.")


def test_a_link_is_shown_in_one_piece_in_a_narrow_terminal() -> None:
    console = Console(width=40)
    with console.capture() as captured:
        print_report([note("invite", "below", link=invite_url(7))], console)
    assert f"invite: {invite_url(7)}" in captured.get().splitlines()


def test_the_verdict_is_the_worst_finding() -> None:
    assert summary([ok("a", ""), note("n", "")]).startswith("All is well")
    assert summary([ok("a", ""), warn("w", "", "")]).startswith("The bot can play; 1 of 2")
