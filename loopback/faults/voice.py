"""Faults of the voice websocket: closed, reset, half open, and openings that are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.faults.log import Fault, FaultKind
from loopback.voice.conditions import Opening, Refusal, Silence
from loopback.voice.protocol import CloseCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopback.faults.scope import Scope

_REFUSED = {Opening.IDENTIFY: FaultKind.IDENTIFY_REFUSED, Opening.RESUME: FaultKind.RESUME_REFUSED}


class VoiceFaults:
    """What can go wrong with the voice websockets of a scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def close(self, code: int, *, keep_session: bool | None = None) -> Fault:
        """Close the websockets with `code`.

        After 1001, 1006 and 4015 the server keeps the session, waits for a RESUME and takes its UDP; after
        other codes it drops both (`VoiceSettings.resumable_codes`). `keep_session` decides otherwise.
        """
        fault = self._scope.at_once(FaultKind.VOICE_CLOSED, str(int(code)))
        for guild_id in self._scope.in_voice:
            self._scope.voice.close(guild_id, self._scope.bot_id, code, keep_session=keep_session)
        return fault

    def reset(self) -> Fault:
        """Cut the TCP connections with a RST: the bot sees 1006, the server keeps the session."""
        fault = self._scope.at_once(FaultKind.VOICE_RESET)
        for guild_id in self._scope.in_voice:
            self._scope.voice.reset(guild_id, self._scope.bot_id)
        return fault

    def half_open(self, which: Silence = Silence.EXISTING, *, for_s: float | None = None) -> Fault:
        """Websockets that answer nothing, not even a close.

        Those that are open now stay so until their TCP connection is cut. New ones are accepted but their
        upgrade, or their IDENTIFY and RESUME if the name did not say the guild, waits for the fault's end.
        """
        mute = self._scope.voice.conditions.mute_connections
        fault = self._scope.begin(
            FaultKind.VOICE_HALF_OPEN, which.name or "", undo=lambda: _remove(mute, guilds)
        )
        guilds = self._scope.guilds
        mute.extend([guilds] if Silence.NEW in which else [])
        fault.hits = self._scope.voice.silence(guilds) if Silence.EXISTING in which else 0
        fault.end_in(for_s)
        return fault

    def ignore_heartbeats(self, for_s: float | None = None) -> Fault:
        """Acknowledge no heartbeat, as if the way back were lost; everything else goes on."""
        ignored, guilds = self._scope.voice.conditions.unacknowledged, self._scope.guilds
        fault = self._scope.begin(FaultKind.VOICE_UNACKNOWLEDGED, "", undo=lambda: ignored.remove(guilds))
        ignored.append(guilds)
        fault.end_in(for_s)
        return fault

    def refuse_identifies(self, codes: Sequence[int] = (CloseCode.SESSION_INVALID,)) -> Fault:
        """Close the next IDENTIFYs of each guild with these codes: as many as there are codes."""
        return self._refuse(Opening.IDENTIFY, codes)

    def refuse_resumes(self, codes: Sequence[int] = (CloseCode.SESSION_INVALID,)) -> Fault:
        """Close the next RESUMEs of each guild with these codes; their sessions are kept."""
        return self._refuse(Opening.RESUME, codes)

    def _refuse(self, opening: Opening, codes: Sequence[int]) -> Fault:
        refusals = self._scope.voice.conditions.refusals
        fault = self._scope.begin(
            _REFUSED[opening],
            " ".join(str(int(code)) for code in codes),
            undo=lambda: refusals.remove(refusal),
        )
        refusal = Refusal(opening, tuple(codes), self._scope.guilds, fault.hit)
        refusals.append(refusal)
        return fault


def _remove(mute: list[frozenset[int] | None], guilds: frozenset[int] | None) -> None:
    if guilds in mute:
        mute.remove(guilds)
