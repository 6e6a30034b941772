"""Every fault of a media server at once, each against a track of its own: the whole track is heard.

Opus that passes through is compared byte by byte with the file, all else with what is made without a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import pytest

from actors.media import ErrorKind, Media, MediaError, Spool, Track
from actors.media.testing import RECIPES, packets, tone
from loopback.fault_server import FaultServer, Served

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

RATE = 250_000  # bytes per second: slow enough that a fault hits while the file is read
LONG_S = 30.0  # more than a source's patience


@dataclass(frozen=True, slots=True)
class Fault:
    """How a file is served. `decoded`: tried with one that is transcoded, too."""

    serve: Callable[[bytes], Served]
    decoded: bool = False


def at(data: bytes, *percent: int) -> list[int]:
    return [len(data) * each // 100 for each in percent]


FAULTS = {
    "cut at 40 %": Fault(lambda data: Served(data, cuts=at(data, 40), rate=RATE), decoded=True),
    "three cuts": Fault(lambda data: Served(data, cuts=at(data, 20, 40, 70), rate=RATE)),
    "reset": Fault(lambda data: Served(data, resets=at(data, 40), rate=RATE), decoded=True),
    "stall": Fault(lambda data: Served(data, stalls=at(data, 40), stall_s=LONG_S, rate=RATE)),
    "403 in the middle": Fault(
        lambda data: Served(data, refuse_from=at(data, 40)[0], rate=RATE), decoded=True
    ),
    "410 in the middle": Fault(
        lambda data: Served(data, refuse_from=at(data, 60)[0], refuse_status=410, rate=RATE)
    ),
    "503, then 429 with a pause": Fault(
        lambda data: Served(
            data, cuts=at(data, 40), after_cut=[503, 429], headers={"Retry-After": "1"}, rate=RATE
        )
    ),
    "tagged, cut": Fault(lambda data: Served(data, etag='"a"', cuts=at(data, 50), rate=RATE)),
    "weakly tagged, cut": Fault(lambda data: Served(data, etag='W/"a"', cuts=at(data, 50), rate=RATE)),
    "a larger size than there is": Fault(lambda data: Served(data, more=1000, rate=RATE)),
    "no ranges": Fault(lambda data: Served(data, ranges=False)),
    "no ranges, two cuts": Fault(lambda data: Served(data, ranges=False, cuts=at(data, 30, 60), rate=RATE)),
    "chunked": Fault(lambda data: Served(data, ranges=False, framing="chunked")),
    "chunked, cut": Fault(
        lambda data: Served(data, ranges=False, framing="chunked", cuts=at(data, 50), rate=RATE)
    ),
    "until the end of the connection": Fault(lambda data: Served(data, ranges=False, framing="close")),
    "until the end of the connection, which is early": Fault(
        lambda data: Served(data, ranges=False, framing="close", cuts=at(data, 30), rate=RATE)
    ),
    "slow": Fault(lambda data: Served(data, rate=30_000)),
    "called a text": Fault(lambda data: Served(data, content_type="text/html", cuts=at(data, 40), rate=RATE)),
}


async def frames_of(spool: Spool) -> list[bytes]:
    with anyio.fail_after(60):
        await spool.wait_ready(1 << 30)
    return list(iter(spool.cursor().next_frame, None))


def track(url: str) -> Track:
    return Track(url=url, title="A song", requested_by=1)


async def test_the_whole_track_is_heard_whatever_the_server_does(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    served = {
        (fault, kind): case.serve(files[kind])
        for fault, case in FAULTS.items()
        for kind in (("webm", "mp3") if case.decoded else ("webm",))
    }
    links = [server.add(f"{number}.{kind}", each) for number, ((_, kind), each) in enumerate(served.items())]
    spools = dict(zip(served, (media.spool(track(link)) for link in links), strict=True))
    clean = media.spool(track(server.add("clean.mp3", Served(files["mp3"]))))
    wanted = {"webm": packets(files["webm"]), "mp3": await frames_of(clean)}
    heard = {case: await frames_of(spool) for case, spool in spools.items()}
    assert [case for case, frames in heard.items() if frames != wanted[case[1]]] == []
    left = {case: (each.cuts, each.resets, each.stalls) for case, each in served.items() if case[1] == "webm"}
    assert set(map(str, left.values())) == {"([], [], [])"}, "every fault has happened"


@dataclass(frozen=True, slots=True)
class Hopeless:
    """A file that cannot be heard whole, and why."""

    serve: Callable[[bytes], Served]
    kind: ErrorKind
    words: str


HOPELESS = {
    "packed": Hopeless(
        lambda data: Served(data, headers={"Content-Encoding": "gzip"}),
        ErrorKind.UNAVAILABLE,
        "not asked for",
    ),
    "refused again and again": Hopeless(
        lambda data: Served(data, cuts=at(data, 40), after_cut=[403] * 99, rate=RATE),
        ErrorKind.GONE,
        "status 403). Also tried: a fresh link.",
    ),
    "a long pause": Hopeless(
        lambda data: Served(data, cuts=at(data, 1), after_cut=[429] * 99, headers={"Retry-After": "600"}),
        ErrorKind.UNAVAILABLE,
        "asks to wait for 600 s",
    ),
    "a page of text": Hopeless(
        lambda data: Served(b"<p>sorry</p>" * 500, "text/html"), ErrorKind.NOT_AUDIO, ""
    ),
    "noise without end": Hopeless(
        lambda data: Served(bytes(1 << 20), endless=True, ranges=False, framing="close"),
        ErrorKind.NOT_AUDIO,
        "",
    ),
}


async def test_what_cannot_be_had_is_said_with_the_reason_and_what_was_tried(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    data = files["webm"]
    spools = {
        name: media.spool(track(server.add(f"{number}.webm", case.serve(data))))
        for number, (name, case) in enumerate(HOPELESS.items())
    }
    for name, spool in spools.items():
        with pytest.raises(MediaError) as caught:
            await frames_of(spool)
        assert (name, caught.value.kind) == (name, HOPELESS[name].kind)
        assert HOPELESS[name].words in caught.value.message
        spool.close()


async def test_a_file_that_changes_is_gone_on_with_in_time_and_never_joined_by_bytes(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    data, other = files["webm"], tone(RECIPES["webm"], 5.0, hertz=880, title="The webm song")
    cases = {
        "by its tag": Served(data, etag='"a"', cuts=at(data, 50), then=other, rate=RATE),
        "by its bytes": Served(
            data, ranges=False, framing="chunked", cuts=at(data, 50), then=other, rate=RATE
        ),
    }
    if len(other) != len(data):
        cases["by its size"] = Served(data, cuts=at(data, 50), then=other, rate=RATE)
    spools = {
        name: media.spool(track(server.add(f"{number}.webm", case)))
        for number, (name, case) in enumerate(cases.items())
    }
    before, after = packets(data), packets(other)
    for name, spool in spools.items():
        frames = await frames_of(spool)
        assert len(frames) == len(before), name
        joined = next(number for number, frame in enumerate(frames) if frame != before[number])
        assert joined > 50
        assert frames[joined:] == after[joined:], "from the join on it is the new file, at the same time"
