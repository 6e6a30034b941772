"""Each step of the escalation does what its name says: real yt-dlp, a stand-in for a site, faults."""

from __future__ import annotations

import json
import resource
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import structlog
from anyio.lowlevel import checkpoint

from actors.media import Access, ErrorKind, Limits, Media, MediaError, Spool, Track
from actors.media.testing import packets
from loopback.fault_server import FaultServer, Served
from tests.actors.media.site_worker import PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio

FALLBACK = {"stubsite": {"client": ("other",)}}


class Site:
    """Pages of the stand-in. `asked` are the queries of each page, in order."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.asked: dict[str, list[str]] = {}

    def page(self, name: str, info: Callable[[str, int], Any]) -> Track:
        """A track; `info` makes what its page says for a query, the first time, the second ..."""
        asked = self.asked[name] = []

        def answer(query: str) -> Served:
            asked.append(query)
            return Served(json.dumps(info(query, len(asked))).encode(), "application/json")

        self.server.add(f"api/{name}", answer)
        return Track(url=f"http://127.0.0.1:{self.server.port}/watch/{name}", title=name, requested_by=1)

    def format(self, name: str, served: Served, **more: Any) -> dict[str, Any]:
        """One form of a track: Opus, unless `more` says otherwise."""
        url = self.server.add(name, served)
        known = {"format_id": name, "url": url, "ext": "webm", "acodec": "opus", "vcodec": "none"}
        return {**known, **more}


@pytest.fixture(scope="module")
async def media(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Media]:
    service = Media(
        allow_private=True,
        work_dir=tmp_path_factory.mktemp("media"),
        access=Access(fallback=FALLBACK),
        resolver_module="tests.actors.media.site_worker",
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(service.run)
        yield service
        tasks.cancel_scope.cancel()
    service.close()


@pytest.fixture
def site(server: FaultServer) -> Site:
    return Site(server)


async def frames_of(spool: Spool) -> list[bytes]:
    with anyio.fail_after(30):
        await spool.wait_ready(1 << 30)
    return list(iter(spool.cursor().next_frame, None))


def info(name: str, *formats: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "formats": list(formats), **more}


async def test_each_step_helps_where_the_one_before_does_not(
    media: Media, site: Site, files: dict[str, bytes]
) -> None:
    """Four tracks side by side, each of which only one of the steps can play."""
    whole = packets(files["webm"])
    dead = Served(b"", refuse_from=0)
    dead.after_cut, dead.broken = [403] * 99, True  # whoever asks
    cut = Served(files["webm"], cuts=[len(files["webm"]) // 2], rate=200_000)
    tracks = {
        "range": site.page("range", lambda query, count: info("range", site.format("cut", cut))),
        "again": site.page(
            "again",
            lambda query, count: info(
                "again",
                site.format(f"link{count}", Served(files["webm"]) if count > 1 else dead, format_id="251"),
            ),
        ),
        "format": site.page(
            "format",
            lambda query, count: info(
                "format",
                site.format("opus", Served(b"not audio" * 999), abr=160),
                site.format("m4a", Served(files["m4a"]), ext="m4a", acodec="mp4a.40.2", abr=128),
            ),
        ),
        "client": site.page(
            "client",
            lambda query, count: info(
                "client", site.format(query, Served(files["webm"]) if query == "client=other" else dead)
            ),
        ),
    }
    before = dict(media.counts)
    with structlog.testing.capture_logs() as logs:
        spools = {name: media.spool(track) for name, track in tracks.items()}
        heard = {name: await frames_of(spool) for name, spool in spools.items()}
    assert [heard["range"], heard["again"], heard["client"]] == [whole] * 3
    assert len(heard["format"]) == pytest.approx(len(whole), abs=4)
    assert (site.asked["range"], site.asked["again"]) == (["client=usual"], ["client=usual"] * 2)
    assert site.server.count("m4a") > 0
    assert site.asked["client"][-1] == "client=other"
    assert set(site.asked["client"][:-1]) == {"client=usual"}
    taken = {step: media.counts[step] - before.get(step, 0) for step in ("other_format", "other_client")}
    assert taken == {"other_format": 1, "other_client": 1}, "the client's track has one format only"
    failed = [(each["track"], each["next_step"]) for each in logs if each["event"] == "media_attempt_failed"]
    assert ("format", "other_format") in failed
    assert ("client", "other_format") in failed


async def test_a_full_disk_costs_a_waiting_track_nothing(
    media: Media, site: Site, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chaos, seed 5: what could not be prepared for some seconds was skipped when its turn came, later."""
    monkeypatch.setattr("actors.media.escalation.NO_ROOM_PAUSE_S", 0.05)
    half = Served(files["webm"], stalls=[len(files["webm"]) // 2], stall_s=0.3)
    begun = site.page("begun", lambda query, count: info("begun", site.format("half", half)))
    late = site.page("late", lambda query, count: info("late", site.format("all", Served(files["webm"]))))
    first = media.spool(begun)
    await first.wait_ready(1)
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in media.worker_pids}
    with structlog.testing.capture_logs() as logs:
        for pid, (_, hard) in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
        second = media.spool(late)
        with anyio.fail_after(10):
            while sum(each["event"] == "media_waits_for_room" for each in logs) < 3:  # noqa: ASYNC110 - a log
                await anyio.sleep(0.01)
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
        assert await frames_of(first) == await frames_of(second) == packets(files["webm"])


async def test_what_nothing_helped_says_what_was_tried(media: Media, site: Site) -> None:
    dead = Served(b"", broken=True, after_cut=[403] * 99)
    track = site.page("dead", lambda query, count: info("dead", site.format(f"dead-{query}", dead)))
    with pytest.raises(MediaError) as caught:
        await frames_of(media.spool(track))
    assert caught.value.kind is ErrorKind.GONE
    assert caught.value.message == (
        "The media server does not hand the file out (status 403). "
        "Also tried: a fresh link, another way to ask the site."
    )


async def test_a_site_that_refuses_is_asked_otherwise_at_once(
    media: Media, site: Site, files: dict[str, bytes]
) -> None:
    def answer(query: str, count: int) -> dict[str, Any]:
        return info("shy", *([site.format("shy", Served(files["webm"]))] if query == "client=other" else []))

    track = site.page("shy", answer)
    (found,) = (await media.resolve(track.url, requested_by=1)).tracks
    assert found.title == "shy"
    assert site.asked["shy"] == ["client=usual", "client=other"]


async def test_a_stream_is_not_fetched_before_the_site_releases_it(
    media: Media, site: Site, files: dict[str, bytes]
) -> None:
    at = time.time() + 1.5
    early = site.format("early", Served(files["webm"]), available_at=at)
    spool = media.spool(site.page("early", lambda query, count: info("early", early)))
    while not site.asked["early"]:  # noqa: ASYNC110 - the page's record
        await anyio.sleep(0.01)
    await spool.wait_ready(1)
    assert time.time() >= at


async def test_all_who_ask_at_once_and_after_that_share_one_extraction(
    media: Media, site: Site, files: dict[str, bytes]
) -> None:
    track = site.page(
        "shared", lambda query, count: info("shared", site.format("shared", Served(files["webm"])))
    )
    before = dict(media.counts)

    async def ask() -> None:
        await media.resolve(track.url, requested_by=1)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
    await ask()
    await frames_of(media.spool(track))
    assert len(site.asked["shared"]) == 1
    now = {name: media.counts[name] - before.get(name, 0) for name in ("extraction", "joined", "hit")}
    assert now == {"extraction": 1, "joined": 4, "hit": 2}


@pytest.mark.parametrize(("length", "pages"), [(120, [50, 50, 20]), (100, [50, 50, 0]), (999, [50, 50, 30])])
async def test_a_long_playlist_is_read_page_by_page_and_no_track_of_it_opened(
    site: Site, media: Media, monkeypatch: pytest.MonkeyPatch, length: int, pages: list[int]
) -> None:
    monkeypatch.setattr(media, "_playlist", 130)
    monkeypatch.setattr(media._resolver, "_playlist", 130)

    def page(query: str, count: int) -> list[str]:
        first = int(query.removeprefix("page=")) * PAGE
        return [f"track{number}" for number in range(first, min(first + PAGE, length))]

    site.page(f"long{length}", page)
    found = await media.resolve(f"http://127.0.0.1:{site.server.port}/list/long{length}", requested_by=1)
    assert len(site.asked[f"long{length}"]) == media.limits.page // PAGE, (
        "nothing beyond the page is asked for"
    )
    read, sizes = list(found.tracks), [len(found.tracks)]
    while found.listing is not None and (rest := found.listing.left(len(found.tracks))) is not None:
        found = await media.more(rest)
        read += found.tracks
        sizes.append(len(found.tracks))
    assert [track.title for track in read] == [f"track{number}" for number in range(min(length, 130))]
    assert sizes == pages
    assert {track.requested_by for track in read} == {1}
    assert {seen.name for seen in site.server.seen} == {f"api/long{length}"}


