"""The media server answers ranges as RFC 9110 wants and keeps a record of what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from loopback.media_server import MediaServer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(256)) * 800


async def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers) as answer:
        return answer.status, await answer.read(), dict(answer.headers)


async def test_a_whole_file_is_sent_with_its_type_and_length() -> None:
    async with MediaServer({"a song.mp3": CONTENT}) as server:
        status, body, headers = await fetch(server.url("a song.mp3"))
    assert (status, body) == (200, CONTENT)
    assert headers["Content-Type"] == "audio/mpeg"
    assert headers["Content-Length"] == str(len(CONTENT))
    assert headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-", 100, 204800),
        ("bytes=-10", 204790, 204800),
        ("bytes=5-999999", 5, 204800),
    ],
)
async def test_a_range_is_answered_with_exactly_those_bytes(
    asked: str, start: int, stop: int, tmp_path: Path
) -> None:
    (tmp_path / "x.webm").write_bytes(CONTENT)
    async with MediaServer(tmp_path) as server:
        status, body, headers = await fetch(server.url("x.webm"), Range=asked)
    assert (status, body) == (206, CONTENT[start:stop])
    assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    assert (server.requests[0].start, server.requests[0].stop) == (start, stop)


async def test_a_range_behind_the_end_is_refused() -> None:
    async with MediaServer({"x.ogg": CONTENT}) as server:
        status, _, headers = await fetch(server.url("x.ogg"), Range="bytes=204800-")
    assert status == 416
    assert headers["Content-Range"] == "bytes */204800"


async def test_head_tells_the_length_and_sends_nothing() -> None:
    async with MediaServer({"x.ogg": CONTENT}) as server:
        status, body, headers = await fetch(server.url("x.ogg"), "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "204800")


async def test_a_server_without_ranges_sends_the_whole_file() -> None:
    async with MediaServer({"x.ogg": CONTENT}, accept_ranges=False) as server:
        status, body, headers = await fetch(server.url("x.ogg"), Range="bytes=10-20")
    assert (status, len(body)) == (200, len(CONTENT))
    assert "Accept-Ranges" not in headers


async def test_nothing_outside_the_directory_is_served(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("no")
    (tmp_path / "music").mkdir()
    async with MediaServer(tmp_path / "music") as server:
        status, body, _ = await fetch(server.url("").rstrip("/") + "/%2e%2e/secret.txt")
    assert status == 404
    assert body != b"no"


async def test_requests_are_counted_by_name() -> None:
    async with MediaServer({"x.ogg": CONTENT}) as server:
        await fetch(server.url("x.ogg"), "HEAD")
        await fetch(server.url("x.ogg"))
        await fetch(server.url("y.ogg"))
    assert (server.count("x.ogg"), server.count("y.ogg")) == (2, 1)
    assert [request.status for request in server.requests] == [200, 200, 404]


async def test_a_file_can_be_added_while_it_serves() -> None:
    async with MediaServer() as server:
        url = server.add("späte musik.wav", b"RIFF")
        assert (await fetch(url))[1] == b"RIFF"


async def test_other_methods_are_refused() -> None:
    async with MediaServer({"x.ogg": CONTENT}) as server:
        assert (await fetch(server.url("x.ogg"), "POST"))[0] == 405
