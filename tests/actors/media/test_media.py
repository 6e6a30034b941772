"""The whole way from a link to frames, through real worker processes."""

from __future__ import annotations

import os
import signal
import threading
from itertools import pairwise
from pathlib import Path

import anyio
import av
import pytest
import structlog
from av.audio.codeccontext import AudioCodecContext

from actors.media import Cursor, ErrorKind, Limits, Media, MediaError, Spool, Track, opus
from actors.media.testing import RECIPES, packets, tone
from loopback.fault_server import FaultServer, Served

pytestmark = pytest.mark.anyio

PASSED_THROUGH = ["webm", "opus", "mono.webm"]
TRANSCODED = [
    "m4a",
    "mp3",
    "ogg",
    "wav",
    "flac",
    "ts",
    "speech.webm",
    "switching.webm",  # bandwidths, amid the frames of what would be one packet
    "surround.webm",
]
REGROUPED = ["60ms.webm", "40ms.webm", "10ms.webm", "5ms.webm", "2.5ms.webm"]
FRAMES = 250  # of the files' 5 s
TYPES = {"webm": "audio/webm", "m4a": "audio/mp4", "mp3": "audio/mpeg", "ogg": "audio/ogg"}


def file_name(kind: str) -> str:
    return f"some%20song.{kind.rpartition('.')[2]}"


def all_frames(cursor: Cursor) -> list[bytes]:
    return list(iter(cursor.next_frame, None))


async def whole(spool: Spool) -> list[bytes]:
    with anyio.fail_after(30):
        await spool.wait_ready(1 << 30)
    return all_frames(spool.cursor())


def track(url: str) -> Track:
    return Track(url=url, title="A song", requested_by=1)


def decode(frames: list[bytes]) -> list[tuple[float, int]]:
    """(loudness, zero crossings) of each frame's left channel."""
    decoder = av.CodecContext.create("opus", "r")
    assert isinstance(decoder, AudioCodecContext)
    found: list[tuple[float, int]] = []
    for payload in frames:
        for frame in decoder.decode(av.Packet(payload)):
            assert frame.samples == opus.FRAME_SAMPLES
            left = memoryview(bytes(frame.planes[0])).cast("f")[: frame.samples].tolist()
            crossings = sum(a * b < 0 for a, b in pairwise(left))
            found.append((max(map(abs, left)), crossings))
    return found


def samples(frames: list[bytes]) -> bytes:
    """All that a decoder makes of these packets."""
    decoder = av.CodecContext.create("opus", "r")
    assert isinstance(decoder, AudioCodecContext)
    return b"".join(
        bytes(f.planes[0])[: 4 * f.samples] for frame in frames for f in decoder.decode(av.Packet(frame))
    )


@pytest.mark.parametrize("kind", PASSED_THROUGH)
async def test_opus_passes_through_byte_for_byte(
    media: Media, server: FaultServer, files: dict[str, bytes], kind: str
) -> None:
    url = server.add(file_name(kind), Served(files[kind], "audio/webm"))
    assert await whole(media.spool(track(url))) == packets(files[kind])


@pytest.mark.parametrize("kind", TRANSCODED)
async def test_everything_else_becomes_frames_of_20_ms_to_the_last_one(
    media: Media, server: FaultServer, files: dict[str, bytes], kind: str
) -> None:
    url = server.add(file_name(kind), Served(files[kind], TYPES.get(kind, "audio/webm")))
    frames = await whole(media.spool(track(url)))
    assert FRAMES <= len(frames) <= FRAMES + 4  # encoders of the source pad its start and end
    assert {opus.packet_samples(frame) for frame in frames} == {opus.FRAME_SAMPLES}
    heard = decode(frames)[10:240]
    assert all(loudness > 0.02 for loudness, _ in heard)
    assert all(abs(crossings - 17.6) < 2 for _, crossings in heard), "440 Hz cross zero 17.6 times in 20 ms"


@pytest.mark.parametrize("kind", REGROUPED)
async def test_other_lengths_of_opus_are_regrouped_without_loss(
    media: Media, server: FaultServer, files: dict[str, bytes], kind: str
) -> None:
    url = server.add(file_name(kind), Served(files[kind], "audio/webm"))
    frames = await whole(media.spool(track(url)))
    assert {opus.packet_samples(frame) for frame in frames[:-1]} == {opus.FRAME_SAMPLES}
    assert samples(frames) == samples(packets(files[kind])), "the same sound, sample for sample"
    rest = await whole(media.spool(track(url), start_s=2.0))
    assert rest == frames[100:]


