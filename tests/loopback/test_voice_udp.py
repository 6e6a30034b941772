"""The voice server's UDP end: discovery, keep-alives, frames in both modes, and bad packets."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web

from loopback.listening.listener import SILENCE_FRAME, Listener, NoteKind
from loopback.listening.report import lost, report, reused_nonces
from loopback.voice.modes import MODES, SessionCipher
from loopback.voice.probe import VoiceProbe
from loopback.voice.rtp import RtpHeader
from loopback.voice.server import VoiceServer
from loopback.voice.udp import DRAIN_LIMIT, UdpPort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

BOT = 300
SESSION = "0123456789abcdef"
each_mode = pytest.mark.parametrize("mode", list(MODES))


@pytest.fixture
async def voice() -> AsyncIterator[VoiceServer]:
    async with VoiceServer() as server:
        yield server


@pytest.fixture
async def url(voice: VoiceServer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/", voice.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/?v=8"
    finally:
        await runner.cleanup()


@pytest.fixture
async def client(voice: VoiceServer, url: str) -> AsyncIterator[VoiceProbe]:
    async with client_of(voice, url, 1) as probe:
        yield probe


def client_of(voice: VoiceServer, url: str, guild_id: int) -> VoiceProbe:
    token = voice.issue(guild_id, guild_id + 1000, BOT, SESSION)
    return VoiceProbe(url, guild_id=guild_id, user_id=BOT, session_id=SESSION, token=token)


async def strayed(voice: VoiceServer, count: int) -> None:
    with anyio.fail_after(5):
        while voice.strays < count:  # noqa: ASYNC110 - UDP has no receipt to wait for
            await anyio.sleep(0.005)


async def test_discovery_answers_the_senders_address(client: VoiceProbe) -> None:
    await client.identify()

    assert await client.discover() == client.udp.getsockname()


async def test_discovery_of_an_unknown_ssrc_is_not_answered(client: VoiceProbe, voice: VoiceServer) -> None:
    await client.identify()

    with pytest.raises(TimeoutError), anyio.fail_after(0.1):
        await client.discover(ssrc=0)
    assert voice.strays == 1


async def test_keep_alives_come_back_and_are_counted(client: VoiceProbe, voice: VoiceServer) -> None:
    await client.join()
    for counter in (b"\0" * 8, b"\0\0\0\0\0\0\0\x01", b"\x80" + bytes(7)):
        assert await client.exchange(counter) == counter

    assert voice.listener(1).keep_alives == 3


async def test_keep_alives_of_a_dropped_session_stay_unanswered(
    client: VoiceProbe, voice: VoiceServer
) -> None:
    await client.join()
    voice.close(1, BOT, 4006)

    with pytest.raises(TimeoutError):
        await client.exchange(bytes(8), timeout_s=0.1)
    assert voice.strays == 1


@each_mode
async def test_frames_arrive_decrypted_with_all_their_numbers(
    client: VoiceProbe, voice: VoiceServer, mode: str
) -> None:
    await client.join(mode)
    client.sequence, client.timestamp, client.nonce = 65_535, 2**32 - 960, 7
    before = time.time_ns()
    for opus in (b"one", SILENCE_FRAME, b"three"):
        client.frame(opus)

    frames = await voice.listener(1).wait_frames(3, timeout_s=5)

    assert [(f.opus, f.silence) for f in frames] == [
        (b"one", False),
        (SILENCE_FRAME, True),
        (b"three", False),
    ]
    assert [(f.sequence, f.timestamp, f.nonce) for f in frames] == [
        (65_535, 2**32 - 960, 7),
        (0, 0, 8),
        (1, 960, 9),
    ]
    assert {f.ssrc for f in frames} == {client.ready["ssrc"]}
    assert before <= frames[0].arrival_ns <= frames[1].arrival_ns <= frames[2].arrival_ns <= time.time_ns()


@each_mode
async def test_header_extension_and_csrcs_are_told_from_the_payload(
    client: VoiceProbe, voice: VoiceServer, mode: str
) -> None:
    await client.join(mode)
    assert client.cipher is not None
    header = RtpHeader(1, 2, client.ready["ssrc"], csrcs=(9, 8), extension_words=2, padding=True)
    client.udp.send(client.cipher.seal(header.pack(), b"extended" + b"opus" + b"\0\0\x03", 5))

    assert (await voice.listener(1).wait_frames(1, timeout_s=5))[0].opus == b"opus"


async def test_arrival_is_the_kernels_time_and_not_the_readers() -> None:
    arrivals: list[int] = []

    def arrived(_data: bytes, _address: tuple[str, int], arrival_ns: int) -> None:
        arrivals.append(arrival_ns)

    async with UdpPort("127.0.0.1", arrived) as port:
        if not port.health.kernel_timestamps:
            pytest.skip("the kernel gives no receive times here")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"early", port.address)
            sent = time.time_ns()
            time.sleep(0.05)  # noqa: ASYNC251 - the loop is kept from reading on purpose
        with anyio.fail_after(5):
            while not arrivals:
                await anyio.lowlevel.checkpoint()

    assert arrivals[0] <= sent


async def test_without_the_kernels_times_the_listener_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopback.voice.udp.SO_TIMESTAMPNS", 9999)
    monkeypatch.setattr("loopback.voice.udp.SO_RXQ_OVFL", 9999)
    arrivals: list[int] = []
    before = time.time_ns()

    async with UdpPort("127.0.0.1", lambda _data, _address, at: arrivals.append(at)) as port:
        listener = Listener(1, health=port.health)
        port.send(b"x", port.address)
        with anyio.fail_after(5):
            while not arrivals:
                await anyio.lowlevel.checkpoint()

    assert not listener.kernel_timestamps
    assert listener.kernel_drops is None
    assert before <= arrivals[0] <= time.time_ns()


async def test_a_flood_is_read_in_turns_and_completely(client: VoiceProbe, voice: VoiceServer) -> None:
    await client.join()
    count = 4 * DRAIN_LIMIT
    for number in range(count):
        client.frame(number.to_bytes(4, "big"))

    frames = await voice.listener(1).wait_frames(count, timeout_s=20)

    assert lost(frames) == 0
    assert [frame.opus for frame in frames] == [number.to_bytes(4, "big") for number in range(count)]
    assert voice.listener(1).kernel_drops in (0, None)


async def test_what_the_kernel_drops_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopback.voice.udp.RECEIVE_BUFFER_BYTES", 4096)
    received: list[bytes] = []

    async with UdpPort("127.0.0.1", lambda data, _address, _at: received.append(data)) as port:
        if port.health.kernel_drops is None:
            pytest.skip("the kernel does not count its drops here")
        for _ in range(500):
            port.send(bytes(500), port.address)
        with anyio.fail_after(5):
            while len(received) + port.health.kernel_drops < 500:
                # The count comes with the next datagram that finds room.
                await anyio.lowlevel.checkpoint()
                port.send(b"", port.address)
                received = [data for data in received if data]

    assert port.health.kernel_drops > 0


async def test_a_packet_under_another_key_is_recorded_as_undecryptable(
    client: VoiceProbe, voice: VoiceServer
) -> None:
    await client.join()
    client.cipher = SessionCipher(MODES["aead_aes256_gcm_rtpsize"], bytes(32))
    client.frame(b"foreign")

    await voice.listener(1).wait_note(NoteKind.UNDECRYPTABLE, timeout_s=5)
    with anyio.fail_after(5):
        while not voice.listener(1).frames:
            await anyio.lowlevel.checkpoint()
    frame = voice.listener(1).frames[0]
    assert (frame.opus, frame.sequence, frame.ssrc) == (None, 0, client.ready["ssrc"])
    assert report(voice.listener(1).frames).undecryptable == 1


@pytest.mark.parametrize("junk", [b"", b"short", b"\x00" * 40, b"\x40" + bytes(40)])
async def test_junk_from_a_client_is_noted_as_malformed(
    client: VoiceProbe, voice: VoiceServer, junk: bytes
) -> None:
    await client.join()
    client.udp.send(junk)
    client.frame(b"still heard")

    frames = await voice.listener(1).wait_frames(1, timeout_s=5)

    assert [frame.opus for frame in frames] == [b"still heard"]
    assert len(voice.listener(1).noted(NoteKind.MALFORMED)) == 1


async def test_junk_from_nobody_is_a_stray(voice: VoiceServer, client: VoiceProbe) -> None:
    await client.identify()
    for junk in (b"short", bytes(8), RtpHeader(1, 1, 0).pack() + bytes(30), b"\x80\xc9" + bytes(30)):
        client.udp.send(junk)

    await strayed(voice, 4)
    assert voice.listener(1).frames == []


async def test_rtcp_is_counted_and_is_no_frame(client: VoiceProbe, voice: VoiceServer) -> None:
    await client.join()
    client.udp.send(b"\x80\xc9\x00\x01" + bytes(32))
    client.frame(b"after")

    assert len(await voice.listener(1).wait_frames(1, timeout_s=5)) == 1
    assert voice.listener(1).rtcp_packets == 1


async def test_a_client_whose_address_changes_is_still_heard(client: VoiceProbe, voice: VoiceServer) -> None:
    await client.join()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(client.packet(b"from another port"), (client.ready["ip"], client.ready["port"]))

        frames = await voice.listener(1).wait_frames(1, timeout_s=5)

        assert frames[0].opus == b"from another port"
        assert len(voice.listener(1).noted(NoteKind.REBOUND)) == 1
        session = voice.session(1, BOT)
        assert session is not None
        assert session.address == ("127.0.0.1", other.getsockname()[1])


async def test_a_foreign_packet_does_not_move_the_address(client: VoiceProbe, voice: VoiceServer) -> None:
    await client.join()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        forged = RtpHeader(1, 1, client.ready["ssrc"]).pack() + bytes(40)
        other.sendto(forged, (client.ready["ip"], client.ready["port"]))
        await voice.listener(1).wait_note(NoteKind.UNDECRYPTABLE, timeout_s=5)

    session = voice.session(1, BOT)
    assert session is not None
    assert session.address == client.udp.getsockname()


async def test_lost_repeated_and_reused_show_in_the_report(client: VoiceProbe, voice: VoiceServer) -> None:
    await client.join()
    client.frame(b"0")
    client.skip()
    client.udp.send(client.packet(b"2"))
    client.frame(b"2")

    told = report(await voice.listener(1).wait_frames(3, timeout_s=5))

    assert (told.lost, told.repeated, told.reused_nonces) == (1, 1, 1)


async def test_a_new_key_starts_a_new_session(client: VoiceProbe, voice: VoiceServer) -> None:
    await client.join("aead_aes256_gcm_rtpsize")
    client.frame(b"first")
    await voice.listener(1).wait_frames(1, timeout_s=5)
    await client.select("aead_xchacha20_poly1305_rtpsize")
    client.nonce = 0
    client.frame(b"second")

    frames = await voice.listener(1).wait_frames(2, timeout_s=5)

    assert [frame.session for frame in frames] == [1, 2]
    assert reused_nonces(frames) == 0
    assert [note.detail for note in voice.listener(1).noted(NoteKind.SESSION)] == list(MODES)


async def test_each_guild_hears_its_own(voice: VoiceServer, url: str) -> None:
    async with anyio.create_task_group() as tasks:
        for guild_id in range(1, 11):
            tasks.start_soon(play_own_number, voice, url, guild_id)

    for guild_id in range(1, 11):
        frames = await voice.listener(guild_id).wait_frames(20, timeout_s=5)
        assert {frame.opus for frame in frames} == {str(guild_id).encode()}
        assert lost(frames) == 0
    assert len({frame.ssrc for number in range(1, 11) for frame in voice.listener(number).frames}) == 10


async def play_own_number(voice: VoiceServer, url: str, guild_id: int) -> None:
    async with client_of(voice, url, guild_id) as probe:
        await probe.join(list(MODES)[guild_id % 2])
        for _ in range(20):
            probe.frame(str(guild_id).encode())
        await voice.listener(guild_id).wait_frames(20, timeout_s=5)


async def test_the_port_is_free_after_the_block() -> None:
    async with VoiceServer() as server:
        addresses = server.addresses
    for address in addresses:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(address)
