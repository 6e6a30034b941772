"""A listener in the channel: a member of the call who decrypts end to end what the bot sends, by davey."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import davey

from loopback.voice.protocol import Op

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.dave.call import Call

MAGIC_MARKER: Final = b"\xfa\xfa"
"""How a frame ends that is encrypted end to end ([Payload Format] of the whitepaper)."""
_LEAST_SUPPLEMENT: Final = 12  # tag (8 bytes), nonce, size, marker
IN_FLIGHT_S: Final = 10
"""How long frames in clear are still taken after an upgrade ([Passthrough Mode])."""
_TRANSITION = struct.Struct(">H")
_NEW_GROUP: Final = 1  # the epoch whose announcement makes a group anew
_INITIAL: Final = 0  # the transition that is executed at once


class Opened(NamedTuple):
    """A frame as one listener has it. ``opus`` is None if it could not be decrypted."""

    opus: bytes | None
    encrypted: bool


def is_encrypted(frame: bytes) -> bool:
    """Whether a frame looks like one that is encrypted end to end."""
    return len(frame) >= _LEAST_SUPPLEMENT and frame.endswith(MAGIC_MARKER)


class Participant:
    """A port of a :class:`~loopback.dave.call.Call`. Messages reach it after ``latency_s``, in their order.

    One who does not support DAVE has no keys, and brings the whole channel down to version 0.
    """

    def __init__(self, user_id: int, call: Call, *, supports: bool = True, latency_s: float = 0.0) -> None:
        self.user_id = user_id
        self.supports = supports
        self.latency_s = latency_s
        self.call = call
        self.version = 0
        """In force, as of the transitions that were executed."""
        self.decrypted = self.in_clear = self.failed = 0
        """Frames of the sender: encrypted end to end and decrypted; not encrypted; not to be had."""
        self.latest = Opened(None, encrypted=False)
        self._keys = davey.generate_p256_keypair()
        self._session: davey.DaveSession | None = None
        self._sender_package = b""
        self._prepared: dict[int, int] = {}
        self._members: frozenset[int] = frozenset()
        self._present = False

    @property
    def epoch(self) -> int | None:
        """Of the group that it is a member of."""
        return self._session.epoch if self._session is not None and self._session.ready else None

    @property
    def privacy_code(self) -> str | None:
        """What members compare to know that they share their keys with nobody else."""
        return self._session.voice_privacy_code if self._session is not None else None

    def join(self) -> None:
        """Come into the channel."""
        self._present = True
        self.version = self.call.version_for(supports=self.supports)
        self.call.join(self.user_id, self, supports=self.supports)
        if self.version:
            self._renew(self.version)

    def leave(self) -> None:
        """Go out of the channel; the keys are kept for frames that are still under way."""
        self._present = False
        if self._session is not None:
            self._session.set_passthrough_mode(True)
        self.call.leave(self.user_id, self)

    def tell(self, op: Op, data: dict[str, Any] | bytes) -> None:
        """As :class:`~loopback.dave.call.Port`."""
        if self.supports:
            asyncio.get_running_loop().call_later(self.latency_s, self._take, op, data)

    def open(self, sender_id: int, frame: bytes) -> Opened:
        """Decrypt a frame of the sender, and count it."""
        self.latest = opened = self._open(sender_id, frame)
        if opened.opus is None:
            self.failed += 1
        elif opened.encrypted:
            self.decrypted += 1
        else:
            self.in_clear += 1
        return opened

    def _open(self, sender_id: int, frame: bytes) -> Opened:
        encrypted = is_encrypted(frame)
        session = self._session
        if session is None or sender_id not in self._members:
            return Opened(None if encrypted else frame, encrypted)
        try:
            return Opened(session.decrypt(sender_id, davey.MediaType.audio, frame), encrypted)
        except ValueError:
            return Opened(None, encrypted)

    # --- the protocol ---

    def _take(self, op: Op, data: Any) -> None:
        if self._present:
            self._handlers[op](data)

    @property
    def _handlers(self) -> dict[Op, Callable[[Any], None]]:
        return {
            Op.DAVE_PREPARE_TRANSITION: self._prepare_transition,
            Op.DAVE_EXECUTE_TRANSITION: self._execute_transition,
            Op.DAVE_PREPARE_EPOCH: self._prepare_epoch,
            Op.DAVE_MLS_EXTERNAL_SENDER: self._take_sender,
            Op.DAVE_MLS_PROPOSALS: self._take_proposals,
            Op.DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION: self._take_commit,
            Op.DAVE_MLS_WELCOME: self._take_welcome,
        }

    def _renew(self, version: int) -> None:
        self._session = davey.DaveSession(version, self.user_id, self.call.channel_id, self._keys)
        self._members = frozenset()
        if self._sender_package:
            self._session.set_external_sender(self._sender_package)
        self.call.take_key_package(self.user_id, self._session.get_serialized_key_package())

    def _prepare_epoch(self, data: dict[str, int]) -> None:
        if data["epoch"] == _NEW_GROUP:
            self._renew(data["protocol_version"])

    def _prepare_transition(self, data: dict[str, int]) -> None:
        if data["protocol_version"] == 0 and self._session is not None:
            self._session.set_passthrough_mode(True)
        self._prepare(data["transition_id"], data["protocol_version"])

    def _prepare(self, transition: int, version: int) -> None:
        self._prepared[transition] = version
        if transition == _INITIAL:
            self._execute(transition)
        else:
            self.call.take_ready(self.user_id, transition)

    def _execute_transition(self, data: dict[str, int]) -> None:
        self._execute(data["transition_id"])

    def _execute(self, transition: int) -> None:
        former, self.version = self.version, self._prepared.pop(transition, self.version)
        if self.version > former and self._session is not None:
            self._session.set_passthrough_mode(False, IN_FLIGHT_S)

    def _take_sender(self, package: bytes) -> None:
        self._sender_package = package
        if self._session is not None:
            self._session.set_external_sender(package)

    def _take_proposals(self, body: bytes) -> None:
        if self._session is None:
            return
        operation = davey.ProposalsOperationType.revoke if body[0] else davey.ProposalsOperationType.append
        try:
            made = self._session.process_proposals(operation, body[1:])
        except ValueError:
            return  # of a group that was given up meanwhile
        if made is not None:
            self.call.take_commit(self.user_id, made.commit + (made.welcome or b""))

    def _take_commit(self, body: bytes) -> None:
        self._apply(body, lambda session, commit: session.process_commit(commit))

    def _take_welcome(self, body: bytes) -> None:
        self._apply(body, lambda session, welcome: session.process_welcome(welcome))

    def _apply(self, body: bytes, apply: Callable[[davey.DaveSession, bytes], None]) -> None:
        (transition,) = _TRANSITION.unpack_from(body)
        if self._session is None:
            return
        try:
            apply(self._session, body[_TRANSITION.size :])
        except ValueError:
            self.call.take_invalid(self.user_id, transition)
            self._renew(1)
        else:
            self._members = frozenset(map(int, self._session.get_user_ids()))
            if not self.version:
                self._session.set_passthrough_mode(True)  # the sender goes over to the group by an op 22
            self._prepare(transition, 1)
