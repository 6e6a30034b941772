"""The task of a voice link: one round after another, each with a websocket of its own.

A round opens one websocket by a step (join, identify, rejoin, resume) and serves it until it ends; how it
ended, by the table of causes, says which step the next round begins with.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import anyio

from actors.voice import session as sessions
from actors.voice.causes import Action, Fault
from actors.voice.causes_table import cause_of
from actors.voice.changes import Changes
from actors.voice.errors import VoiceError
from actors.voice.events import Closed, Failed, LinkEvent, Lost, Ready, Waiting
from actors.voice.gateway import Credentials, GatewayClosed, VoiceGateway, open_gateway
from actors.voice.link_state import FALLBACK, STEP_AFTER, LinkState, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp
    from anyio.abc import TaskGroup

    from actors.voice.backoff import RetryPolicy
    from actors.voice.protocol import Protocol
    from actors.voice.rhythm import Rhythm
    from actors.voice.session import Session
    from actors.voice.standing import Standing
    from actors.voice.stream import Stream

#: After a bare 4014 or 4022: how long the main gateway may take to say what it meant.
WORD_TIMEOUT_S: Final = 0.75
#: Close code of a websocket whose session is to be resumed: not 1000, which would end the session.
_CLOSE_TO_RESUME: Final = 4000
#: How long both ends may take to get to what has come in. Too much repeats a frame or two, too little loses
#: them.
_PROMPTNESS_S: Final = 0.045
#: No round trip beyond that is believed: one that was measured in a bad moment would repeat too much.
_ROUND_TRIP_MAX_S: Final = 0.3
#: How long the answer of a former session is waited for at most, and how often it is looked for.
_ANSWER_S: Final = 0.05
_ANSWER_LOOK_S: Final = 0.002


class Rounds:
    """What drives a link. `Link` adds the commands and the words of the main gateway; the split is for the
    reader only.
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
        self.standing = standing
        self.protocol: Protocol | None = None
        self.on_event: Callable[[LinkEvent], None] | None = on_event
        self.state = LinkState.CONNECTING
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.fault: Fault | None = None
        self._stream = stream
        self._http = http
        self._policy = policy
        self._rhythm = rhythm
        self._changes = Changes()
        self._gateway: VoiceGateway | None = None
        self._session: Session | None = None
        self._step = Step.JOIN
        self._former: VoiceGateway | None = None  # serves no more, and keeps its session alive until the next
        self._word_s = 0.0  # how long to wait for the main gateway's word before the next step
        self._unexplained = False  # the next step is tried although the main gateway's word is awaited
        self._doubtful = 0  # number of the first frame that is lost if a resume fails
        self._asked = 0  # frames before this number arrived if the keep-alive has come back that left with it
        self._closing: Closed | None = None
        self._leaving = False
        self._scope = anyio.CancelScope()
        self._failures = 0
        self._flaps = 0.0
        self._ready_at = 0.0
        self._next_attempt: float | None = None
        self._identifies = 0
        self._resumes = 0

    @property
    def latency_ms(self) -> float | None:
        """Round trip of the voice websocket's heartbeat."""
        return self._gateway.latency_ms if self._gateway else None

    def close(self, code: int | None, reason: str, fault: Fault | None = None) -> None:
        """End the link, without leaving the channel; returns at once."""
        if self._closing is None:
            self._closing = Closed(code, reason, fault)
            self._detach()
            self._scope.cancel()

    # -- the task ----

    async def run(self, tasks: TaskGroup) -> None:
        """Drive the link until it is closed. Cancelled, it plays on undriven, and can be driven again.

        :param tasks: takes the closing of websockets, which nobody should wait for
        """
        try:
            while self._closing is None:
                with anyio.CancelScope() as self._scope:
                    await self._round(tasks)
        except Exception as error:
            self._closing = Closed(None, f"internal error: {type(error).__name__}: {error}", Fault.INTERNAL)
            raise
        finally:
            if self._closing is not None:
                self._finish()

    async def _round(self, tasks: TaskGroup) -> None:
        step = self._step
        try:
            if self._gateway is None or self._session is None:
                await self._pause()
                self._gateway, self._session = await self._attempt(step, tasks)
            await self._hold(self._gateway, self._session, tasks)
        except GatewayClosed as end:
            self._refused(step, end)
        except (VoiceError, TimeoutError, OSError, KeyError, ValueError) as error:
            self._failed(step, *_cause(error))

    async def _pause(self) -> None:
        """Wait for a word of the main gateway, which interrupts this, and for the policy's time."""
        word_s, self._word_s = self._word_s, 0.0
        await anyio.sleep(word_s)
        delay_s = self._policy.delay_s(self._failures)
        if delay_s:
            self._next_attempt = time.monotonic() + delay_s
            self._tell(Waiting(self._failures + 1, delay_s))
            await anyio.sleep(delay_s)
        self._next_attempt = None

    async def _attempt(self, step: Step, tasks: TaskGroup) -> tuple[VoiceGateway, Session]:
        session = self._session
        seq_ack = session.seq_ack if session is not None and step is Step.RESUME else -1
        try:
            credentials = await self._credentials(step)
            await self.standing.may_open()
            gateway = await open_gateway(self._http, credentials, seq_ack=seq_ack)
        finally:
            self._close_former(tasks)
        try:
            return gateway, await self._make_ready(step, gateway, credentials)
        except BaseException:
            tasks.start_soon(gateway.aclose, _CLOSE_TO_RESUME)
            raise

    async def _hold(self, gateway: VoiceGateway, session: Session, tasks: TaskGroup) -> None:
        """Serve a ready websocket until it ends; if only the driver is cancelled, it is kept for the next."""
        try:
            await session.serve(gateway, self._rhythm)
        except anyio.get_cancelled_exc_class():
            if self._scope.cancel_called and self._step is Step.IDENTIFY and self._closing is None:
                self._former, self._gateway = gateway, None  # its session takes frames until the next one can
            elif self._scope.cancel_called:
                self._let_go(gateway, 1000, tasks)
            raise
        except GatewayClosed as end:
            first_lost = self._first_lost(told=end.fault is not Fault.HALF_OPEN)
            self._let_go(gateway, _CLOSE_TO_RESUME, tasks)
            self._lost(end, first_lost)
        except BaseException:
            self._let_go(gateway, _CLOSE_TO_RESUME, tasks)
            raise

    def _let_go(self, gateway: VoiceGateway, code: int, tasks: TaskGroup) -> None:
        self._gateway = None
        if self._session is not None:
            self._session.seq_ack = gateway.seq_ack
        tasks.start_soon(gateway.aclose, code)

    def _close_former(self, tasks: TaskGroup) -> None:
        if self._former is not None:
            tasks.start_soon(self._former.aclose)
            self._former = None

    async def _credentials(self, step: Step) -> Credentials:
        known = self.standing.credentials
        if step is Step.RESUME and self._session is not None:
            return self._session.credentials
        if step is Step.IDENTIFY and known is not None:
            return known
        ask = {Step.JOIN: self.standing.join, Step.RENEW: self.standing.renew}
        return await ask.get(step, self.standing.refresh)()

    async def _make_ready(self, step: Step, gateway: VoiceGateway, credentials: Credentials) -> Session:
        if step is Step.RESUME and self._session is not None:
            await sessions.resume(gateway, self._session)
            self._resumes += 1
        else:
            await self._hear_answer()
            self._drop_session()
            self._session = await sessions.identify(gateway, credentials)
            self._session.on_hole, self._session.on_mended = self._hole, self._mended
            self._session.dave.on_keys = self._stream.hasten
            self._identifies += 1
            if self._stream.status().playing:  # so that the server knows the SSRC before the first packet
                await self._session.announce(gateway)
        self._ready_at, self._unexplained = time.monotonic(), False
        if self._session.hole_since is None:
            self._mended()
        return self._session

    # -- how a round ended ----

    def _refused(self, step: Step, end: GatewayClosed) -> None:
        """The websocket ended before the session was ready."""
        self.close_code = end.code
        name = cause_of(end.code, end.fault).name
        self._failed(step, end.code, f"{name} {end.reason}".strip(), end.fault)

    def _lost(self, end: GatewayClosed, first_lost: int) -> None:
        """The websocket of a working session ended; frames from `first_lost` on may not have arrived."""
        self.close_code = end.code
        cause = cause_of(end.code, end.fault)
        self.close_reason = cause.name
        if cause.action is Action.CLOSE:
            self.close(end.code, cause.name, end.fault)
            return
        self._flaps = self._policy.flaps_after(self._flaps, time.monotonic() - self._ready_at)
        self._failures = self._policy.failures_of(self._flaps)
        action = cause.action
        if action is Action.RESUME and self._session is not None and self._session.dave.holding:
            action = Action.IDENTIFY  # nothing leaves, and what was said to get its keys may have been lost
        resumable = action is Action.RESUME
        self._doubtful = first_lost
        if not resumable:
            self._detach(first_lost)
        self._enter(LinkState.RECONNECTING, Lost(end.code, cause.name, resumable, end.fault))
        self._step = STEP_AFTER[action]
        if action is Action.AWAIT_WORD:
            self._await_word()

    def _await_word(self) -> None:
        """Of the main gateway: it may have come before, and have been kept for the session's end."""
        session, known = self._session, self.standing.credentials
        if session is not None and known not in (None, session.credentials):
            self._step, self._unexplained = Step.IDENTIFY, True
        else:
            self._word_s = WORD_TIMEOUT_S

    def _failed(self, step: Step, code: int | None, reason: str, fault: Fault | None) -> None:
        """A step failed: a resume falls back to an identify, that to new credentials, then to backoff."""
        self.close_reason = reason
        self._detach(self._unproven(self._doubtful) if step is Step.RESUME else None)
        self._step = FALLBACK[step]
        if self._unexplained:  # the credentials were those of a new main session: it may have been a kick
            self._unexplained, self._word_s = False, WORD_TIMEOUT_S
        if step is Step.RESUME:
            self._tell(Lost(code, reason, False, fault))
        if step in (Step.JOIN, Step.REJOIN, Step.RENEW):
            self._failures += 1
        self._tell(Failed(code, reason, fault))
        if cause_of(code, fault).action is Action.CLOSE:
            self.close(code, reason, fault)
        elif self._failures >= self._policy.attempts:
            self.close(code, f"gave up after {self._failures} attempts: {reason}", fault)

    # -- UDP ----

    def _hole(self) -> None:
        """Packets do not arrive; the session looks for the server, and ends if it does not find it soon."""
        cause = cause_of(None, Fault.UDP_HOLE)
        self._enter(LinkState.RECONNECTING, Lost(None, cause.name, resumable=False, fault=Fault.UDP_HOLE))

    def _mended(self) -> None:
        """Packets can leave, for the first time or again."""
        if self._session is not None:
            self._stream.attach(self._session.transport)
            self._enter(LinkState.READY, Ready())
            if self._session.dave.settled:
                self._stream.hasten()

    # -- what is in doubt ----

    def _first_lost(self, *, told: bool = True) -> int:
        """Number of the first frame that may be lost if the session ends now; `told` when it did, or not."""
        first_lost = self._stream.mark(self._doubt_s())
        if self._step is Step.RESUME and self.state is LinkState.RECONNECTING:
            first_lost = min(first_lost, self._doubtful)
        return self._unproven(first_lost, told=told)

    def _unproven(self, frame: int, *, told: bool = True) -> int:
        """`frame`, or an earlier one that should be known to have arrived by now, and is not."""
        return frame if self._session is None else self._session.udp.pulse.first_lost(frame, told=told)

    def _ask(self, session: Session) -> None:
        """Whether the session lives: its answer is here before another websocket can be."""
        last = self._stream.mark()
        session.udp.pulse.beat(last)
        self._asked = last + 1

    async def _hear_answer(self) -> None:
        """A websocket may open within a round trip of UDP, and so before the former session has said that it
        lives. Its frames leave meanwhile; without the answer they would have to be sent again.
        """
        session = self._session
        if session is None or not self._stream.status().attached:
            return
        patience_s = min(2 * (session.udp.pulse.round_trip_ms or 0.0) / 1000, _ANSWER_S)
        with anyio.move_on_after(patience_s):
            while self._unproven(self._asked) < self._asked:  # noqa: ASYNC110 - an echo takes ms
                await anyio.sleep(_ANSWER_LOOK_S)

    def _doubt_s(self) -> float:
        """What left within this time may have met a session that was dead already, when its end is known."""
        measured_ms = self._session.udp.pulse.round_trip_ms if self._session is not None else None
        round_trip_ms = measured_ms if measured_ms is not None else self.latency_ms or 0.0
        return min(round_trip_ms / 1000, _ROUND_TRIP_MAX_S) + _PROMPTNESS_S

    # -- small parts ----

    def _detach(self, since: int | None = None) -> None:
        """From now on nothing is sent and the position stands still; frames from `since` on are lost."""
        if self._session is not None:
            self._stream.detach(self._session.transport, since)

    def _drop_session(self) -> None:
        first_lost = self._unproven(self._asked)
        self._detach(first_lost if first_lost < self._asked else self._stream.mark())
        if self._session is not None:
            self._session.close()
            self._session = None

    def _enter(self, state: LinkState, event: LinkEvent) -> None:
        self.state = state
        self._tell(event)
        self._changes.announce()

    def _finish(self) -> None:
        closed = self._closing or Closed(None, "closed")
        self._drop_session()
        self._release()
        self.close_code = closed.code if closed.code is not None else self.close_code
        self.close_reason, self.fault = closed.reason, closed.fault
        self._enter(LinkState.CLOSED, closed)

    def _release(self) -> None:
        if self.protocol is not None and not self._leaving:
            self.protocol.release()

    def _tell(self, event: LinkEvent) -> None:
        """The owner may be gone; then `Links` closes the link after the grace time."""
        if self.on_event is None:
            return
        try:
            self.on_event(event)
        except Exception:
            self.on_event = None


def _cause(error: Exception) -> tuple[int | None, str, Fault | None]:
    """Close code, reason and fault of a failed step."""
    if isinstance(error, VoiceError):
        return error.code, str(error), error.fault
    if isinstance(error, TimeoutError):
        return None, str(error) or "no answer in time", Fault.TIMEOUT
    return None, str(error), Fault.UNREACHABLE if isinstance(error, OSError) else Fault.INTERNAL
