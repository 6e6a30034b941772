"""One voice session: made by an identify, it may outlive several websockets by resumes."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio

from actors.voice.dave import Dave
from actors.voice.errors import VoiceError
from actors.voice.gateway import Credentials, GatewayClosed, Message, Op, VoiceGateway
from actors.voice.rtp import Packetizer, choose_mode
from actors.voice.transport import Transport
from actors.voice.udp import VoiceSocket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: A handshake that takes longer is given up.
HANDSHAKE_TIMEOUT_S: Final = 8.0
#: A resume is one round trip; frames go on leaving meanwhile, so a dead server must not hold it up for long.
RESUME_TIMEOUT_S: Final = 3.0


class Session:
    """Socket, key and transport of one session.

    :ivar dave: end-to-end encryption; it goes on over resumes as the transport does
    :ivar transport: what the clock sends through
    :ivar seq_ack: last numbered message, kept here between two websockets
    """

    def __init__(
        self, credentials: Credentials, udp: VoiceSocket, packetizer: Packetizer, dave: Dave
    ) -> None:
        self.credentials = credentials
        self.udp = udp
        self.dave = dave
        self.transport = Transport(packetizer, udp.send, on_speaking=self._say_speaking, protect=dave.protect)
        self.seq_ack = -1
        self._speaking = self._said = False
        self._wake = anyio.Event()

    async def serve(self, gateway: VoiceGateway) -> NoReturn:
        """Listen and beat until one of both finds the websocket ended.

        :raises GatewayClosed: then
        """
        ends: list[GatewayClosed] = []
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

    async def _beat(self, gateway: VoiceGateway) -> NoReturn:
        """Heartbeats, UDP keep-alives and changes of speaking."""
        while True:
            await gateway.beat()
            self.udp.keep_alive()
            with anyio.move_on_after(gateway.beat_interval_s):
                while True:
                    await self._tell_speaking(gateway)
                    await self._wake.wait()
                    self._wake = anyio.Event()

    async def _tell_speaking(self, gateway: VoiceGateway) -> None:
        if self._said is not self._speaking:
            self._said = self._speaking
            await gateway.speaking(self._said, self.transport.ssrc)

    def _say_speaking(self, flag: bool) -> None:
        """Called by the clock, which must not wait: the beat says it."""
        self._speaking = flag
        self._wake.set()


async def identify(gateway: VoiceGateway, credentials: Credentials) -> Session:
    """Shake hands for a new session: identify, IP discovery, select protocol, session description.

    :raises GatewayClosed: if the server refuses
    :raises VoiceError: if UDP does not work, or no encryption mode is common
    :raises TimeoutError: after 8 s
    """
    dave = Dave(credentials.user_id, credentials.channel_id)
    with anyio.fail_after(HANDSHAKE_TIMEOUT_S):
        await gateway.identify(credentials)
        ready = await _expect(gateway, Op.READY, dave)
        mode = choose_mode(ready["modes"])
        if mode is None:
            raise VoiceError(4016, f"no common encryption mode, the server offers {ready['modes']}")
        udp = VoiceSocket(ready["ip"], ready["port"])
        try:
            address, port = await udp.discover(ready["ssrc"])
            await gateway.select_protocol(address, port, mode)
            description = await _expect(gateway, Op.SESSION_DESCRIPTION, dave)
            packetizer = _packetizer(description["mode"], bytes(description["secret_key"]), ready["ssrc"])
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
