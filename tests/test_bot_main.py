"""The command line: what a person reads, which exit code a program gets, and that help comes quickly."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import structlog

import bot_commands
import bot_main
from actors import door
from actors.exits import BAD_USAGE, FAILED, OK
from bot_main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.settings import Settings

ROOT = Path(bot_main.__file__).parent
TOKEN = "made-up-token-of-a-test"
HEAVY = ("discord", "av", "yt_dlp", "numpy", "matplotlib", "aiohttp", "anyio", "structlog")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing set, an empty working folder, a short data folder of its own."""
    for name in list(os.environ):
        if name.startswith("OSTINATO_") or name == "DISCORD_TOKEN":
            monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("XDG_CONFIG_HOME", folder)
        monkeypatch.setenv("OSTINATO_DATA_DIR", f"{folder}/data")
        yield Path(folder)


def with_app(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    """Let another function stand in for the whole bot."""
    app = ModuleType("actors.app")
    app.run = run  # type: ignore[attr-defined] # a module made for this test
    monkeypatch.setitem(sys.modules, "actors.app", app)


def with_demo(monkeypatch: pytest.MonkeyPatch, run_demo: Any) -> None:
    demo = ModuleType("loopback.demo")
    demo.run_demo = run_demo  # type: ignore[attr-defined] # a module made for this test
    monkeypatch.setitem(sys.modules, "loopback.demo", demo)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["rnu"], 'Did you mean "run"?'),
        (["run", "--bogus"], "--bogus"),
        (["run", "extra"], "extra"),
        (["demo", "--seconds", "-1"], "--seconds"),
        (["demo", "--seconds", "soon"], "soon"),
        (["chaos"], "--report"),
        (["chaos", "--report", "chaos", "--guilds", "0"], "--guilds"),
        (["chaos", "--report", "chaos", "--minutes", "0"], "--minutes"),
        (["chaos", "--report", "chaos", "--against", "nobody"], "--against"),
        (["chaos", "--report", "/dev/null/chaos"], "Not a directory"),
        (["tree", "--config"], "--config"),
        (["tree", "--watch"], "--watch needs a terminal"),
        (["tree", "--watch", "--json"], "exclude each other"),
        (["kill"], "PATH"),
        (["trace", "x", "--seconds", "0"], "--seconds"),
        (["trace", "x", "--seconds", "601"], "--seconds"),
        (["tree", "--config", "missing.toml"], "there is no file 'missing.toml'"),
        (["run"], "DISCORD_TOKEN"),
    ],
)
def test_bad_usage_is_2_with_one_line(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == BAD_USAGE
    line = one_line(capsys)
    assert line.startswith("ostinato: ")
    assert words in line


def test_bad_settings_are_2_with_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTINATO_PREFX", "?")
    for command in ("run", "tree", "doctor"):
        assert main([command]) == BAD_USAGE
        assert "did you mean OSTINATO_PREFIX?" in one_line(capsys)


def test_a_data_folder_that_cannot_be_made_is_2(
    environment: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (environment / "file").touch()
    monkeypatch.setenv("OSTINATO_DATA_DIR", "file/data")
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    assert main(["run"]) == BAD_USAGE
    assert one_line(capsys).startswith("ostinato: OSTINATO_DATA_DIR: cannot make ")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == OK
    shown = capsys.readouterr().out
    for words in ("run ", "demo ", "tree ", "doctor ", "--version", "DISCORD_TOKEN"):
        assert words in shown


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("run", ["--config"]),
        ("demo", ["--seconds", "--play"]),
        ("tree", ["--json", "--watch", "--trouble", "--config"]),
        ("kill", ["--config", "PATH"]),
        ("suspend", ["--config", "PATH"]),
        ("resume", ["--config", "PATH"]),
        ("trace", ["--seconds", "--json", "PATH"]),
        ("doctor", ["--config"]),
    ],
)
def test_each_command_explains_its_options(
    command: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == OK
    shown = capsys.readouterr().out
    assert all(option in shown for option in options)
    assert "--no-" not in shown


def test_no_command_is_2_and_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == BAD_USAGE
    captured = capsys.readouterr()
    assert "Usage: ostinato" in captured.out
    assert captured.err == "ostinato: name a command\n"


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == OK
    assert capsys.readouterr().out.strip() == bot_commands._version()


def test_as_a_module_and_without_what_only_other_commands_need() -> None:
    script = (
        f"import sys, runpy; sys.argv = ['bot_main', '--help']\n"
        f"try: runpy.run_module('bot_main', run_name='__main__')\n"
        f"except SystemExit as end: assert end.code == 0, end\n"
        f"print('LOADED', sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter, fixed words
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "Usage: ostinato" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_the_bot_starts_without_what_its_workers_or_other_settings_need() -> None:
    late = ("av", "yt_dlp", "numpy", "matplotlib", "urllib3", "aiohttp.web", "cyclopts")
    script = f"import sys, bot_main, actors.app; print(sorted(set(sys.modules) & set({late!r})))"
    done = subprocess.run(  # noqa: S603 - this interpreter, fixed words
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_run_gives_the_settings_to_the_bot_and_returns_its_code(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Settings] = []

    async def run(settings: Settings, _collector: object) -> int:
        seen.append(settings)
        return 1

    with_app(monkeypatch, run)
    (environment / "my.toml").write_text('prefix = "?"')
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    assert main(["run", "--config", "my.toml"]) == FAILED
    assert (seen[0].token, seen[0].prefix) == (TOKEN, "?")
    assert (environment / "data").stat().st_mode & 0o777 == 0o700


def test_a_failure_of_the_bot_is_1_and_logged_without_the_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(settings: Settings, _collector: object) -> int:
        structlog.get_logger("x").info("about to fail")
        raise RuntimeError(f"refused with {settings.token}")

    with_app(monkeypatch, run)
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    assert main(["run"]) == FAILED
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["about to fail", "the bot failed"]
    assert "RuntimeError: refused with [redacted]" in lines[1]["exception"]


def test_settings_that_only_the_bot_finds_wrong_are_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors.settings import SettingsError

    async def run(_settings: Settings, _collector: object) -> int:
        raise SettingsError("DISCORD_TOKEN: Discord does not accept it")

    with_app(monkeypatch, run)
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    assert main(["run"]) == BAD_USAGE
    assert one_line(capsys) == "ostinato: DISCORD_TOKEN: Discord does not accept it"


def test_ctrl_c_ends_run_on_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(_settings: Settings, _collector: object) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep_forever()
        return FAILED

    with_app(monkeypatch, run)
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        assert main(["run"]) == OK
    finally:
        signal.signal(signal.SIGINT, before)


def test_sigterm_before_the_bot_listens_for_it_ends_run_on_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(_settings: Settings, _collector: object) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.sleep_forever()
        return FAILED

    with_app(monkeypatch, run)
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        main(["run"])
    assert end.value.code == OK
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_bot_with_the_same_settings_does_not_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(_settings: Settings, _collector: object) -> int:
        pytest.fail("started")

    with_app(monkeypatch, run)
    monkeypatch.setattr(door, "is_served", lambda _path: True)
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    assert main(["run"]) == FAILED
    assert "another bot already runs" in json.loads(capsys.readouterr().err)["event"]


def test_demo_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str | None, float | None]] = []

    async def run_demo(play: str | None, seconds: float | None) -> int:
        seen.append((play, seconds))
        return len(seen) - 1

    with_demo(monkeypatch, run_demo)
    assert main(["demo"]) == OK
    assert main(["demo", "--seconds", "2.5", "--play", "a b.flac"]) == FAILED
    assert seen == [(None, None), ("a b.flac", 2.5)]


@pytest.mark.parametrize(("more", "stock"), [([], False), (["--against", "stock"], True)])
def test_chaos_passes_its_options_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: list[str], *, stock: bool
) -> None:
    given: dict[str, Any] = {}

    async def run_chaos(**options: Any) -> int:
        given.update(options)
        return FAILED

    chaos = ModuleType("loopback.chaos.door")
    chaos.run_chaos = run_chaos  # type: ignore[attr-defined] # a module made for this test
    monkeypatch.setitem(sys.modules, "loopback.chaos.door", chaos)
    folder = tmp_path / "new" / "folder"
    options = ["--seed", "7", "--minutes", "0.5", "--guilds", "2", "--report", str(folder)]
    assert main(["chaos", *options, *more]) == FAILED
    assert given == {"seed": 7, "minutes": 0.5, "guilds": 2, "folder": folder, "against_stock": stock}
    assert folder.is_dir()