@pytest.mark.parametrize("kind", RECIPES)
async def test_resolving_states_title_and_the_spool_states_the_files_own(
    media: Media, server: FaultServer, files: dict[str, bytes], kind: str
) -> None:
    url = server.add(file_name(kind), Served(files[kind], "audio/webm"))
    (found,) = (await media.resolve(url, requested_by=7)).tracks
    assert (found.url, found.title, found.requested_by, found.is_live) == (url, "some song", 7, False)
    spool = media.spool(found)
    await spool.wait_ready()
    if kind != "ts":  # a transport stream has no place for a title
        assert spool.title == f"The {kind} song"
    if spool.duration_s is not None:
        assert abs(spool.duration_s - 5.0) < 0.2


@pytest.mark.parametrize(("kind", "volume"), [("webm", 50), ("mp3", 50), ("webm", 200)])
async def test_volume_is_applied(
    media: Media, server: FaultServer, files: dict[str, bytes], kind: str, volume: int
) -> None:
    url = server.add(file_name(kind), Served(files[kind], TYPES[kind]))
    plain = decode(await whole(media.spool(track(url))))[50][0]
    changed = decode(await whole(media.spool(track(url), volume=volume)))[50][0]
    assert changed / plain == pytest.approx(volume / 100, rel=0.1)


