"""What one guild's listener hears: every voice packet of the bot, with the time of its arrival.

The listener is the judge of the project: it only records. Figures come from the pure functions of
:mod:`loopback.listening.report`, sound from :mod:`loopback.listening.ear`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

SILENCE_FRAME = b"\xf8\xff\xfe"
"""The Opus frame that Discord's clients send five times before they stop sending."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One RTP packet as it arrived.

    ``arrival_ns`` is the operating system's receive time (CLOCK_REALTIME, ns). ``opus`` is None if the packet
    could not be decrypted. ``session`` counts the session keys of the guild from 1: sequence numbers and
    nonces can be compared within one session only. ``encrypted``: end to end, besides the transport.
    """

    arrival_ns: int
    sequence: int
    timestamp: int
    ssrc: int
    nonce: int
    opus: bytes | None
    silence: bool
    session: int = 0
    encrypted: bool = False


class NoteKind(Enum):
    """What else can be noted about the sender."""

    IDENTIFIED = "identified"
    SESSION = "session"
    RESUMED = "resumed"
    CLOSED = "closed"
    SPEAKING = "speaking"
    UNDECRYPTABLE = "undecryptable"
    MALFORMED = "malformed"
    STRAY = "stray"
    REBOUND = "rebound"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened beside the frames, at ``at_ns`` (CLOCK_REALTIME, ns)."""

    at_ns: int
    kind: NoteKind
    detail: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of a listening: how many frames had arrived, whether they are still kept or not, and when."""

    frames: int
    at_ns: int


@dataclass(slots=True)
class SocketHealth:
    """Whether the receiving socket can be trusted, shared by all listeners of one UDP socket.

    ``kernel_timestamps`` is False where SO_TIMESTAMPNS is not offered: then ``arrival_ns`` is the time at
    which the process read the packet. ``kernel_drops`` counts packets that the kernel dropped because the
    receive buffer was full (SO_RXQ_OVFL), None where it is not counted; as of the last packet that was read.
    """

    kernel_timestamps: bool = True
    kernel_drops: int | None = 0
    receive_buffer_bytes: int = 0


@dataclass(slots=True)
class _Waiter:
    holds: Callable[[], bool]
    event: anyio.Event = field(default_factory=anyio.Event)


class Listener:
    """Records frames and notes of one guild. ``limit`` bounds how many of the newest of each are kept.

    Up to twice the limit is held before the oldest go, so that the bound costs next to nothing per frame.
    """

    def __init__(
        self, guild_id: int, *, health: SocketHealth | None = None, limit: int | None = None
    ) -> None:
        self.guild_id = guild_id
        self.limit = limit
        self.frames: list[Frame] = []
        self.notes: list[Note] = []
        self.heard = 0
        """Frames decrypted since the last clear, whether they are still kept or not."""
        self.forgotten = 0
        """Frames that the limit has removed from ``frames``."""
        self.keep_alives = 0
        self.rtcp_packets = 0
        self.hushed = 0
        """Packets that were not listened to: the sender may not speak."""
        self._health = health or SocketHealth()
        self._waiters: list[_Waiter] = []

    @property
    def kernel_drops(self) -> int | None:
        """Packets the kernel dropped at the shared UDP socket; None where it does not count them."""
        return self._health.kernel_drops

    @property
    def kernel_timestamps(self) -> bool:
        """Whether ``arrival_ns`` comes from the operating system (SO_TIMESTAMPNS)."""
        return self._health.kernel_timestamps

    def record(self, frame: Frame) -> None:
        """Keep one frame and wake whoever waits for it."""
        self.frames.append(frame)
        self.heard += frame.opus is not None
        if self.limit is not None and len(self.frames) > 2 * self.limit:
            self._forget(len(self.frames) - self.limit)
        if self._waiters:
            self._wake()

    def note(self, kind: NoteKind, detail: str = "", at_ns: int | None = None) -> None:
        """Keep one note; ``at_ns`` defaults to now."""
        self.notes.append(Note(time.time_ns() if at_ns is None else at_ns, kind, detail))
        if self.limit is not None and len(self.notes) > 2 * self.limit:
            del self.notes[: -self.limit]
        if self._waiters:
            self._wake()

    def noted(self, kind: NoteKind) -> list[Note]:
        """The kept notes of one kind, oldest first."""
        return [note for note in self.notes if note.kind is kind]

    def mark(self) -> Mark:
        """This moment, for :func:`loopback.listening.since.heard_since`."""
        return Mark(self.forgotten + len(self.frames), time.time_ns())

    def clear(self) -> None:
        """Forget everything heard so far; waiters count from here."""
        self.frames.clear()
        self.notes.clear()
        self.heard = self.forgotten = self.keep_alives = self.rtcp_packets = self.hushed = 0

    async def wait_frames(self, n: int, timeout_s: float) -> list[Frame]:
        """Wait until ``n`` frames were decrypted since the last clear. Raises TimeoutError."""
        await self._wait(lambda: self.heard >= n, timeout_s, lambda: f"{self.heard} of {n} frames heard")
        return list(self.frames)

    async def wait_note(self, kind: NoteKind, timeout_s: float, n: int = 1) -> Note:
        """Wait until ``n`` notes of ``kind`` are kept and return the last of them. Raises TimeoutError."""
        await self._wait(
            lambda: len(self.noted(kind)) >= n, timeout_s, lambda: f"fewer than {n} notes of {kind.value}"
        )
        return self.noted(kind)[n - 1]

    def _forget(self, count: int) -> None:
        del self.frames[:count]
        self.forgotten += count

    def _wake(self) -> None:
        for waiter in self._waiters:
            if waiter.holds():
                waiter.event.set()

    async def _wait(self, holds: Callable[[], bool], timeout_s: float, missing: Callable[[], str]) -> None:
        if holds():
            return
        waiter = _Waiter(holds)
        self._waiters.append(waiter)
        try:
            with anyio.fail_after(timeout_s):
                await waiter.event.wait()
        except TimeoutError:
            raise TimeoutError(f"guild {self.guild_id}: {missing()} within {timeout_s:g} s") from None
        finally:
            self._waiters.remove(waiter)
