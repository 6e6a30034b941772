"""DAVE, Discord's end-to-end encryption of voice (protocol version 1), as far as a sender of music needs it.

Sans-IO: the voice gateway's messages go in, the answers to them come out, and the transport asks for each
frame as it is to leave. The members of a channel agree on keys in an MLS group (RFC 9420) that the voice
server only arranges; that is davey's part. Opcodes and their order: Discord's DAVE whitepaper
(daveprotocol.com), "Voice Gateway Opcodes"; section names below are its own.

Two rules keep the music whole for those who stay:

* Frames go on leaving under the keys of the last executed transition. A commit of a later epoch is applied
  when the server says so (op 22) and not when it is announced (op 29): members who learn of it later than
  the bot could not decrypt what came before that. A group that is made anew is negotiated beside the old one.
* Where others are in the channel and no group is there yet, as after a fresh session, frames wait for it.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

import davey

from actors.voice.dave_messages import Answer, DaveStatus, Op

if TYPE_CHECKING:
    from collections.abc import Callable

#: The newest version that is announced (op 0, ``max_dave_protocol_version``).
MAX_PROTOCOL_VERSION: Final = 1
#: How long frames wait for a group. Beyond that they leave as they are: some clients can play them.
HOLD_S: Final = 3.0

_TRANSITION = struct.Struct(">H")
_LAST_TRANSITION: Final = 0xFFFF
_NEW_GROUP: Final = 1  # the epoch whose announcement makes a group anew
_INITIAL: Final = 0  # the transition that is executed as soon as it is announced
_MOST_RECOVERIES: Final = (
    5  # in a row; a server that only sends what cannot be applied is not answered for ever
)
_MOST_MEMBERS: Final = 10_000  # of whom anything is remembered
#: What davey and the reading of a message raise over one that is malformed, or does not fit the group.
_REFUSALS: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error)


class Dave:
    """One voice session's part in the group of its channel."""

    def __init__(
        self,
        user_id: int,
        channel_id: int,
        others: frozenset[int] = frozenset(),
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """:param others: who is known to be in the channel; the voice server may say it late"""
        self._user_id = user_id
        self._channel_id = channel_id
        self._now = now
        self._keys = davey.generate_p256_keypair()  # one identity for the session ("Consistency of ...")
        self._version = 0
        self._others = set(others)
        self._external_sender: bytes | None = None
        self._spare: tuple[davey.DaveSession, bytes] | None = None  # a group made ahead, its key package
        self._group: davey.DaveSession | None = None  # takes part in the negotiation
        self._sealing: davey.DaveSession | None = None  # encrypts what leaves
        self._prepared: dict[int, int] = {}  # transition -> protocol version
        self._announced: tuple[int, bytes] | None = None  # transition and commit, not applied yet
        self._hold_until = 0.0
        self._pending = False  # a commit was reported, and no group has taken the bot in again
        self._recoveries = 0
        self._in_vain = 0  # of these, since something could be applied
        self.on_keys: Callable[[], None] = _ignore  # called when frames that waited may leave
        self.on_version: Callable[[], None] = _ignore  # called when `version` has changed, before `on_keys`

    def status(self) -> DaveStatus:
        """How the encryption stands, as plain data."""
        sealing = self._sealing
        if sealing is None:
            return DaveStatus(version=self._version, recoveries=self._recoveries)
        return DaveStatus(self._version, sealing.epoch, sealing.voice_privacy_code, self._recoveries)

    @property
    def version(self) -> int:
        """Of the protocol, as it is in force or negotiated; 0: frames need no protection."""
        return self._version

    def _agree_on(self, version: int) -> None:
        self._version = version
        self.on_version()

    @property
    def settled(self) -> bool:
        """No keys are to come first: the group has them, or none are wanted.

        Who is in the channel may be told a moment after the session's description, and only then do frames
        wait: until it is settled, none is to leave sooner than the next tick.
        """
        return self._version == 0 or self._sealing is not None

    @property
    def holding(self) -> bool:
        """Frames wait for a group, which has to come because there is somebody to make it with."""
        waits = self._version > 0 and self._sealing is None
        return waits and bool(self._others) and self._now() < self._hold_until

    def prepare(self) -> None:
        """Make the key package that the session description will ask for, while that is waited for."""
        group = davey.DaveSession(MAX_PROTOCOL_VERSION, self._user_id, self._channel_id, self._keys)
        self._spare = group, group.get_serialized_key_package()

    def protect(self, opus: bytes) -> bytes | None:
        """The frame as it may leave now, None if it has to wait; never raises."""
        sealing = self._sealing
        if sealing is None:
            return None if self.holding else opus
        try:
            return sealing.encrypt_opus(opus)
        except ValueError:
            return None

    def receive(self, op: int, data: Any) -> list[Answer]:
        """Take one message of the voice gateway, of any opcode; what is to be answered.

        What is malformed, or does not fit the group, is passed over: a server cannot end the link by it.
        Proposals take some 7 ms, a welcome 1 ms for each member; a thread would not help, as davey holds the
        interpreter's lock.
        """
        handler = self._HANDLERS.get(op)
        if handler is None:
            return []
        try:
            return handler(self, data)
        except _REFUSALS:
            return []

    # -- who is there ----

    def _described(self, data: Any) -> list[Answer]:
        version = int(data.get("dave_protocol_version") or 0)
        if not 0 < version <= MAX_PROTOCOL_VERSION:
            return []
        self._agree_on(version)
        self._hold()
        return self._renew(version)

    def _connected(self, data: Any) -> list[Answer]:
        users = {int(user) for user in data["user_ids"][:_MOST_MEMBERS]} - {self._user_id}
        if users and not self._others:
            self._hold()
        if len(self._others) < _MOST_MEMBERS:
            self._others |= users
        return []

    def _disconnected(self, data: Any) -> list[Answer]:
        self._others.discard(int(data["user_id"]))
        return []

    def _hold(self) -> None:
        self._hold_until = self._now() + HOLD_S

    # -- transitions ("Protocol Version Changes") ----

    def _prepare_transition(self, data: Any) -> list[Answer]:
        transition, version = int(data["transition_id"]), int(data["protocol_version"])
        if not 0 <= transition <= _LAST_TRANSITION:
            return []
        return self._prepare(transition, min(version, MAX_PROTOCOL_VERSION))

    def _prepare(self, transition: int, version: int) -> list[Answer]:
        self._prepared[transition] = version
        if transition == _INITIAL:
            return self._execute(transition)
        return [(Op.TRANSITION_READY, {"transition_id": transition})]

    def _execute_transition(self, data: Any) -> list[Answer]:
        return self._execute(int(data["transition_id"]))

    def _execute(self, transition: int) -> list[Answer]:
        version = self._prepared.pop(transition, None)
        if version is None:
            return []
        answers = self._catch_up() if self._announced and self._announced[0] == transition else []
        group = self._group
        if version == 0:
            self._sealing = self._group = None
        elif group is not self._sealing:
            self._sealing = group if group is not None and group.ready else None
        self._agree_on(version)
        self.on_keys()
        return answers

    # -- the group ("Group Key Exchange") ----

    def _prepare_epoch(self, data: Any) -> list[Answer]:
        version = int(data["protocol_version"])
        if int(data["epoch"]) != _NEW_GROUP or not 0 < version <= MAX_PROTOCOL_VERSION:
            return []
        self._announced = None  # it belongs to the group that is given up
        return self._renew(version)

    def _renew(self, version: int) -> list[Answer]:
        """Ask to be added to a group, in place of what was negotiated so far."""
        spare, self._spare = self._spare, None
        if spare is not None and version == MAX_PROTOCOL_VERSION:
            self._group, key_package = spare
        else:
            self._group = davey.DaveSession(version, self._user_id, self._channel_id, self._keys)
            key_package = self._group.get_serialized_key_package()
        if self._external_sender is not None:
            self._group.set_external_sender(self._external_sender)
        return [(Op.MLS_KEY_PACKAGE, key_package)]

    def _take_external_sender(self, body: Any) -> list[Answer]:
        if self._group is not None:
            self._group.set_external_sender(bytes(body))
            self._external_sender = bytes(body)
        return []

    def _take_proposals(self, body: Any) -> list[Answer]:
        answers = self._catch_up()
        if self._group is None:
            return answers
        revoke = davey.ProposalsOperationType.revoke if body[0] else davey.ProposalsOperationType.append
        members = [self._user_id, *self._others]
        made = self._group.process_proposals(revoke, bytes(body[1:]), members)
        if made is not None:
            answers.append((Op.MLS_COMMIT_WELCOME, made.commit + (made.welcome or b"")))
        return answers

    def _take_commit(self, body: Any) -> list[Answer]:
        answers = self._catch_up()
        (transition,) = _TRANSITION.unpack_from(body)
        self._announced = transition, bytes(body[_TRANSITION.size :])
        if transition == _INITIAL or self._group is not self._sealing:
            recovery = self._catch_up()
            if recovery:
                return answers + recovery
        return answers + self._prepare(transition, max(self._version, 1))

    def _take_welcome(self, body: Any) -> list[Answer]:
        answers = self._catch_up()
        (transition,) = _TRANSITION.unpack_from(body)
        if self._group is None:
            return answers
        try:
            self._group.process_welcome(bytes(body[_TRANSITION.size :]))
        except ValueError:
            return answers + self._recover(transition)
        self._pending, self._in_vain = False, 0
        return answers + self._prepare(transition, max(self._version, 1))

    def _catch_up(self) -> list[Answer]:
        """Apply the commit that was announced last; nothing of a later epoch could be understood before."""
        if self._announced is None or self._group is None:
            return []
        (transition, commit), self._announced = self._announced, None
        try:
            self._group.process_commit(commit)
        except ValueError:
            return [] if self._pending else self._recover(transition)
        self._pending, self._in_vain = False, 0
        return []

    def _recover(self, transition: int) -> list[Answer]:
        """Report what could not be applied, and ask to be added anew ("Recovery from Invalid Commit ...").

        What leaves meanwhile is encrypted with the old keys, which receivers keep for ten seconds.
        """
        if self._in_vain >= _MOST_RECOVERIES:
            return []
        self._pending = True
        self._recoveries += 1
        self._in_vain += 1
        self._prepared.pop(transition, None)
        renewed = self._renew(max(self._version, 1))
        return [(Op.MLS_INVALID_COMMIT_WELCOME, {"transition_id": transition}), *renewed]

    _HANDLERS: ClassVar[dict[int, Callable[[Dave, Any], list[Answer]]]] = {
        Op.SESSION_DESCRIPTION: _described,
        Op.CLIENTS_CONNECT: _connected,
        Op.CLIENT_DISCONNECT: _disconnected,
        Op.PREPARE_TRANSITION: _prepare_transition,
        Op.EXECUTE_TRANSITION: _execute_transition,
        Op.PREPARE_EPOCH: _prepare_epoch,
        Op.MLS_EXTERNAL_SENDER: _take_external_sender,
        Op.MLS_PROPOSALS: _take_proposals,
        Op.MLS_ANNOUNCE_COMMIT: _take_commit,
        Op.MLS_WELCOME: _take_welcome,
    }


def _ignore() -> None:
    pass
