"""yt-dlp's options and errors, against the version that is installed."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yt_dlp
from yt_dlp.extractor import youtube
from yt_dlp.networking.exceptions import TransportError
from yt_dlp.utils import DownloadError, ExtractorError, UnsupportedError, YoutubeDLError

from actors import settings_values
from actors.doctor import Finding, Level
from actors.doctor.arguments import check_arguments
from actors.media import ErrorKind
from actors.media.access import FALLBACK, PER_HOUR
from actors.media.extraction import Extractor, Quiet
from actors.media.extraction_errors import explain
from actors.media.infos import name_of, stream_of, track_of
from actors.media.ytdlp_params import ALWAYS, FORMATS, merged, parameters
from actors.settings import SETTINGS, Settings

# Those of the command line, and those that the class documents.
KNOWN = set(yt_dlp.parse_options([]).ydl_opts) | set(
    re.findall(r"^(\w+):", inspect.getdoc(yt_dlp.YoutubeDL) or "", re.MULTILINE)
)


@pytest.mark.parametrize("variant", range(len(FORMATS)))
def test_every_option_name_is_one_of_yt_dlp(variant: int) -> None:
    names = set(parameters(variant, cache_dir=None, logger=Quiet()))
    assert len(KNOWN) > 150
    assert names <= KNOWN, names - KNOWN
    assert "concurrent_fragments" not in KNOWN, "the check can tell a wrong name"


def choose(variant: int, formats: list[dict[str, str]]) -> str | None:
    options = parameters(variant, cache_dir=None, logger=Quiet())
    with yt_dlp.YoutubeDL(options) as ydl:
        info = {"id": "x", "title": "x", "extractor": "x", "extractor_key": "X", "formats": formats}
        try:
            chosen = ydl.process_ie_result(info, download=False).get("format_id")
        except YoutubeDLError:
            return None
        return str(chosen)


def form(name: str, protocol: str = "https", *, audio: str = "mp4a", video: str = "none") -> dict[str, str]:
    url, ending = f"https://x.invalid/{name}", "webm" if audio == "opus" else "m4a"
    ending = "mp4" if video != "none" else ending
    return {
        "format_id": name,
        "url": url,
        "protocol": protocol,
        "acodec": audio,
        "vcodec": video,
        "ext": ending,
    }


OPUS, M4A = form("251", audio="opus"), form("140")
MUXED, HLS = form("18", video="avc1"), form("91", "m3u8_native", video="avc1")
DASH = form("250", "http_dash_segments", audio="opus")


@pytest.mark.parametrize(
    ("variant", "formats", "chosen"),
    [
        (0, [M4A, MUXED, HLS, OPUS], "251"),
        (0, [MUXED, HLS, M4A], "140"),
        (0, [HLS, MUXED], "18"),
        (0, [HLS], "91"),
        (0, [M4A, DASH], "140"),
        (0, [DASH], None),
        (1, [OPUS, M4A, MUXED], "140"),
        (1, [OPUS, MUXED], "18"),
        (1, [OPUS], "251"),
    ],
)
def test_the_formats_chosen(variant: int, formats: list[dict[str, str]], chosen: str | None) -> None:
    assert choose(variant, formats) == chosen


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (UnsupportedError("https://x"), ErrorKind.NOT_AUDIO, False),
        (TransportError("reset"), ErrorKind.UNAVAILABLE, True),
        (ExtractorError("[youtube] abc: This video is private", expected=True), ErrorKind.UNAVAILABLE, False),
        (ExtractorError("Unable to extract"), ErrorKind.UNAVAILABLE, True),
        (KeyError("x"), ErrorKind.UNAVAILABLE, True),
    ],
)
def test_errors_as_data(error: Exception, kind: ErrorKind, retryable: bool) -> None:
    wrapped = DownloadError(f"ERROR: {error}", (type(error), error, None))
    found = explain(wrapped)
    assert (found.kind, found.retryable) == (kind, retryable)


def test_messages_are_for_people() -> None:
    error = ExtractorError(
        "Sign in to confirm your age. Use --cookies-from-browser ...", expected=True, video_id="a-_b"
    )
    message = explain(
        DownloadError(f"\x1b[0;31mERROR:\x1b[0m [youtube] a-_b: {error.orig_msg}", (type(error), error, None))
    )
    assert message.message == "Sign in to confirm your age"


def test_everything_that_a_site_states_is_bounded() -> None:
    huge = "x" * 100_000
    info = {
        "webpage_url": "https://a.invalid/",
        "title": huge,
        "uploader": huge,
        "thumbnail": f"https://{huge}",
    }
    found = track_of({**info, "duration": float("inf")})
    assert len(str(found)) < 1000
    assert found["duration_s"] is None
    stream = stream_of(
        {"url": "https://a.invalid/", "http_headers": {f"h{n}": huge for n in range(99)}, "format_id": huge}
    )
    assert len(str(stream)) < 100_000


def test_what_a_site_states_is_one_line_without_invisible_characters() -> None:
    title = "a\x00b\x1b[31m\n\u202ec\u2066\ud800 \U0001f468\u200d\U0001f469" + "\u202e" * 10_000
    found = track_of({"url": "https://a.invalid/x%0A%1B%E2%80%AE.mp3", "title": title})
    assert found["title"] == "ab[31m c \U0001f468\u200d\U0001f469"
    assert track_of({"url": "https://a.invalid/x%0A%1By%E2%80%AE.mp3", "title": "\u202e"})["title"] == "x y"


@pytest.mark.parametrize(
    "url",
    [
        "https://a.invalid/?x=1&expire={}",
        "https://a.invalid/x?Expires={}&Signature=y",
        "https://manifest.a.invalid/api/expire/{}/ei/x/index.m3u8",
        "https://a.invalid/?expire={}&exp=99999999999",
    ],
)
def test_an_address_is_used_until_shortly_before_its_end(url: str) -> None:
    at = int(time.time()) + 5000
    assert stream_of({"url": url.format(at)})["expires_at"] == at - 120


def test_an_end_that_is_no_number_is_not_believed() -> None:
    for expire in ("²", "x", "9" * 400, "-1"):
        stream = stream_of({"url": f"https://a.invalid/?expire={expire}"})
        assert 0 < stream["expires_at"] - time.time() <= 301


def youtube_clients() -> tuple[set[str], set[str]]:
    """All that yt-dlp knows, and those that it asks by itself."""
    folder = Path(youtube.__file__).parent
    listed = (
        (folder / "_base.py").read_text("utf-8").split("INNERTUBE_CLIENTS = {", 1)[1].split("\n}\n", 1)[0]
    )
    own = re.findall(r"_DEFAULT\w*_CLIENTS = \(([^)]*)\)", (folder / "_video.py").read_text("utf-8"))
    assert len(own) == 4
    return set(re.findall(r"^    '(\w+)': {", listed, re.MULTILINE)), set(re.findall(r"'(\w+)'", own[0]))


def test_the_other_way_to_ask_is_known_to_yt_dlp_and_another_one() -> None:
    known, usual = youtube_clients()
    others = set(FALLBACK["youtube"]["player_client"])
    assert others <= known
    assert others - usual


def test_every_argument_for_an_extractor_is_one_that_it_reads() -> None:
    """yt-dlp ignores others silently, as it does with the names of options."""
    folder = Path(youtube.__file__).parent
    read = {
        name
        for file in folder.glob("*.py")
        for name in re.findall(r"_configuration_arg\(\s*'(\w+)'", file.read_text("utf-8"))
    }
    assert {"player_client", "skip"} <= read
    assert set(merged(ALWAYS, FALLBACK)) == {"youtube"}
    assert set(merged(ALWAYS, FALLBACK)["youtube"]) <= read


def test_the_doctor_names_arguments_that_yt_dlp_would_ignore(tmp_path: Path) -> None:
    def found(text: str) -> list[Finding]:
        arguments = settings_values.extractor_args(text, tmp_path)
        return list(
            check_arguments(
                Settings(data_dir=tmp_path, admin_socket=tmp_path / "x", ytdlp_extractor_args=arguments)
            )
        )

    (well,) = found("youtube:player_client=tv;player_skip=js youtubetab:skip=webpage")
    assert well.level is Level.OK
    (bad,) = found("youtube:player_clients=tv youtub:player_client=tv")
    assert (bad.level, bad.what) == (Level.FAIL, "unknown to yt-dlp: youtub, youtube:player_clients")
    assert list(check_arguments(Settings(data_dir=tmp_path, admin_socket=tmp_path / "x"))) == []


def test_the_readme_states_the_defaults() -> None:
    rows = {row.name: row.default.strip("`") for row in SETTINGS}
    assert settings_values.extractor_args(rows["ytdlp_fallback_args"], Path()) == FALLBACK
    assert rows["ytdlp_per_hour"] == str(PER_HOUR)


def test_cookies_are_sent_where_they_belong() -> None:
    line = ".a.invalid\tTRUE\t/\tFALSE\t0\tname\tvalue\n"
    extractor = Extractor(cache_dir=None, cookies=f"# Netscape HTTP Cookie File\n{line}")
    for url, sent in (("http://x.a.invalid/m.mp3", "name=value"), ("http://b.invalid/m.mp3", None)):
        assert extractor._stream({"url": url})["headers"].get("Cookie") == sent


def test_nothing_is_executed_written_or_read_beside_the_cache() -> None:
    options = parameters(0, cache_dir=None, logger=Quiet())
    dangerous = {"postprocessors", "exec_cmd", "netrc_cmd", "cookiefile", "cookiesfrombrowser", "outtmpl"}
    assert not dangerous & set(options)
    assert (options["check_formats"], options["enable_file_urls"], options["usenetrc"]) == (False,) * 3


def test_a_file_url_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp3"
    secret.write_bytes(b"ID3")
    options = parameters(0, cache_dir=None, logger=Quiet())
    with yt_dlp.YoutubeDL(options) as ydl, pytest.raises(YoutubeDLError, match="file:"):
        ydl.extract_info(secret.as_uri(), download=False)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.invalid/dir/My%20song.mp3?x=1", "My song"),
        ("https://a.invalid/", "a.invalid"),
        ("https://a.invalid/a/b", "b"),
    ],
)
def test_a_track_without_a_title_is_called_after_its_file(url: str, name: str) -> None:
    assert name_of(url) == name


def test_the_script_runtime_runs_within_the_bounds_of_its_worker() -> None:
    """Under the resolver's own limits and guards; a page that unpacks to more memory than that is refused."""
    script = """
import os, subprocess
from actors.media import guard, lifeline, resolver_worker
lifeline.be_modest(data_bytes=resolver_worker._DATA_BYTES)
guard.install_programs()
guard.install()
import yt_dlp
from actors.media.extraction import Quiet
from actors.media.ytdlp_params import parameters
ydl = yt_dlp.YoutubeDL(parameters(0, cache_dir=None, logger=Quiet()))
deno = ydl._js_runtimes["deno"].info
assert deno is not None and deno.supported, deno
program = "console.log(new Array(2_000_000).fill(1).reduce((a, b) => a + b))"
done = subprocess.run([deno.path, "run", "--no-remote", "-"], input=program, text=True, capture_output=True)
assert done.stdout.strip() == "2000000", done
try:
    bytes(2 << 30)
except MemoryError:
    print("bounded")
"""
    done = subprocess.run(  # noqa: S603 - the text above
        [sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.strip() == "bounded"
