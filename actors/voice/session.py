"""One voice session: made by an identify, it may outlive several websockets by resumes."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio

from actors.voice.answers import description, ready_answer
from actors.voice.causes import Fault
from actors.voice.dave import Dave
from actors.voice.gateway import ABNORMAL, Credentials, GatewayClosed, Message, Op, VoiceGateway
from actors.voice.rhythm import Rhythm
from actors.voice.rtp import Packetizer
from actors.voice.transport import Transport
from actors.voice.udp import VoiceSocket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: A handshake that takes longer is given up.
HANDSHAKE_TIMEOUT_S: Final = 8.0
#: A resume is one round trip; frames go on leaving meanwhile, so a dead server must not hold it up for long.
RESUME_TIMEOUT_S: Final = 3.0
#: While music plays a heartbeat leaves so often: a websocket that is half open brings no keys of DAVE, and
#: whoever joins would hear nothing for as long. ...
PLAYING_BEAT_S: Final = 5.0
#: ... All links that play beat this often together, unless servers ask for more: a heartbeat costs as much as
#: 40 frames.
BEATS_PER_S: Final = 10.0
#: While frames wait for keys of DAVE: nobody hears anything, and a half-open websocket brings none. It is
#: noticed before they would leave as they are (`dave.HOLD_S`).
KEYS_BEAT_S: Final = 0.8
#: An acknowledgement takes one round trip: what is not here after this will not come. It is looked at each
#: second, and costs no more than a resume if it was wrong.
ACK_S: Final = 3.0
#: A voice server that acknowledged a heartbeat within this time is not asked again whether it is there.
_SURE_S: Final = 2.0
#: In a black hole of UDP: how often it is tried whether packets get through again, and ...
_PROBE_S: Final = 0.1
#: ... for how long, until another session is looked for: playing there within 6 s of the hole's beginning.
_HOLE_PATIENCE_S: Final = 1.8


class Session:
    """Socket, key and transport of one session.

    :ivar dave: end-to-end encryption; it goes on over resumes as the transport does
    :ivar transport: what the clock sends through
    :ivar seq_ack: last numbered message, kept here between two websockets
    :ivar hole_since: `time.monotonic()` of when a black hole of UDP was noticed, None outside of one
    :ivar on_hole: called when one is noticed, in the clock's task; the stream has let go of the transport
    :ivar on_mended: called when packets get through again
    """

    def __init__(
        self, credentials: Credentials, udp: VoiceSocket, packetizer: Packetizer, dave: Dave
    ) -> None:
        self.credentials = credentials
        self.udp = udp
        self.dave = dave
        self.transport = Transport(
            packetizer,
            udp.send,
            pulse=udp.pulse,
            on_speaking=self._say_speaking,
            on_hole=self._swallowed,
        )
        dave.on_version = self._protect
        self._protect()
        self.seq_ack = -1
        self.hole_since: float | None = None
        self.on_hole: Callable[[], None] = _ignore
        self.on_mended: Callable[[], None] = _ignore
        self._speaking = self._said = False
        self._asked = False  # a heartbeat is to leave now
        self._rhythm = Rhythm(_one)
        self._wake = asyncio.Event()

    async def serve(self, gateway: VoiceGateway, rhythm: Rhythm | None = None) -> NoReturn:
        """Listen and beat until one of both finds the session's end: of the websocket, or of its UDP.

        :param rhythm: of all sessions of the process
        :raises GatewayClosed: then
        """
        ends: list[GatewayClosed] = []
        self._rhythm = rhythm or self._rhythm
        gateway.forgive()

        async def guard(part: Callable[[VoiceGateway], Awaitable[NoReturn]]) -> None:
            try:
                await part(gateway)
            except GatewayClosed as end:
                ends.append(end)
            pair.cancel_scope.cancel()

        async with anyio.create_task_group() as pair:
            pair.start_soon(guard, self._beat)
            await guard(self._listen)
        raise ends[0]

    def look_after(self, gateway: VoiceGateway) -> None:
        """Called each second: an acknowledgement that is overdue ends the websocket before the next heartbeat
        would.
        """
        if (gateway.unanswered_s or 0.0) >= ACK_S:
            self._wake.set()

    def ask_after(self, gateway: VoiceGateway) -> None:
        """Something has happened that the voice server should have told too: is it still there?"""
        if time.monotonic() - gateway.last_ack >= _SURE_S:
            self._asked = True
            self._wake.set()

    async def announce(self, gateway: VoiceGateway) -> None:
        """Say that frames are about to flow."""
        self._speaking = self._said = True
        await gateway.speaking(True, self.transport.ssrc)

    def close(self) -> None:
        """Close transport and socket; idempotent."""
        self.transport.close()
        self.udp.close()

    async def _listen(self, gateway: VoiceGateway) -> NoReturn:
        while True:
            await _take(gateway, self.dave, await gateway.receive())
            if self.dave.holding:
                self._wake.set()

    async def _beat(self, gateway: VoiceGateway) -> NoReturn:
        """Heartbeats, UDP keep-alives, changes of speaking, and the search for a way out of a hole."""
        while True:
            beaten, due = asyncio.get_running_loop().time(), False
            await gateway.beat()
            self._asked = False
            self.udp.pulse.keep_open()
            while not due:
                await self._tell_speaking(gateway)
                await self._mend()
                interval_s = self._beat_interval_s(gateway)
                due = await self._rest(beaten, interval_s) and self._beat_interval_s(gateway) <= interval_s
                gateway.check_answer(ACK_S)
                due = due or (self._asked and gateway.unanswered_s is None)

    async def _rest(self, beaten: float, interval_s: float) -> bool:
        """Until the next heartbeat is due, or there is something to say; whether it is due. A scope that is
        cancelled would cost more.
        """
        place = self._rhythm.place(beaten, interval_s, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            self._rhythm.cancel(place)
        self._wake.clear()
        return place.left

    def _beat_interval_s(self, gateway: VoiceGateway) -> float:
        if self.dave.holding:
            return min(gateway.beat_interval_s, KEYS_BEAT_S)
        if not self._speaking:
            return gateway.beat_interval_s
        return min(gateway.beat_interval_s, max(PLAYING_BEAT_S, self._rhythm.playing() / BEATS_PER_S))

    async def _tell_speaking(self, gateway: VoiceGateway) -> None:
        if self._said is not self._speaking:
            self._said = self._speaking
            await gateway.speaking(self._said, self.transport.ssrc)

    async def _mend(self) -> None:
        """While there is a hole: knock, until somebody answers or patience ends."""
        while self.hole_since is not None:
            self.udp.pulse.beat()
            await anyio.sleep(_PROBE_S)
            if (self.udp.pulse.last_echo or 0.0) > self.hole_since:
                self.hole_since = None
                self.udp.pulse.opened_again()
                self.on_mended()
            elif time.monotonic() - self.hole_since > _HOLE_PATIENCE_S:
                raise GatewayClosed(ABNORMAL, "no keep-alive is answered", Fault.UDP_HOLE)

    def _swallowed(self) -> None:
        """Called by the clock: packets do not arrive any more."""
        self.hole_since = time.monotonic()
        self._wake.set()
        self.on_hole()

    def _protect(self) -> None:
        """Nothing is asked for a frame that needs no protection: 1,000 streams send 50,000 a second."""
        self.transport.protect = self.dave.protect if self.dave.version else None

    def _say_speaking(self, flag: bool) -> None:
        """Called by the clock, which must not wait: the beat says it."""
        self._speaking = flag
        self._wake.set()


async def identify(gateway: VoiceGateway, credentials: Credentials) -> Session:
    """Shake hands for a new session: identify, IP discovery, select protocol, session description.

    :raises GatewayClosed: if the server refuses
    :raises VoiceError: if an answer cannot be understood, UDP does not work, or no encryption mode is common
    :raises TimeoutError: after 8 s
    """
    with anyio.fail_after(HANDSHAKE_TIMEOUT_S):
        await gateway.identify(credentials)
        dave = Dave(credentials.user_id, credentials.channel_id, credentials.others)
        ready = ready_answer(await _expect(gateway, Op.READY, dave))
        udp = VoiceSocket(ready.host, ready.port)
        try:
            address, port = await udp.discover(ready.ssrc, meanwhile=dave.prepare)
            await gateway.select_protocol(address, port, ready.mode)
            described = description(await _expect(gateway, Op.SESSION_DESCRIPTION, dave))
            packetizer = _packetizer(described.mode, described.key, ready.ssrc)
        except BaseException:
            udp.close()
            raise
    return Session(credentials, udp, packetizer, dave)


async def resume(gateway: VoiceGateway, session: Session) -> None:
    """Bind an existing session to a new websocket.

    :raises GatewayClosed: if the server no longer knows it
    :raises TimeoutError: after 3 s
    """
    with anyio.fail_after(RESUME_TIMEOUT_S):
        await gateway.resume(session.credentials)
        await _expect(gateway, Op.RESUMED, session.dave)


async def _expect(gateway: VoiceGateway, op: Op, dave: Dave) -> dict[str, Any]:
    """The data of the next message with that opcode; others before it concern `dave` or nobody."""
    while True:
        message = await gateway.receive()
        await _take(gateway, dave, message)
        if message.op == op:
            return message.data if isinstance(message.data, dict) else {}


async def _take(gateway: VoiceGateway, dave: Dave, message: Message) -> None:
    for op, data in dave.receive(message.op, message.data):
        await gateway.send(op, data)


def _packetizer(mode: str, key: bytes, ssrc: int) -> Packetizer:
    """Sequence and timestamp begin at random (RFC 3550, 5.1); the nonce begins at 0, as the key is new."""
    return Packetizer(mode, key, ssrc, sequence=secrets.randbits(16), timestamp=secrets.randbits(32))


def _one() -> int:
    return 1


def _ignore() -> None:
    pass
