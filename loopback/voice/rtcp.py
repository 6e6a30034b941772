"""Receiver reports that the voice server sends, where it is told to: the only UDP that comes unasked.

Whether Discord sends any to a bot that nobody disturbs is not known; clients that wait for incoming UDP
behave quite differently with and without them.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.voice.conditions import VoiceConditions
    from loopback.voice.session import VoiceSession

# RFC 3550, section 6.4.2: V=2 with one report, type RR, length in words less one, SSRC of the sender.
_HEADER = struct.Struct(">BBHI")
_ONE_REPORT, _RECEIVER_REPORT, _WORDS = 0x81, 201, 7
# SSRC, fraction lost and packets lost, highest sequence, jitter, last SR, delay since it.
_BLOCK = struct.Struct(">IIIIII")
_SERVER_SSRC = 1
_FIRST_NONCE = 1 << 31
"""Reports are sealed with the session's key too: they count from where no client's packets ever get."""


class RtcpReports:
    """One timer for each session that gets reports; ``stop`` ends them all."""

    def __init__(
        self,
        conditions: VoiceConditions,
        lives: Callable[[VoiceSession], bool],
        send: Callable[[VoiceSession, bytes], None],
    ) -> None:
        self._conditions = conditions
        self._lives = lives
        self._send = send
        self._timers: dict[VoiceSession, asyncio.TimerHandle] = {}

    def start(self, session: VoiceSession) -> None:
        """Send the session reports at the interval that the conditions name, as long as they name one."""
        interval_s = self._conditions.rtcp_interval_s(session.guild_id)
        before = self._timers.pop(session, None)
        if before is not None:
            before.cancel()
        if interval_s is not None and self._lives(session):
            loop = asyncio.get_running_loop()
            self._timers[session] = loop.call_later(interval_s, self._report, session)

    def stop(self) -> None:
        """Send no more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _report(self, session: VoiceSession) -> None:
        if session.cipher is not None and self._lives(session):
            session.reports += 1
            header = _HEADER.pack(_ONE_REPORT, _RECEIVER_REPORT, _WORDS, _SERVER_SSRC)
            block = _BLOCK.pack(session.ssrc, 0, 0, 0, 0, 0)
            self._send(session, session.cipher.seal(header, block, _FIRST_NONCE + session.reports))
        self.start(session)