async def test_a_start_position_is_exact_to_the_frame(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    url = server.add("a.webm", Served(files["webm"], "audio/webm"))
    spool = media.spool(track(url), start_s=3.14)
    assert (spool.start_frame, await whole(spool)) == (157, packets(files["webm"])[157:])


@pytest.mark.parametrize("kind", ["m4a", "mp3", "ogg", "wav", "60ms.webm"])
async def test_a_start_position_in_transcoded_media(
    media: Media, server: FaultServer, files: dict[str, bytes], kind: str
) -> None:
    url = server.add(file_name(kind), Served(files[kind], TYPES.get(kind, "audio/webm")))
    full = await whole(media.spool(track(url)))
    rest = await whole(media.spool(track(url), start_s=3.0))
    assert abs(len(full) - 150 - len(rest)) <= 1


@pytest.mark.parametrize("kind", ["webm", "mp3", "m4a", "ogg"])
async def test_cuts_are_resumed_at_the_byte(
    media: Media, server: FaultServer, files: dict[str, bytes], kind: str
) -> None:
    data = files[kind]
    clean = await whole(media.spool(track(server.add(file_name(kind), Served(data)))))
    cuts = [len(data) * part // 100 for part in (20, 40, 70)]
    faulty = Served(data, cuts=list(cuts), rate=400_000)
    assert await whole(media.spool(track(server.add("cut." + kind, faulty)))) == clean
    assert faulty.cuts == []
    if kind in {"webm", "mp3"}:  # the others are read in leaps, so a cut may meet what nobody reads any more
        starts = [seen.start for seen in server.seen if seen.name == "cut." + kind]
        assert set(cuts) <= set(starts), "each cut is followed by a request for the very next byte"


async def test_a_server_without_ranges_never_replays(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    for kind in ("webm", "mp3", "ogg"):
        data = files[kind]
        plain = Served(data, ranges=False)
        clean = await whole(media.spool(track(server.add("clean." + kind, plain))))
        faulty = Served(data, ranges=False, cuts=[len(data) // 3, len(data) // 2], rate=400_000)
        assert await whole(media.spool(track(server.add("cut." + kind, faulty)))) == clean
        assert faulty.cuts == []


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_a_cut_without_a_stated_length_is_noticed(
    media: Media, server: FaultServer, framing: str
) -> None:
    data = tone(RECIPES["webm"], 10.0)
    cuts = [len(data) // 4, len(data) // 2, len(data) // 2 + 1]
    faulty = Served(data, ranges=False, framing=framing, cuts=cuts)
    assert await whole(media.spool(track(server.add("a.webm", faulty)))) == packets(data)


async def test_a_stream_address_that_expires_is_extracted_again(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    data = files["webm"]
    faulty = Served(data, cuts=[len(data) // 2], after_cut=[403], rate=400_000)
    spool = media.spool(track(server.add("a.webm", faulty)))
    assert await whole(spool) == packets(data)
    assert 403 in [seen.status for seen in server.seen]


@pytest.mark.parametrize("content", [b"just some words " * 500, b"", b"\x00" * 9999])
async def test_what_is_no_audio_is_said_so(media: Media, server: FaultServer, content: bytes) -> None:
    spool = media.spool(track(server.add("a.webm", Served(content, "audio/webm"))))
    with pytest.raises(MediaError) as caught:
        await whole(spool)
    assert (caught.value.kind, spool.complete, spool.cursor().ended) == (
        ErrorKind.NOT_AUDIO,
        False,
        True,
    )


async def test_a_text_page_is_no_audio(media: Media, server: FaultServer) -> None:
    url = server.add("a.txt", Served(b"just some words " * 500, "text/plain"))
    with pytest.raises(MediaError) as caught:
        await media.resolve(url, requested_by=1)
    assert caught.value.kind is ErrorKind.NOT_AUDIO
    assert "yt-dlp" not in caught.value.message


async def test_a_truncated_file_plays_as_far_as_it_goes_which_is_told(
    media: Media, server: FaultServer
) -> None:
    data = tone(RECIPES["webm"], 10.0)
    half = Served(data[: len(data) // 2], "audio/webm")
    with structlog.testing.capture_logs() as logs:
        frames = await whole(media.spool(track(server.add("a.webm", half))))
    assert frames == packets(data)[: len(frames)]
    assert 200 < len(frames) < 300
    (told,) = [each for each in logs if each["event"] == "media_shorter_than_stated"]
    assert told["short_s"] == pytest.approx(10 - len(frames) / 50, abs=0.1)


async def test_a_missing_file_is_not_found(media: Media, server: FaultServer) -> None:
    with pytest.raises(MediaError) as caught:
        await media.resolve(f"http://127.0.0.1:{server.port}/nothing.mp3", requested_by=1)
    assert (caught.value.kind, caught.value.retryable) == (ErrorKind.NOT_FOUND, False)


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://example.com/a.mp3", "rtsp://example.com/a"])
async def test_other_schemes_are_refused(media: Media, link: str) -> None:
    with pytest.raises(MediaError) as caught:
        await media.resolve(link, requested_by=1)
    assert caught.value.kind is ErrorKind.UNSUPPORTED_LINK
    with pytest.raises(MediaError) as caught:
        await whole(media.spool(track(link)))
    assert caught.value.kind is ErrorKind.UNSUPPORTED_LINK


async def test_private_addresses_are_refused(
    server: FaultServer, files: dict[str, bytes], tmp_path: Path
) -> None:
    server.add("a.webm", Served(files["webm"], "audio/webm"))
    media = Media(allow_private=False, work_dir=tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(media.run)
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0"):
            with pytest.raises(MediaError) as caught:
                await media.resolve(f"http://{host}:{server.port}/a.webm", requested_by=1)
            assert caught.value.kind is ErrorKind.PRIVATE_ADDRESS, host
        assert server.seen == []
        tasks.cancel_scope.cancel()


async def test_a_long_track_is_refused_and_a_long_stream_ends_with_a_message(
    server: FaultServer, files: dict[str, bytes], tmp_path: Path
) -> None:
    media = Media(allow_private=True, work_dir=tmp_path, limits=Limits(track_s=3.0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(media.run)
        for kind, frames in (("webm", 0), ("ts", 150)):  # a transport stream may not state its length
            spool = media.spool(track(server.add(file_name(kind), Served(files[kind], "audio/webm"))))
            with pytest.raises(MediaError) as caught:
                await whole(spool)
            assert caught.value.kind is ErrorKind.TOO_LONG
            assert spool.frames in {0, frames}
        tasks.cancel_scope.cancel()
    media.close()


async def test_a_maker_killed_in_the_middle_costs_nothing(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    data = files["webm"]
    served = Served(data, "audio/webm", rate=60_000)
    spool = media.spool(track(server.add("a.webm", served)))
    await spool.wait_ready(50)
    (worker,) = [worker for worker in media._makers.workers if worker.busy]
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    served.rate = 0
    assert await whole(spool) == packets(data)


async def test_closing_a_spool_cancels_its_job(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    spool = media.spool(track(server.add("a.webm", Served(files["webm"], "audio/webm", rate=20_000))))
    cursor = spool.cursor()
    await spool.wait_ready(1)
    await spool.aclose()
    assert (cursor.next_frame(), cursor.ended) == (None, True)
    with anyio.fail_after(10):
        while any(worker.busy for worker in media._makers.workers):  # noqa: ASYNC110
            await anyio.sleep(0.01)
    assert all(worker.alive for worker in media._makers.workers), "told, not killed"


async def test_many_at_once_each_with_its_own_sound(media: Media, server: FaultServer) -> None:
    tones = {hertz: tone(RECIPES["mp3"], 2.0, hertz=hertz) for hertz in range(300, 1300, 100)}
    spools = {hz: media.spool(track(server.add(f"{hz}.mp3", Served(data)))) for hz, data in tones.items()}
    for hertz, spool in spools.items():
        crossings = [crossings for _, crossings in decode(await whole(spool))[20:80]]
        assert abs(sum(crossings) / len(crossings) - hertz / 25) < 1.5
    assert len(media._makers.workers) <= media.limits.makers


async def test_nothing_is_left_after_the_end(
    server: FaultServer, files: dict[str, bytes], tmp_path: Path
) -> None:
    before, threads = open_descriptors(), own_threads()
    media = Media(allow_private=True, work_dir=tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(media.run)
        url = server.add("a.webm", Served(files["webm"], "audio/webm", rate=20_000))
        (found,) = (await media.resolve(url, requested_by=1)).tracks
        spool = media.spool(found)
        await spool.wait_ready(10)
        pids = media.worker_pids
        assert len(pids) == 2
        assert own_threads() == threads
        assert names_in(tmp_path) == [], "spools have no name"
        tasks.cancel_scope.cancel()
    media.close()
    assert not any(lives(pid) for pid in pids)
    with anyio.fail_after(5):
        while open_descriptors() > before:  # noqa: ASYNC110
            await anyio.sleep(0.01)  # the server's side of the connection


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if not path.is_dir()]


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def own_threads() -> int:
    """Threads that are not the event loop's helpers for files."""
    return sum("AnyIO" not in thread.name for thread in threading.enumerate())


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count of names


async def test_unfinished_spools_go_on_when_the_service_runs_again(
    server: FaultServer, files: dict[str, bytes], tmp_path: Path
) -> None:
    media = Media(allow_private=True, work_dir=tmp_path)
    served = Served(files["webm"], "audio/webm", rate=60_000)
    spool = media.spool(track(server.add("a.webm", served)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(media.run)
        await spool.wait_ready(20)
        tasks.cancel_scope.cancel()
    assert not spool.finished
    served.rate = 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(media.run)
        assert await whole(spool) == packets(files["webm"])
        tasks.cancel_scope.cancel()
    media.close()


async def test_a_playlist_of_segments_is_heard_whole(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    data = files["ts"]
    size = len(data) // 188 // 4 * 188
    pieces = [data[:size], data[size : 2 * size], data[2 * size : 3 * size], data[3 * size :]]
    names = [f"part{number}.ts" for number in range(4)]
    for name, piece in zip(names, pieces, strict=True):
        server.add(name, Served(piece, "video/mp2t", cuts=[len(piece) // 2]))
    lines = [
        "#EXTM3U",
        "#EXT-X-TARGETDURATION:2",
        *(f"#EXTINF:1.25,\n{name}" for name in names),
        "#EXT-X-ENDLIST",
    ]
    url = server.add("song.m3u8", Served("\n".join(lines).encode(), "application/vnd.apple.mpegurl"))
    (found,) = (await media.resolve(url, requested_by=1)).tracks
    assert found.is_live is False
    frames = await whole(media.spool(found))
    assert frames == await whole(media.spool(track(server.add("a.ts", Served(data, "video/mp2t")))))


async def test_a_playlist_cannot_reach_other_schemes(media: Media, server: FaultServer) -> None:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:1.25,", "file:///etc/passwd", "#EXT-X-ENDLIST"]
    url = server.add("song.m3u8", Served("\n".join(lines).encode(), "application/vnd.apple.mpegurl"))
    with pytest.raises(MediaError) as caught:
        await whole(media.spool(track(url)))
    assert caught.value.kind in {ErrorKind.NOT_AUDIO, ErrorKind.UNSUPPORTED_LINK}


async def test_a_missing_segment_is_no_end_that_nobody_notices(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    data = files["ts"]
    size = len(data) // 188 // 4 * 188
    for number in (0, 1, 3):
        server.add(f"part{number}.ts", Served(data[size * number : size * (number + 1)], "video/mp2t"))
    lines = [f"#EXTINF:1.25,\npart{number}.ts" for number in range(4)]
    text = "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:2", *lines, "#EXT-X-ENDLIST"])
    url = server.add("song.m3u8", Served(text.encode(), "application/vnd.apple.mpegurl"))
    spool = media.spool(track(url))
    with pytest.raises(MediaError) as caught:
        await whole(spool)
    assert "status 404" in caught.value.message
    assert spool.frames > 100
    assert server.count("part2.ts") > 1, "it was asked for again"
