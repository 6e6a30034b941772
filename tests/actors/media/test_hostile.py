"""Files made to do harm: whatever they name, nothing is opened but by the guarded source."""

from __future__ import annotations

import ctypes
import os
import struct
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import to_thread

from actors.media import ErrorKind, MediaError, Spool, Track, maker
from actors.media.requester import Address
from actors.media.sink import Sink
from actors.media.source import HttpSource
from actors.media.testing import RECIPES, tone
from loopback.fault_server import FaultServer, Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

_IN_OPEN = 0x20  # <sys/inotify.h>
_LIBC = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Tells whether any process, in whatever language, has opened a file of a folder (inotify)."""

    def __init__(self, folder: Path) -> None:
        self.fd = _LIBC.inotify_init1(os.O_NONBLOCK)
        assert _LIBC.inotify_add_watch(self.fd, os.fsencode(folder), _IN_OPEN) >= 0

    def opened(self) -> bool:
        try:
            return bool(os.read(self.fd, 65536))
        except BlockingIOError:
            return False


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[Path]:
    """A file of audio on the bot's own disk; the test fails if it was opened."""
    folder = tmp_path / "bait"
    folder.mkdir()
    path = folder / "secret.mp3"
    path.write_bytes(tone(RECIPES["mp3"], 0.5))
    watch = Watch(folder)
    try:
        yield path
        assert not watch.opened()
        path.read_bytes()
        assert watch.opened(), "the watch can tell"
    finally:
        os.close(watch.fd)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Address]:
    """What the guarded source was asked for."""
    seen: list[Address] = []

    class Recording(HttpSource):
        def open(self) -> HttpSource:
            seen.append(Address(self.name, self._requester.address.headers))
            return super().open()

    monkeypatch.setattr(maker, "HttpSource", Recording)
    return seen


def make(address: Address, folder: Path, *, manifest: bool = False) -> int:
    """Frames made of it, in this process; raises MediaError."""
    spool = Spool(Track(url=address.url, title="x", requested_by=1), folder)

    def report(message: dict[str, object]) -> None: ...

    sink = Sink(spool.fd, report, max_frames=10_000, max_bytes=1 << 20)
    try:
        maker.Maker(maker.Medium(address, manifest=manifest), sink, report).run()
    finally:
        spool.close()
    return sink.frames


def manifest(*lines: str) -> bytes:
    return "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:2", *lines, "#EXT-X-ENDLIST"]).encode()


def atom(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack("!I", len(body) + 8) + name + body


def with_reference(file: bytes, path: Path) -> bytes:
    """A QuickTime file whose sound lies in another file: `dref` with an alias in place of `url `."""
    name = os.fsencode(path)
    alias = bytearray(150)
    alias += struct.pack("!HH", 2, len(name)) + name + bytes(len(name) & 1) + struct.pack("!HH", 0xFFFF, 0)
    old = b"\x00\x00\x00\x0curl \x00\x00\x00\x01"
    assert old in file
    new = atom(b"alis", bytes(4), bytes(alias))
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = file.index(parent) - 4
        size = int.from_bytes(file[at : at + 4]) + len(new) - len(old)
        file = file[:at] + size.to_bytes(4) + file[at + 4 :]
    return file.replace(old, new)


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile '{path}'\n",
        "ffconcat version 1.0\nfile {bait}\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{path}\n#EXTINF:2,\n{bait}\n#EXT-X-ENDLIST\n",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'><Period>"
        "<AdaptationSet contentType='audio'><Representation id='1' bandwidth='1'><BaseURL>{bait}</BaseURL>"
        "<SegmentList><SegmentURL media='{bait}'/></SegmentList></Representation></AdaptationSet></Period>"
        "</MPD>",
        "[playlist]\nFile1={path}\n",
        "{path}\n",
    ],
)
async def test_a_file_that_names_others_opens_none(
    server: FaultServer, tmp_path: Path, bait: Path, asked: list[Address], text: str
) -> None:
    other = server.add("bait.mp3", tone(RECIPES["mp3"], 0.5))
    url = server.add("song.mp3", text.format(path=bait, bait=other).encode())
    with pytest.raises(MediaError) as caught:
        await to_thread.run_sync(make, Address(url), tmp_path)
    assert caught.value.kind is ErrorKind.NOT_AUDIO
    assert {item.url for item in asked} == {url}
    assert {seen.name for seen in server.seen} == {"song.mp3"}


async def test_a_quicktime_file_cannot_refer_to_a_file_of_the_bot(
    server: FaultServer, tmp_path: Path, bait: Path, files: dict[str, bytes]
) -> None:
    url = server.add("song.m4a", with_reference(files["m4a"], bait))
    try:
        await to_thread.run_sync(make, Address(url), tmp_path)
    except MediaError:
        pass  # the bait's watch is what counts


SCHEMES = [
    "{path}", "file://{path}", "file:{path}", "crypto+file://{path}", "crypto:{path}", "concat:{path}|{path}",
    "subfile,,start,0,end,0,,:{path}", "pipe:0", "data:audio/mpeg;base64,SUQz", "ftp://127.0.0.1/x",
    "cache:{path}", "async:{path}",
    "hls+file://{path}", "tcp://127.0.0.1:{port}", "udp://127.0.0.1:{port}", "unix:{path}",
    "rtmp://127.0.0.1:{port}/x", "gopher://127.0.0.1:{port}/x", "httpproxy://127.0.0.1:{port}/x",
]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("place", ["{}", '#EXT-X-MAP:URI="{}"\n#EXTINF:2,\nx.ts'])
async def test_a_manifest_opens_web_links_by_the_source_and_nothing_else(
    server: FaultServer, tmp_path: Path, bait: Path, asked: list[Address], scheme: str, place: str
) -> None:
    target = scheme.format(path=bait, port=server.port)
    lines = manifest("#EXTINF:2,", place.format(target))
    url = server.add("song.m3u8", Served(lines))
    with anyio.fail_after(10), pytest.raises(MediaError):
        await to_thread.run_sync(partial(make, Address(url), tmp_path, manifest=True))
    requested = {f"http://127.0.0.1:{server.port}/{seen.name}" for seen in server.seen}
    assert requested <= {item.url for item in asked}, "each request was the source's"


async def test_secrets_of_the_manifests_server_stay_with_it(
    server: FaultServer, tmp_path: Path, files: dict[str, bytes], asked: list[Address]
) -> None:
    server.add("part.ts", Served(files["ts"], "video/mp2t"))
    elsewhere = f"http://localhost:{server.port}/part.ts"
    url = server.add("song.m3u8", manifest("#EXTINF:5,", "part.ts", "#EXTINF:5,", elsewhere))
    address = Address(url, {"Authorization": "Bearer x", "Cookie": "a=b", "User-Agent": "x"})
    assert await to_thread.run_sync(partial(make, address, tmp_path, manifest=True)) > 250
    sent = {item.url.rpartition("//")[2].partition(":")[0]: sorted(item.headers) for item in asked}
    assert sent == {"127.0.0.1": ["Authorization", "Cookie", "User-Agent"], "localhost": ["User-Agent"]}


def test_a_secret_sent_by_https_is_not_sent_by_http() -> None:
    address = Address("https://a.invalid/x", {"cookie": "a=b"})
    assert address.leading_to("https://a.invalid/y").headers == {"cookie": "a=b"}
    for other in ("http://a.invalid/x", "https://a.invalid:444/x", "https://b.invalid/x"):
        assert address.leading_to(other).headers == {}