async def test_what_cannot_be_played_is_left_out_and_the_numbers_stay_right(media: Media, site: Site) -> None:
    """As when only a part of a page has room: what is left begins with the first one that was not taken."""
    site.page("odd", lambda query, count: ["a", "", "c", "d"] if query == "page=0" else [])
    found = await media.resolve(f"http://127.0.0.1:{site.server.port}/list/odd", requested_by=1)
    assert [track.title for track in found.tracks] == ["a", "c", "d"]
    assert found.listing is not None
    assert (found.listing.numbers, found.listing.left(3)) == ((1, 3, 4), None)
    rest = found.listing.left(1)
    assert rest is not None
    assert (rest.first, rest.total, rest.count) == (3, 4, 2)
    assert [track.title for track in (await media.more(rest)).tracks] == ["c", "d"]


async def test_the_budget_is_for_sites_and_a_restart_keeps_it_and_what_was_found(
    site: Site, files: dict[str, bytes], tmp_path: Path
) -> None:
    served = Served(files["webm"], "audio/webm")
    tracks = [
        site.page(f"song{number}", lambda query, count: info("x", site.format("song", served)))
        for number in range(10)
    ]

    def service() -> Media:
        module = "tests.actors.media.site_worker"
        access, limits = Access(per_hour=10, fallback=FALLBACK), Limits(resolvers=1)
        return Media(
            allow_private=True, work_dir=tmp_path, access=access, limits=limits, resolver_module=module
        )

    media = service()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(media.run)
        for number in range(12):
            await media.resolve(site.server.add(f"plain{number}.webm", served), requested_by=1)
        for track in tracks[:8]:
            await media.resolve(track.url, requested_by=1)
        with pytest.raises(MediaError) as caught:
            await media.resolve(tracks[8].url, requested_by=1)
        assert caught.value.kind is ErrorKind.LIMITED
        assert await frames_of(media.spool(tracks[8])) == packets(files["webm"]), "its turn has come"
        tasks.cancel_scope.cancel()
    media.close()
    media = service()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(media.run)
        await media.resolve(tracks[0].url, requested_by=1)
        assert await frames_of(media.spool(tracks[1])) == packets(files["webm"])
        with pytest.raises(MediaError):
            await media.resolve(tracks[9].url, requested_by=1)
        tasks.cancel_scope.cancel()
    media.close()
    assert [len(site.asked[f"song{number}"]) for number in range(10)] == [1] * 9 + [0]


