"""A member of a DAVE call by Discord's own libdave, which people's clients use: the second opinion on davey.

`dave.py` binds the C++ library and does nothing else; what is said when is written here after Discord's
whitepaper (daveprotocol.com), as it is in :mod:`loopback.dave.participant` for davey.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any, Final

import dave

from loopback.dave.participant import Opened, is_encrypted
from loopback.voice.protocol import Op

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.dave.call import Call

VERSION: Final = 1
SSRC: Final = 7
_TRANSITION = struct.Struct(">H")
_NEW_GROUP: Final = 1
_INITIAL: Final = 0


class Libdave:
    """A port of a call that encrypts and decrypts by libdave.

    :ivar tampers: what stands in place of the end of the next message of that opcode
    """

    def __init__(self, call: Call, user_id: int) -> None:
        self.call = call
        self.user_id = user_id
        self.version = 0
        self.tampers: dict[Op, bytes] = {}
        self.failures: list[str] = []
        self._session = dave.Session(lambda where, why: self.failures.append(f"{where}: {why}"))
        self._key = dave.SignatureKeyPair.generate(VERSION)
        self._encryptor = dave.Encryptor()
        self._encryptor.assign_ssrc_to_codec(SSRC, dave.Codec.opus)
        self._decryptors: dict[int, dave.Decryptor] = {}
        self._sender = b""
        self._prepared: dict[int, int] = {}
        self._present = False

    # --- what others see ---

    @property
    def established(self) -> bool:
        """It has the keys of a group."""
        return self._session.has_established_group()

    @property
    def settled(self) -> bool:
        """What it says is encrypted with the latest keys that it has."""
        return not self._prepared

    @property
    def privacy_code(self) -> str | None:
        """Of the group's present epoch, as people compare it."""
        authenticator = self._session.get_last_epoch_authenticator() if self.established else None
        return None if authenticator is None else dave.generate_displayable_code(authenticator, 30, 5)

    def say(self, opus: bytes) -> bytes | None:
        """A frame as it leaves."""
        return self._encryptor.encrypt(dave.MediaType.audio, SSRC, opus)

    def open(self, sender_id: int, frame: bytes) -> Opened:
        """A frame of the sender as it is heard."""
        decryptor = self._decryptors.get(sender_id)
        if decryptor is None:
            return Opened(None if is_encrypted(frame) else frame, is_encrypted(frame))
        return Opened(decryptor.decrypt(dave.MediaType.audio, frame), is_encrypted(frame))

    def join(self) -> None:
        """Come into the channel."""
        self._present = True
        self.version = self.call.version_for(supports=True)
        self.call.join(self.user_id, self, supports=True)
        if self.version:
            self._renew()

    def leave(self) -> None:
        """Go out of it."""
        self._present = False
        self.call.leave(self.user_id, self)

    def tell(self, op: Op, data: dict[str, Any] | bytes) -> None:
        """As :class:`~loopback.dave.call.Port`."""
        end = self.tampers.pop(op, b"")
        if end and isinstance(data, bytes):
            data = data[: -len(end)] + end
        asyncio.get_running_loop().call_soon(self._take, op, data)

    # --- the protocol ---

    def _take(self, op: Op, data: Any) -> None:
        handlers: dict[Op, Callable[[Any], None]] = {
            Op.DAVE_PREPARE_TRANSITION: self._prepare_transition,
            Op.DAVE_EXECUTE_TRANSITION: lambda data: self._execute(data["transition_id"]),
            Op.DAVE_PREPARE_EPOCH: self._prepare_epoch,
            Op.DAVE_MLS_EXTERNAL_SENDER: self._take_sender,
            Op.DAVE_MLS_PROPOSALS: self._take_proposals,
            Op.DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION: self._take_commit,
            Op.DAVE_MLS_WELCOME: self._take_welcome,
        }
        if self._present:
            handlers[op](data)

    @property
    def _known(self) -> set[str]:
        return {str(user_id) for user_id in self.call.members}

    def _renew(self) -> None:
        self._session.init(VERSION, self.call.channel_id, str(self.user_id), self._key)
        if self._sender:
            self._session.set_external_sender(self._sender)
        key_package = self._session.get_marshalled_key_package()
        assert key_package is not None
        self.call.take_key_package(self.user_id, key_package)

    def _take_sender(self, package: bytes) -> None:
        self._sender = package
        self._session.set_external_sender(package)

    def _prepare_epoch(self, data: dict[str, int]) -> None:
        if data["epoch"] == _NEW_GROUP:
            self._renew()

    def _take_proposals(self, body: bytes) -> None:
        made = self._session.process_proposals(body, self._known)
        if made is not None:
            self.call.take_commit(self.user_id, made)

    def _take_commit(self, body: bytes) -> None:
        roster = self._session.process_commit(body[_TRANSITION.size :])
        if roster is not dave.RejectType.ignored:
            self._follow(body, None if roster is dave.RejectType.failed else roster)

    def _take_welcome(self, body: bytes) -> None:
        self._follow(body, self._session.process_welcome(body[_TRANSITION.size :], self._known))

    def _follow(self, body: bytes, roster: Any) -> None:
        """Go over to the keys of a commit or welcome, or report that it cannot be processed (op 31)."""
        (transition,) = _TRANSITION.unpack_from(body)
        if roster is None:
            self.call.take_invalid(self.user_id, transition)
            self._renew()
            return
        for user_id in self.call.members:
            ratchet = self._session.get_key_ratchet(str(user_id))
            if user_id != self.user_id and ratchet is not None:
                decryptor = self._decryptors.setdefault(user_id, dave.Decryptor())
                decryptor.transition_to_key_ratchet(ratchet)
                decryptor.transition_to_passthrough_mode(not self.version)
        self._prepare(transition, VERSION)

    def _prepare_transition(self, data: dict[str, int]) -> None:
        if data["protocol_version"] == 0:
            for decryptor in self._decryptors.values():
                decryptor.transition_to_passthrough_mode(True)
        self._prepare(data["transition_id"], data["protocol_version"])

    def _prepare(self, transition: int, version: int) -> None:
        self._prepared[transition] = version
        if transition == _INITIAL:
            self._execute(transition)
        else:
            self.call.take_ready(self.user_id, transition)

    def _execute(self, transition: int) -> None:
        former, self.version = self.version, self._prepared.pop(transition, self.version)
        self._encryptor.set_passthrough_mode(not self.version)
        if self.version:
            self._encryptor.set_key_ratchet(self._session.get_key_ratchet(str(self.user_id)))
        if self.version > former:
            for decryptor in self._decryptors.values():
                decryptor.transition_to_passthrough_mode(False)
