"""One guild's voice link: what others see of it and ask of it, and what the main gateway says.

Whatever the main gateway says (kick, move, new server, leave on purpose) interrupts the round that is under
way (`rounds.py`) or the pause before it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from actors.voice.causes import Fault
from actors.voice.dave_messages import DaveStatus
from actors.voice.errors import VoiceError
from actors.voice.events import LinkEvent, Lost, Moved, Unheard
from actors.voice.link_state import LinkState, LinkStatus, Step
from actors.voice.rounds import Rounds
from actors.voice.standing import JOIN_TIMEOUT_S, LEAVE_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

    from actors.voice.backoff import RetryPolicy
    from actors.voice.rhythm import Rhythm
    from actors.voice.standing import Standing
    from actors.voice.stream import Stream

#: After word that the voice server is gone: how long Discord may take to name another one.
GONE_TIMEOUT_S: Final = 10.0


class Link(Rounds):
    """The voice link of one guild; made by `Links`. It outlives the actor that asked for it by a grace
    time.
    """

    def __init__(
        self,
        standing: Standing,
        stream: Stream,
        http: aiohttp.ClientSession,
        *,
        on_event: Callable[[LinkEvent], None],
        policy: RetryPolicy,
        rhythm: Rhythm,
    ) -> None:
        """:param rhythm: of the heartbeats of all links"""
        super().__init__(standing, stream, http, on_event=on_event, policy=policy, rhythm=rhythm)
        standing.on_kicked = self._kicked
        standing.on_server = self._new_server
        standing.on_gone = self._server_gone
        standing.on_moved = self._moved

    # -- what others see ----

    @property
    def guild_id(self) -> int:
        return self.standing.guild_id

    @property
    def channel_id(self) -> int:
        return self.standing.channel_id

    @property
    def mode(self) -> str | None:
        """Encryption mode of the session."""
        return self._session.transport.mode if self._session else None

    @property
    def unanswered_s(self) -> float | None:
        """For how long the latest heartbeat has not been acknowledged, None if it is."""
        return self._gateway.unanswered_s if self._gateway else None

    def status(self) -> LinkStatus:
        """How the link stands, as plain data."""
        session, gateway, now = self._session, self._gateway, time.monotonic()
        return LinkStatus(
            guild_id=self.guild_id,
            channel_id=self.channel_id,
            state=self.state,
            mode=self.mode,
            endpoint=session.credentials.endpoint if session else None,
            latency_ms=self.latency_ms,
            heartbeat_age_s=now - gateway.last_ack if gateway else None,
            keep_alive_ms=session.udp.pulse.round_trip_ms if session else None,
            close_code=self.close_code,
            close_reason=self.close_reason,
            failures=self._failures,
            next_attempt_s=None if self._next_attempt is None else max(self._next_attempt - now, 0.0),
            identifies=self._identifies,
            resumes=self._resumes,
            packets=session.transport.sent if session else 0,
            dave=session.dave.status() if session else DaveStatus(),
            rtcp_in=session.udp.rtcp if session else 0,
        )

    async def wait(self, *states: LinkState, timeout_s: float) -> bool:
        """Wait until the link is in one of `states`; False if it is not within the time."""
        return await self._changes.until(lambda: self.state in states, timeout_s)

    async def leave(self, *, wait: bool = True) -> None:
        """Leave the channel on purpose and end the link; `wait` for the main gateway's word (2 s at most)."""
        self._leaving = True  # keeps the registration, and with it the word, until the end of this
        self.close(1000, "left on purpose", Fault.LEFT)
        try:
            await self.standing.leave(LEAVE_TIMEOUT_S if wait else 0.0)
        except VoiceError:
            pass  # the main gateway is away: there is nothing to leave through
        finally:
            self._leaving = False
            self._release()

    async def move(self, channel_id: int, timeout_s: float = JOIN_TIMEOUT_S) -> None:
        """Ask for another channel of the guild; the new voice server, if there is one, comes on the fast
        path.

        :raises VoiceError: if the main gateway does not confirm it
        """
        await self.standing.move(channel_id, timeout_s)

    def retry(self) -> None:
        """Try again now, whatever pause the policy has set."""
        self._failures = 0
        if self._next_attempt is not None:
            self._scope.cancel()

    def look_after(self) -> None:
        """Called each second: end a voice websocket that owes an acknowledgement for too long."""
        if self._gateway is not None and self._session is not None:
            self._session.look_after(self._gateway)

    def ask_after(self) -> None:
        """Somebody has come or gone, says the main gateway. A voice server that is there has told so too, and
        acknowledges a heartbeat; without it whoever has come would hear nothing (DAVE).
        """
        if self._gateway is not None and self._session is not None:
            self._session.ask_after(self._gateway)

    def cut(self) -> None:
        """Cut the voice websocket, as a network would do it: to see whether the session can be resumed."""
        if self._gateway is not None:
            self._gateway.cut()

    async def aclose(self, reason: str) -> None:
        """End a link that nobody drives any more."""
        gateway, self._gateway = self._gateway, None
        self.close(None, reason, Fault.STOPPED)
        self._finish()
        if gateway is not None:
            await gateway.aclose()

    # -- what the main gateway says ----

    def tell_unheard(self, *, hand_raised: bool) -> None:
        """The bot is in the audience of a stage channel, for want of a permission."""
        self._tell(Unheard(hand_raised))

    def _kicked(self) -> None:
        self.close(4014, "disconnected from the channel", Fault.KICKED)

    def _new_server(self) -> None:
        """The fast path of a move: identify with the new credentials at once.

        In the same channel frames go on leaving until the new websocket is open.
        """
        session = self._session
        same = session is not None and session.credentials.channel_id == self.channel_id
        flows = same and self.state is LinkState.READY
        if session is not None and flows:
            self._ask(session)
        else:
            self._detach(self._first_lost())
        self._step = Step.IDENTIFY
        self._failures, self._word_s, self._unexplained = 0, 0.0, False
        if self.state is LinkState.READY:
            news = Lost(None, "moved to another voice server", resumable=flows, fault=Fault.NEW_SERVER)
            self._enter(LinkState.RECONNECTING, news)
        self._scope.cancel()

    def _server_gone(self) -> None:
        """Discord has taken the voice server down, and will say which one follows it."""
        if self.state is LinkState.READY:
            self._detach(self._first_lost())
            self._step, self._word_s = Step.REJOIN, GONE_TIMEOUT_S
            news = Lost(None, "the voice server is gone", resumable=False, fault=Fault.NEW_SERVER)
            self._enter(LinkState.RECONNECTING, news)
            self._scope.cancel()

    def _moved(self, channel_id: int) -> None:
        self._tell(Moved(channel_id))
        self._changes.announce()
