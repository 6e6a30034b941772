"""The byte source against servers that misbehave; it blocks, so it runs in a thread beside the server."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import anyio
import pytest
import urllib3
from anyio import to_thread
from hypothesis import HealthCheck, given, settings, strategies as st

from actors.media import ErrorKind, MediaError
from actors.media.requester import Address, Requester
from actors.media.retry_after import asked_wait_s
from actors.media.source import HttpSource
from loopback.fault_server import FaultServer, Served, fault_server

pytestmark = pytest.mark.anyio

DATA = bytes(range(256)) * 800  # 200 kB, every position recognisable


def read_all(source: HttpSource, size: int = 65536) -> bytes:
    with_end = []
    try:
        while data := source.read(size):
            with_end.append(data)
        if source.error is not None:
            raise source.error
    finally:
        source.close()
    return b"".join(with_end)


async def fetch(url: str, **options: object) -> bytes:
    source = HttpSource(Address(url), timeout_s=0.5, **options)  # type: ignore[arg-type]  # passed on as given
    return await to_thread.run_sync(lambda: read_all(source.open()))


async def failure(url: str, **options: object) -> MediaError:
    with pytest.raises(MediaError) as caught:
        await fetch(url, **options)
    return caught.value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(1, len(DATA) - 1), max_size=4, unique=True), ranges=st.booleans())
async def test_whatever_cuts_come_every_byte_arrives_once(cuts: list[int], ranges: bool) -> None:
    async with fault_server() as server:
        served = Served(DATA, cuts=list(cuts), ranges=ranges)
        assert await fetch(server.add("x", served)) == DATA
        assert served.cuts == []
        starts = [seen.start for seen in server.seen]
        assert starts == [0, *sorted(cuts)], "each answer is followed by a request for the next byte"


async def test_a_stall_is_a_cut(server: FaultServer) -> None:
    served = Served(DATA, stalls=[100_000], stall_s=3.0)
    with anyio.fail_after(2.5):
        assert await fetch(server.add("x", served)) == DATA


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_complete_answers_without_a_length_end_once(server: FaultServer, framing: str) -> None:
    url = server.add("x", Served(DATA, ranges=False, framing=framing))
    assert await fetch(url) == DATA
    assert len(server.seen) == 1


async def test_an_answer_without_a_length_that_is_cut_goes_on_at_the_byte(server: FaultServer) -> None:
    url = server.add("x", Served(DATA, ranges=False, framing="chunked", cuts=[100_000]))
    assert await fetch(url) == DATA


@pytest.mark.parametrize("position", [10, 99_999])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_other_bytes_before_the_cut_are_another_file(
    server: FaultServer, framing: str, position: int
) -> None:
    other = DATA[:position] + b"?" + DATA[position + 1 :]
    url = server.add("x", Served(DATA, ranges=False, framing=framing, cuts=[100_000], then=other))
    assert (await failure(url)).kind is ErrorKind.CHANGED


async def test_a_live_stream_that_is_cut_is_not_read_to_where_it_was(server: FaultServer) -> None:
    """What comes again from another moment is told from its first bytes."""
    live = Served(DATA, ranges=False, framing="close", cuts=[100_000], then=bytes(100_000))
    chunked = Served(DATA, ranges=False, framing="chunked", cuts=[100_000], then=b"x" * 200_000, rate=200_000)
    assert await fetch(server.add("x", live)) == DATA[:100_000], "nobody can tell this end from a proper one"
    assert (await failure(server.add("y", chunked))).kind is ErrorKind.CHANGED


@pytest.mark.parametrize(("tag", "sent"), [('"a"', True), ('W/"a"', False)])
async def test_the_same_file_is_asked_for_by_its_tag(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, tag: str, sent: bool
) -> None:
    asked = list[str | None]()
    get = Requester.get

    def recorded(self: Requester, position: int, size: int, unchanged: str | None) -> object:
        asked.append(unchanged)
        return get(self, position, size, unchanged)

    monkeypatch.setattr(Requester, "get", recorded)
    assert await fetch(server.add("x", Served(DATA, etag=tag, cuts=[100_000]))) == DATA
    assert asked == [None, tag if sent else None]


async def test_a_time_of_change_tells_where_there_is_no_tag(server: FaultServer) -> None:
    served = Served(DATA, cuts=[100_000], headers={"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"})
    url = server.add("x", served)
    assert await fetch(url) == DATA
    served.cuts = [100_000]
    source = HttpSource(Address(url), timeout_s=0.5)
    await to_thread.run_sync(lambda: source.open().read(1))
    served.headers = {"Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}
    with pytest.raises(MediaError) as caught:
        await to_thread.run_sync(lambda: read_all(source))
    assert caught.value.kind is ErrorKind.CHANGED


async def test_ranges_are_no_larger_than_the_site_serves_at_full_speed(server: FaultServer) -> None:
    assert await fetch(server.add("x", DATA), chunk=60_000) == DATA
    assert [seen.start for seen in server.seen] == [0, 60_000, 120_000, 180_000]


def test_a_pause_is_waited_for_if_it_is_short() -> None:
    def answer(value: str) -> urllib3.HTTPResponse:
        return urllib3.HTTPResponse(headers={"Retry-After": value}, status=429)

    soon, late = (format_datetime(datetime.now(UTC) + timedelta(seconds=s), usegmt=True) for s in (10, 3600))
    assert [asked_wait_s(answer(value)) for value in ("3", "", "soon", "-1")] == [3.0, 0.0, 0.0, 0.0]
    assert 5 < asked_wait_s(answer(soon)) <= 10
    for value in ("600", late):
        with pytest.raises(MediaError, match="asks to wait for"):
            asked_wait_s(answer(value))


async def test_passing_faults_of_the_server_are_outlasted(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.media.source._BACKOFF_S", (0.0,) * 6)
    url = server.add("x", Served(DATA, cuts=[50_000], after_cut=[503, 500, 429]))
    assert await fetch(url) == DATA


async def test_a_refused_address_is_replaced_once_and_goes_on_at_the_byte(server: FaultServer) -> None:
    asked = list[int]()

    def refresh(status: int) -> Address:
        asked.append(status)
        return Address(server.add("new", DATA))

    url = server.add("old", Served(DATA, cuts=[50_000], after_cut=[403] * 9))
    assert await fetch(url, refresh=refresh) == DATA
    assert asked == [403]
    assert [(seen.name, seen.start) for seen in server.seen][-1] == ("new", 50_000)
    again = server.add("old", Served(DATA, cuts=[50_000], after_cut=[403] * 9))
    assert (await failure(again)).kind is ErrorKind.GONE, "without a way to replace it"


async def test_another_file_under_the_new_address_is_not_joined_on(server: FaultServer) -> None:
    url = server.add("old", Served(DATA, cuts=[50_000], after_cut=[410] * 9))
    other = Address(server.add("new", DATA[:-1]))
    assert (await failure(url, refresh=lambda status: other)).kind is ErrorKind.CHANGED


async def test_seeking_reads_the_right_bytes_and_asks_no_more_than_needed(server: FaultServer) -> None:
    source = HttpSource(Address(server.add("x", DATA)), timeout_s=0.5)

    def use() -> None:
        source.open()
        assert source.seekable()
        assert source.read(10) == DATA[:10]
        assert source.seek(-1, 2) == len(DATA) - 1  # how FFmpeg asks the size
        source.seek(1000)
        assert source.read(10) == DATA[1000:1010]
        source.seek(5)
        assert source.read(10) == DATA[5:15]
        source.close()

    await to_thread.run_sync(use)
    assert [seen.start for seen in server.seen] == [0, 5]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("file:///etc/passwd", ErrorKind.UNSUPPORTED_LINK),
        ("ftp://a.invalid/", ErrorKind.UNSUPPORTED_LINK),
        ("/x", ErrorKind.UNAVAILABLE),
    ],
    ids=["file", "ftp", "loop"],
)
async def test_redirects_are_checked_and_bounded(server: FaultServer, target: str, kind: ErrorKind) -> None:
    assert (await failure(server.add("x", Served(b"", redirect=target)))).kind is kind
    assert len(server.seen) <= 6


async def test_a_redirect_is_followed(server: FaultServer) -> None:
    target = server.add("there", DATA)
    assert await fetch(server.add("here", Served(b"", redirect=target))) == DATA


async def test_a_file_that_is_too_large_is_refused(server: FaultServer) -> None:
    assert (await failure(server.add("x", DATA), max_bytes=1000)).kind is ErrorKind.TOO_LONG


async def test_nobody_there_is_said_after_a_bounded_time() -> None:
    cancelled = threading.Event()
    cancelled.wait = lambda timeout=None: False  # type: ignore[method-assign]  # do not wait between attempts
    error = await failure("http://127.0.0.1:1/x", cancelled=cancelled)
    assert (error.kind, error.retryable) == (ErrorKind.UNAVAILABLE, True)


async def test_cancelling_ends_a_read(server: FaultServer) -> None:
    cancelled = threading.Event()
    url = server.add("x", Served(DATA, rate=20_000))
    results = list[MediaError]()

    async def read() -> None:
        results.append(await failure(url, cancelled=cancelled))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            while not server.seen:  # noqa: ASYNC110 - the server's record
                await anyio.sleep(0.01)
            cancelled.set()
    assert results[0].kind is ErrorKind.CANCELLED


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-99/100\r\nTransfer-Encoding: chunked\r\n\r\n1;"]
)
def test_a_server_that_sends_a_byte_now_and_then_holds_nobody(head: bytes) -> None:
    """Each byte is in time, and the line they belong to never ends."""
    cancelled, sent, over = threading.Event(), threading.Event(), threading.Event()

    def trickle(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.sendall(head)
            while not over.wait(0.02):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return
                sent.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=trickle, args=(listener,))
        server.start()
        source = HttpSource(Address(f"http://127.0.0.1:{listener.getsockname()[1]}/"), cancelled=cancelled)
        found: list[MediaError] = []

        def read() -> None:
            try:
                source.open().read(10)
            except MediaError as error:
                found.append(error)
            source.close()

        reader = threading.Thread(target=read)
        reader.start()
        assert sent.wait(10)
        cancelled.set()
        source.abort()
        reader.join(10)
        held = reader.is_alive()
        over.set()
        reader.join(10)
        server.join(10)
    assert not held
    assert [error.kind for error in found] == [ErrorKind.CANCELLED]


async def test_an_answer_without_a_size_is_bounded_too(server: FaultServer) -> None:
    url = server.add("x", Served(bytes(100_000), framing="close", ranges=False))
    assert (await failure(url, max_bytes=50_000)).kind is ErrorKind.TOO_LONG


def test_a_redirect_into_a_private_network_is_refused() -> None:
    script = """
import http.server, threading
from actors.media import guard
from actors.media.errors import ErrorKind, MediaError
from actors.media.requester import Address
from actors.media.source import HttpSource

class Redirect(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/secret")
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments): pass

server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Redirect)
threading.Thread(target=server.serve_forever, daemon=True).start()
guard.is_public = lambda address: address == "127.0.0.2"
guard.install()
try:
    HttpSource(Address(f"http://127.0.0.2:{server.server_port}/")).open()
except MediaError as error:
    assert error.kind is ErrorKind.PRIVATE_ADDRESS, error
else:
    raise SystemExit("it was fetched")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)  # noqa: S603 - the text above
