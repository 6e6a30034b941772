"""The structures of MLS that a delivery service has to read, and no more of them than it needs (RFC 9420)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from loopback.dave.wire import MalformedError, Reader, number, vector

MLS_VERSION: Final = 1
CIPHERSUITE: Final = 2
"""DHKEMP256_AES128GCM_SHA256_P256, the only one of DAVE version 1."""
PUBLIC_MESSAGE: Final = 1
KEY_PACKAGE_MESSAGE: Final = 5
BASIC_CREDENTIAL: Final = 1
USER_ID_BYTES: Final = 8

_MEMBER, _COMMIT = 1, 3  # sender type, content type
_BY_REFERENCE = 2
_KEY_PACKAGE_SOURCE, _UPDATE_SOURCE, _COMMIT_SOURCE = 1, 2, 3  # of a leaf node
_LIFETIME_BYTES = 16
_CAPABILITIES = 5  # vectors: versions, ciphersuites, extensions, proposals, credentials


@dataclass(frozen=True, slots=True)
class KeyPackage:
    """What a pending member is added with. ``user_id`` is the identity in its credential."""

    data: bytes
    user_id: int

    @property
    def reference(self) -> bytes:
        """The name by which a Welcome speaks of it."""
        return reference("MLS 1.0 KeyPackage Reference", self.data)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, as far as the delivery service judges it. ``sender`` is the leaf of the one who made it."""

    message: bytes
    group_id: bytes
    epoch: int
    sender: int
    references: tuple[bytes, ...]
    """The proposals that it commits, in its order."""


def reference(label: str, value: bytes) -> bytes:
    """RefHash of RFC 9420, section 5.2."""
    return hashlib.sha256(vector(label.encode()) + vector(value)).digest()


def read_key_package(body: bytes) -> KeyPackage:
    """The key package in op 26, bare or as an MLSMessage: clients send either.

    Raises :class:`MalformedError`.
    """
    header = number(MLS_VERSION, 2) + number(KEY_PACKAGE_MESSAGE, 2)
    data = body.removeprefix(header)
    reader = Reader(data)
    reader.expect(2, MLS_VERSION, "protocol version")
    reader.expect(2, CIPHERSUITE, "ciphersuite")
    reader.vector()  # init key
    identity = _leaf_node(reader)
    reader.vector()  # extensions
    reader.vector()  # signature
    if reader.rest:
        raise MalformedError("something follows the key package")
    if len(identity) != USER_ID_BYTES:
        raise MalformedError("the identity is no user id")
    return KeyPackage(data, int.from_bytes(identity, "big"))


def split_commit_welcome(body: bytes) -> tuple[Commit, bytes]:
    """Op 28: a commit, directly followed by a Welcome or by nothing.

    Raises :class:`MalformedError`.
    """
    reader = Reader(body)
    reader.expect(2, MLS_VERSION, "protocol version")
    reader.expect(2, PUBLIC_MESSAGE, "wire format")
    group_id = reader.vector()
    epoch = reader.number(8)
    reader.expect(1, _MEMBER, "sender")
    sender = reader.number(4)
    reader.vector()  # authenticated data
    reader.expect(1, _COMMIT, "content")
    references = _references(reader.vector())
    _update_path(reader)
    for _part in ("signature", "confirmation tag", "membership tag"):
        reader.vector()
    return Commit(reader.since(0), group_id, epoch, sender, references), reader.rest


def welcome_for(welcome: bytes, key_package: KeyPackage) -> bytes:
    """The Welcome with the secrets for this one member only. Raises :class:`MalformedError`."""
    reader = Reader(welcome)
    reader.expect(2, CIPHERSUITE, "ciphersuite")
    secrets = Reader(reader.vector())
    encrypted_group_info = reader.vector()
    while secrets.rest:
        start = secrets.position
        whose = secrets.vector()
        secrets.vector()  # KEM output
        secrets.vector()  # ciphertext
        if whose == key_package.reference:
            mine = vector(secrets.since(start))
            return number(CIPHERSUITE, 2) + mine + vector(encrypted_group_info)
    raise MalformedError("the welcome has nothing for a member that the commit adds")


def _references(content: bytes) -> tuple[bytes, ...]:
    reader = Reader(content)
    found: list[bytes] = []
    while reader.rest:
        reader.expect(1, _BY_REFERENCE, "a proposal that is not named by reference")
        found.append(reader.vector())
    return tuple(found)


def _update_path(reader: Reader) -> None:
    if reader.number(1):
        _leaf_node(reader)
        reader.vector()  # nodes


def _leaf_node(reader: Reader) -> bytes:
    """Pass a leaf node; the identity in its credential."""
    reader.vector()  # encryption key
    reader.vector()  # signature key
    reader.expect(2, BASIC_CREDENTIAL, "credential")
    identity = reader.vector()
    for _list in range(_CAPABILITIES):
        reader.vector()
    source = reader.number(1)
    if source == _KEY_PACKAGE_SOURCE:
        reader.take(_LIFETIME_BYTES)
    elif source == _COMMIT_SOURCE:
        reader.vector()  # parent hash
    elif source != _UPDATE_SOURCE:
        raise MalformedError(f"leaf node source {source}")
    reader.vector()  # extensions
    reader.vector()  # signature
    return identity