def test_demo_says_which_packages_it_lacks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "numpy" else find(name))
    assert main(["demo"]) == FAILED
    assert one_line(capsys) == "ostinato: the demo needs numpy; install with: pip install 'ostinato[demo]'"


@pytest.mark.parametrize("argv", [["tree"], ["kill", "x"], ["suspend", "x"], ["resume", "x"], ["trace", "x"]])
def test_without_a_bot_it_is_said(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == FAILED
    assert one_line(capsys).startswith("ostinato: no bot is running: nobody serves ")


def with_answers(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> list[dict[str, Any]]:
    """A bot that gives these answers to each request; returns the requests."""
    asked: list[dict[str, Any]] = []

    def converse(_path: Path, request: dict[str, Any], _timeout_s: float = 0.0) -> Iterator[dict[str, Any]]:
        asked.append(request)
        yield from answers

    monkeypatch.setattr("actors.admin_console.converse", converse)
    monkeypatch.setattr("actors.admin_console.ask", lambda *request: list(converse(*request))[-1])
    return asked


def test_tree_shows_what_the_bot_answers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    child = {"id": "store", "path": "store", "kind": "actor", "state": "running", "uptime_s": 3.0}
    node = {"id": "ostinato", "path": "", "kind": "supervisor", "state": "running", "uptime_s": 61.0}
    with_answers(monkeypatch, {"ok": True, "tree": node | {"children": [child]}})
    assert main(["tree"]) == OK
    assert capsys.readouterr().out == "ostinato  running  1 min\n└── store  running  3 s\n"
    assert main(["tree", "--json", "store"]) == OK
    assert json.loads(capsys.readouterr().out) == node | {"children": [child]}
    assert main(["tree", "--trouble"]) == OK
    assert capsys.readouterr().out == "ostinato  running  1 min\n"
    assert main(["tree", "shop"]) == FAILED
    assert one_line(capsys) == "ostinato: nobody lives at shop"


@pytest.mark.parametrize("operation", ["kill", "suspend", "resume"])
def test_an_operation_says_what_came_of_it(
    operation: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = with_answers(monkeypatch, {"ok": True, "outcome": "it is [done]"})
    assert main([operation, "guilds/42/player"]) == OK
    assert asked == [{"op": operation, "path": "guilds/42/player"}]
    assert capsys.readouterr().out == "guilds/42/player: it is [done]\n"


def test_a_trace_is_printed_step_by_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    took = {"at": 100.0, "step": "received", "message": "Play", "text": "Play(track='[x]')", "ms": 0.0}
    gave = took | {"at": 100.25, "step": "answered", "ms": 250.0}
    asked = with_answers(
        monkeypatch,
        {"ok": True, "more": True},
        {"ok": True, "more": True, "step": took},
        {"ok": True, "more": True, "step": gave},
        {"ok": True, "steps": 2, "lost": 7},
    )
    assert main(["trace", "player", "--seconds", "3"]) == OK
    assert asked == [{"op": "trace", "path": "player", "seconds": 3.0}]
    assert capsys.readouterr().out.splitlines() == [
        "   0.000 s  received               Play(track='[x]')",
        "   0.250 s  answered    250.00 ms  Play(track='[x]')",
        "2 steps of player, 7 more were lost: they came too fast",
    ]
    assert main(["trace", "player", "--json"]) == OK
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [took, gave]


def test_doctor_without_a_token_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == FAILED
    assert "DISCORD_TOKEN is not set" in capsys.readouterr().out