async def test_who_skips_many_tracks_has_no_process_killed_and_what_was_found_is_kept(
    media: Media, site: Site, files: dict[str, bytes]
) -> None:
    """Each skip killed the process that looked for the track: the last one began to play 1.6 s late."""
    served = Served(files["webm"], "audio/webm")

    def slow(name: str) -> Track:
        track = site.page(name, lambda query, count: info(name, site.format("song", served)))
        page = site.server.files[f"api/{name}"]
        assert callable(page)

        def answer(query: str) -> Served:
            found = page(query)
            found.rate = 8 * len(found.data)
            return found

        site.server.files[f"api/{name}"] = answer
        return track

    tracks = [slow(f"skipped{number}") for number in range(12)]
    warm = site.page("warm", lambda query, count: info("warm", site.format("song", served)))
    await media.resolve(warm.url, requested_by=1)
    pids, spent = set(media._resolver.pids), len(media._resolver._budget.spent)
    for number, track in enumerate(tracks):
        spool = media.spool(track)
        with anyio.fail_after(20):
            while number < 2 and not site.asked[f"skipped{number}"]:  # noqa: ASYNC110 - a fact of a process
                await anyio.sleep(0.005)
        await checkpoint()
        if number < 11:
            await spool.aclose()
    assert await frames_of(spool) == packets(files["webm"])
    assert pids <= set(media._resolver.pids)
    assert await frames_of(media.spool(tracks[0])) == packets(files["webm"])
    asked = [len(site.asked[track.title]) for track in tracks]
    assert (asked[0], asked[11]) == (1, 1)
    assert sum(asked) <= 4, "who is skipped before his turn is not asked for"
    assert len(media._resolver._budget.spent) - spent == sum(asked)
