"""Internet radio behind a direct link is a live stream; a file is none, whatever its server says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors.media.live_spool import LiveSpool
from actors.media.radio import radio_name
from actors.media.requester import Address
from loopback.fault_server import FaultServer, Served

if TYPE_CHECKING:
    from actors.media import Media

pytestmark = pytest.mark.anyio

ICY = {"icy-name": "Rádio \u202eUm", "icy-br": "128"}
RADIO: dict[str, Any] = {"ranges": False, "framing": "close", "endless": True, "headers": ICY}


async def test_a_radio_is_found_as_live_by_its_name_and_plays_beyond_its_end(
    media: Media, server: FaultServer, files: dict[str, bytes]
) -> None:
    url = server.add("stream.mp3", Served(files["mp3"], "audio/mpeg", **RADIO))
    (station,) = (await media.resolve(url, requested_by=1)).tracks
    assert (station.is_live, station.title, station.duration_s) == (True, "Rádio Um", None)
    spool = media.spool(station)
    assert isinstance(spool, LiveSpool)
    with anyio.fail_after(20):
        await spool.wait_ready(600)  # the file has five seconds of 50 frames
    assert not spool.finished
    await spool.aclose()
    (again,) = (await media.resolve(url, requested_by=1)).tracks
    assert again.is_live, "it is remembered"


@pytest.mark.parametrize(
    "other",
    [
        {"framing": "length"},
        {"ranges": True},
        {"headers": {}},
        {"headers": {**ICY, "Accept-Ranges": "bytes"}},
        {"content_type": "text/html"},
    ],
)
async def test_what_has_a_length_or_ranges_or_no_sign_of_a_radio_is_a_file(
    server: FaultServer, other: dict[str, Any]
) -> None:
    served = Served(**{"data": bytes(1000), "content_type": "audio/mpeg", **RADIO, "endless": False, **other})
    url = server.add("a.mp3", served)
    assert await anyio.to_thread.run_sync(radio_name, Address(url)) is None


async def test_a_station_that_says_nothing_more_or_is_away(server: FaultServer) -> None:
    served = Served(bytes(1000), "application/ogg", **RADIO | {"headers": {"icy-pub": "1"}})
    url = server.add("a.ogg", served)
    assert await anyio.to_thread.run_sync(radio_name, Address(url)) == ""
    assert await anyio.to_thread.run_sync(radio_name, Address(url.replace("a.ogg", "none"))) is None
    assert await anyio.to_thread.run_sync(radio_name, Address("http://127.0.0.1:9/a.mp3")) is None
    assert await anyio.to_thread.run_sync(radio_name, Address("file:///etc/passwd")) is None
