"""The way out of one voice session: what the clock sends frames through, whoever commands them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from actors.voice.rtp import NonceExhaustedError, Packetizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.voice.pulse import Path, Pulse


class Outlet(Protocol):
    """What a stream needs to send frames; `Transport` in the bot, a fake in tests of the clock."""

    def send(self, opus: bytes) -> bool:
        """Send one frame now; False if it did not leave, then the caller keeps it."""
        ...

    def skip(self, frames: int) -> None:
        """Let that many frames of time pass without a packet; -1 takes one back that had been let pass."""
        ...

    def speaking(self, flag: bool) -> None:
        """Say whether frames are about to flow (voice op 5)."""
        ...

    def begin(self, frame: int) -> None:
        """Frames leave through it from now on.

        :param frame: number of the frame that leaves next
        """
        ...

    def check(self, frame: int) -> Path:
        """Called a few times a second while frames leave: how the way to the server does.

        :param frame: number of the frame that leaves next
        """
        ...

    @property
    def arrived(self) -> int | None:
        """Frames before this number are known to have had an open way, or left another way; None if nothing
        is known.
        """
        ...

    def swallowed(self) -> None:
        """The stream has noticed that the way is closed, and has let go of this outlet."""
        ...


class Transport:
    """Packets of one session over one connected, non-blocking UDP socket.

    It belongs to the link and is driven by the clock, so it outlives the actors that command both:
    sequence, timestamp and nonce go on when those are restarted. `send` never blocks and never raises.

    :ivar protect: end-to-end encryption of a frame (DAVE), None while the session has none; None from it says
        that the frame has to wait
    :ivar refused: frames that it did not take: its buffer full, an ICMP error of an earlier packet, closed
    """

    __slots__ = (
        "_on_hole",
        "_on_speaking",
        "_packetizer",
        "_pulse",
        "_write",
        "closed",
        "protect",
        "refused",
    )

    def __init__(
        self,
        packetizer: Packetizer,
        write: Callable[[bytes], int],
        *,
        pulse: Pulse,
        on_speaking: Callable[[bool], None],
        on_hole: Callable[[], None],
    ) -> None:
        """
        :param write: a socket's `send`: bytes written, or OSError
        :param pulse: of the socket
        :param on_speaking: called in the clock's task
        :param on_hole: the way is closed; called in the clock's task
        """
        self._packetizer = packetizer
        self._write = write
        self._pulse = pulse
        self._on_speaking = on_speaking
        self._on_hole = on_hole
        self.protect: Callable[[bytes], bytes | None] | None = None
        self.closed = False
        self.refused = 0

    @property
    def sent(self) -> int:
        """Packets handed to the operating system: each has a nonce, as has each that it refused."""
        return self._packetizer.nonce - self.refused

    @property
    def mode(self) -> str:
        return self._packetizer.mode

    @property
    def ssrc(self) -> int:
        return self._packetizer.ssrc

    @property
    def sequence(self) -> int:
        """The sequence number of the next packet."""
        return self._packetizer.sequence

    @property
    def timestamp(self) -> int:
        """The RTP timestamp of the next packet, in samples of 48 kHz."""
        return self._packetizer.timestamp

    def send(self, opus: bytes) -> bool:
        """Send one 20 ms frame; False if it did not leave (it may be given again, under a new nonce)."""
        protect, write = self.protect, self._write
        frame = opus if protect is None else protect(opus)
        if frame is None:
            return False
        try:
            write(self._packetizer.pack(frame))
        except NonceExhaustedError:
            return False
        except OSError:
            self._packetizer.take_back()
            self.refused += 1
            return False
        return True

    def skip(self, frames: int) -> None:
        """Let that many frames of time pass without a packet."""
        self._packetizer.skip(frames)

    def speaking(self, flag: bool) -> None:
        """Have the link announce whether frames flow."""
        self._on_speaking(flag)

    def begin(self, frame: int) -> None:
        """Let the pulse know what it can prove."""
        self._pulse.begin(frame)

    def check(self, frame: int) -> Path:
        """Beat when it is time to, and tell how the way to the server does."""
        return self._pulse.check(frame)

    @property
    def arrived(self) -> int | None:
        """Frames before this number are known to have had an open way."""
        return self._pulse.arrived

    def swallowed(self) -> None:
        """Have the link look for the server."""
        self._on_hole()

    def close(self) -> None:
        """From now on every frame is refused; the socket is the link's to close."""
        self.closed = True
        self._write = _refuse


def _refuse(_packet: bytes) -> int:
    raise OSError("the transport is closed")
