"""What DAVE says on the voice gateway, and how the end-to-end encryption stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias


class Op(IntEnum):
    """Opcodes of the voice gateway that concern DAVE; from 25 on the messages are binary, but for 31."""

    SESSION_DESCRIPTION = 4
    CLIENTS_CONNECT = 11
    CLIENT_DISCONNECT = 13
    PREPARE_TRANSITION = 21
    EXECUTE_TRANSITION = 22
    TRANSITION_READY = 23
    PREPARE_EPOCH = 24
    MLS_EXTERNAL_SENDER = 25
    MLS_KEY_PACKAGE = 26
    MLS_PROPOSALS = 27
    MLS_COMMIT_WELCOME = 28
    MLS_ANNOUNCE_COMMIT = 29
    MLS_WELCOME = 30
    MLS_INVALID_COMMIT_WELCOME = 31


#: An answer to the voice gateway: opcode, and the body of a binary message or the data of a JSON one.
Answer: TypeAlias = tuple[Op, bytes | dict[str, Any]]


@dataclass(frozen=True, slots=True)
class DaveStatus:
    """A moment of the end-to-end encryption.

    :ivar version: protocol version in force; 0 means that packets are encrypted to the voice server only
    :ivar epoch: of the group whose keys encrypt the frames; None while they are not encrypted end to end
    :ivar privacy_code: what members compare to know that nobody listens in between, 30 digits
    :ivar recoveries: commits or welcomes that could not be applied and were reported (op 31)
    """

    version: int = 0
    epoch: int | None = None
    privacy_code: str | None = None
    recoveries: int = 0
