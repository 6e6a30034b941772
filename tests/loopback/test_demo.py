"""The demo as a person starts it: the bot is a process, and everything ends with the demo."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from loopback.demo.bot import bot_environment
from loopback.demo.plan import NotPlayableError, check, make_plan
from loopback.demo.progress import Display
from loopback.demo.run import BAD_USAGE, FAILED, NAMES, run_demo
from loopback.interrupted import INTERRUPTED
from loopback.media_server import MediaServer
from loopback.music.files import write_sound
from loopback.music.pieces import PIECES, render

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 90.0


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A folder for temporary files whose path is short enough for sockets."""
    with TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@contextmanager
def demo(folder: Path, tmp: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as a process in a session of its own."""
    environment = os.environ | {"TMPDIR": str(tmp), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "bot_main", "demo", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def nothing_left(tmp: Path, group: int) -> bool:
    """No process of the demo's group, and no temporary file."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return not list(tmp.iterdir())
    return False


def test_own_music_is_heard_to_its_end_and_nothing_is_left_but_the_report(
    tmp_path: Path, short_tmp: Path
) -> None:
    with demo(tmp_path, short_tmp, "--seconds", "6") as process:
        output, _ = process.communicate(timeout=WAIT_S)
    reports = json.loads((tmp_path / "ostinato-heard.json").read_text())
    assert [report["track"] for report in reports] == [piece.title for piece in PIECES[:2]], output
    for report in reports:
        assert (report["lost"], report["repeated"], report["out_of_order"]) == (0, 0, 0), output
        assert report["seconds_heard"] == pytest.approx(3.0, abs=0.05)
        assert report["end_to_end"] is True, output
    # How long gaps are depends on what else the machine does; that the code says so does not.
    assert process.returncode == (0 if all(report["ok"] for report in reports) else 1), output
    assert nothing_left(short_tmp, process.pid)
    assert {path.name for path in tmp_path.iterdir()} == set(NAMES)


def test_a_file_is_compared_with_itself(tmp_path: Path, short_tmp: Path) -> None:
    write_sound(tmp_path / "My Song.mp3", [render(PIECES[0], 4.0, None)], title="A Song of Mine")
    with demo(tmp_path, short_tmp, "--play", "My Song.mp3", "--seconds", "5") as process:
        output, _ = process.communicate(timeout=WAIT_S)
    first, second = json.loads((tmp_path / "ostinato-heard.json").read_text())
    assert (first["track"], first["judged_by"]) == ("A Song of Mine", "reference"), output
    assert (first["lost"], second["lost"]) == (0, 0), output
    assert first["in_order"] > 0.99


def test_a_file_that_is_no_audio_is_answered_and_fails(tmp_path: Path, short_tmp: Path) -> None:
    (tmp_path / "letter.mp3").write_text("Dear reader, " * 500)
    with demo(tmp_path, short_tmp, "--play", "letter.mp3") as process:
        output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == FAILED
    assert "the bot: " in output
    assert "nothing was played for" in output
    assert "Traceback" not in output
    assert nothing_left(short_tmp, process.pid)


@pytest.mark.parametrize("whole_group", [False, True])
def test_ctrl_c_ends_everything_at_once(whole_group: bool, tmp_path: Path, short_tmp: Path) -> None:
    with demo(tmp_path, short_tmp) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.lstrip().startswith("heard:"):
                break
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=15)
    assert process.returncode == INTERRUPTED, rest
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert nothing_left(short_tmp, process.pid)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("play", "seconds", "code", "words"),
    [
        ("no-such-file.mp3", None, FAILED, "there is no file"),
        ("/", None, FAILED, "is no file"),
        (None, 0.0, BAD_USAGE, "more than 0"),
        (None, float("nan"), BAD_USAGE, "more than 0"),
    ],
)
async def test_what_cannot_be_tried_is_said_in_one_line(
    play: str | None, seconds: float | None, code: int, words: str
) -> None:
    written = io.StringIO()
    assert await run_demo(play, seconds, display=Display(Console(file=written))) == code
    assert words in written.getvalue()
    assert written.getvalue().count("\n") == 1


@pytest.mark.parametrize("link", ["https://example.com/x", "ytsearch:some song", "HTTP://x/y.mp3"])
def test_links_are_left_to_the_bot(link: str) -> None:
    check(link)


def test_a_file_must_be_there() -> None:
    with pytest.raises(NotPlayableError, match="no file"):
        check("nothing-here.ogg")


def test_the_plan_divides_the_seconds(tmp_path: Path) -> None:
    server = MediaServer()
    own = make_plan(None, 8.0, tmp_path, server)
    assert [item.asked.seconds for item in own] == [4.0, 4.0]
    assert own[1].asked.follows_on
    foreign = make_plan("https://example.com/a%20song.mp3", 20.0, tmp_path, server)
    assert (foreign[0].query, foreign[0].stop_s) == ("https://example.com/a%20song.mp3", 16.0)
    assert not foreign[1].asked.follows_on
    assert make_plan("https://example.com/x", None, tmp_path, server)[0].stop_s is None


def test_the_bot_is_given_the_variables_of_the_contract_and_none_of_the_users(tmp_path: Path) -> None:
    class Discord:
        token, address, ca_file = "t", "127.0.0.1:1", Path("/ca.pem")

    users = {"PATH": "/bin", "OSTINATO_PREFIX": "?", "DISCORD_TOKEN": "secret"}
    given = bot_environment(Discord(), 42, tmp_path, users)  # type: ignore[arg-type]  # what it needs of Loopback
    assert given["DISCORD_TOKEN"] == "t"
    assert given["OSTINATO_GUILD_SYNC"] == "42"
    assert given["OSTINATO_ALLOW_PRIVATE_MEDIA"] == "1"
    assert given["PATH"] == "/bin"
    assert "OSTINATO_PREFIX" not in given
