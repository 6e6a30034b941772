"""The voice server as MLS external sender: it proposes whom to add and to remove, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from loopback.dave.structures import BASIC_CREDENTIAL, MLS_VERSION, PUBLIC_MESSAGE, reference
from loopback.dave.wire import number, vector

if TYPE_CHECKING:
    from loopback.dave.structures import KeyPackage

_EXTERNAL: Final = number(2, 1) + number(0, 4)  # sender type, and the first in the list of external senders
_NOTHING: Final = vector(b"")
_PROPOSAL: Final = number(2, 1)  # content type
_ADD, _REMOVE = number(1, 2), number(3, 2)
_SIGNED_AS: Final = b"MLS 1.0 FramedContentTBS"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A signed proposal. Its reference covers the signature, so every member must get the same bytes."""

    message: bytes
    reference: bytes
    user_id: int
    added: KeyPackage | None
    """None for a Remove."""


class ExternalSender:
    """A key pair (ECDSA on P-256), and what is signed with it."""

    def __init__(self, identity: bytes = b"loopback") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.package = vector(point) + number(BASIC_CREDENTIAL, 2) + vector(identity)
        """The body of op 25."""

    def add(self, group_id: bytes, epoch: int, key_package: KeyPackage) -> Proposal:
        """Propose to add the owner of a key package."""
        content = _ADD + key_package.data
        return self._proposal(group_id, epoch, content, key_package.user_id, key_package)

    def remove(self, group_id: bytes, epoch: int, leaf: int, user_id: int) -> Proposal:
        """Propose to remove the member at a leaf."""
        return self._proposal(group_id, epoch, _REMOVE + number(leaf, 4), user_id, None)

    def _proposal(
        self, group_id: bytes, epoch: int, content: bytes, user_id: int, added: KeyPackage | None
    ) -> Proposal:
        framed = vector(group_id) + number(epoch, 8) + _EXTERNAL + _NOTHING + _PROPOSAL + content
        wire_format = number(PUBLIC_MESSAGE, 2)
        version = number(MLS_VERSION, 2)
        signed = vector(_SIGNED_AS) + vector(version + wire_format + framed)
        signature = self._key.sign(signed, ec.ECDSA(SHA256()))
        authenticated = wire_format + framed + vector(signature)
        name = reference("MLS 1.0 Proposal Reference", authenticated)
        return Proposal(version + authenticated, name, user_id, added)
