"""RTP headers and the transport encryption, against packets that the tests build by themselves."""

from __future__ import annotations

import struct

import nacl.secret
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, strategies as st

from loopback.voice.modes import MODES, SessionCipher, UndecryptableError
from loopback.voice.rtp import MalformedPacketError, RtpHeader, is_rtcp, parse_header, strip_plaintext

U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
KEYS = st.binary(min_size=32, max_size=32)
HEADERS = st.builds(
    RtpHeader,
    sequence=U16,
    timestamp=U32,
    ssrc=U32,
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    padding=st.booleans(),
    csrcs=st.lists(U32, max_size=15).map(tuple),
    extension_words=st.none() | U16,
    extension_profile=st.just(0xBEDE),
)


def aes_gcm(key: bytes, header: bytes, payload: bytes, counter: int) -> bytes:
    suffix = struct.pack(">I", counter)
    return header + AESGCM(key).encrypt(suffix + bytes(8), payload, header) + suffix


def xchacha20(key: bytes, header: bytes, payload: bytes, counter: int) -> bytes:
    suffix = struct.pack(">I", counter)
    box = nacl.secret.Aead(key)
    return header + box.encrypt(payload, header, suffix + bytes(20)).ciphertext + suffix


BY_HAND = {"aead_aes256_gcm_rtpsize": aes_gcm, "aead_xchacha20_poly1305_rtpsize": xchacha20}
each_mode = pytest.mark.parametrize("mode", sorted(BY_HAND))


@given(HEADERS)
def test_header_survives_the_wire(header: RtpHeader) -> None:
    packed = header.pack()

    assert parse_header(packed + b"payload") == header
    assert len(packed) == header.length


@given(HEADERS, st.data())
def test_a_cut_header_is_malformed(header: RtpHeader, data: st.DataObject) -> None:
    packed = header.pack()
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]

    with pytest.raises(MalformedPacketError):
        parse_header(cut)


def test_header_stands_as_rfc_3550_draws_it() -> None:
    packed = RtpHeader(0x1234, 0x56789ABC, 0xDEADBEEF, csrcs=(1,), extension_words=2, marker=True).pack()

    assert packed.hex() == "91f8123456789abcdeadbeef00000001bede0002"


def test_another_version_is_malformed() -> None:
    with pytest.raises(MalformedPacketError, match="version 1"):
        parse_header(b"\x40" + bytes(20))


@each_mode
@given(key=KEYS, header=HEADERS, payload=st.binary(max_size=400), counter=U32)
def test_seal_agrees_with_a_packet_made_by_hand(
    mode: str, key: bytes, header: RtpHeader, payload: bytes, counter: int
) -> None:
    sealed = SessionCipher(MODES[mode], key).seal(header.pack(), payload, counter)

    assert sealed == BY_HAND[mode](key, header.pack(), payload, counter)


@each_mode
@given(key=KEYS, header=HEADERS, payload=st.binary(max_size=400), counter=U32)
def test_open_reads_a_packet_made_by_hand(
    mode: str, key: bytes, header: RtpHeader, payload: bytes, counter: int
) -> None:
    packet = BY_HAND[mode](key, header.pack(), payload, counter)

    opened = SessionCipher(MODES[mode], key).open(packet, parse_header(packet).length)

    assert opened == (counter, payload)


@each_mode
@given(key=KEYS, header=HEADERS, payload=st.binary(max_size=40), counter=U32, data=st.data())
def test_one_changed_bit_anywhere_cannot_be_opened(
    mode: str, key: bytes, header: RtpHeader, payload: bytes, counter: int, data: st.DataObject
) -> None:
    cipher = SessionCipher(MODES[mode], key)
    packet = bytearray(cipher.seal(header.pack(), payload, counter))
    bit = data.draw(st.integers(0, len(packet) * 8 - 1))
    packet[bit // 8] ^= 1 << bit % 8

    with pytest.raises(UndecryptableError):
        cipher.open(bytes(packet), header.length)


@each_mode
@given(packet=st.binary(max_size=31))
def test_a_packet_too_short_for_its_tag_cannot_be_opened(mode: str, packet: bytes) -> None:
    with pytest.raises(UndecryptableError, match="too few"):
        SessionCipher(MODES[mode], bytes(32)).open(packet, 12)


@given(body=st.binary(max_size=8).map(lambda b: b * 4), opus=st.binary(max_size=50), pad=st.integers(0, 255))
def test_extension_body_and_padding_are_no_media(body: bytes, opus: bytes, pad: int) -> None:
    header = RtpHeader(0, 0, 0, padding=pad > 0, extension_words=len(body) // 4)
    padding = bytes(pad - 1) + bytes([pad]) if pad else b""

    assert strip_plaintext(header, body + opus + padding) == opus


def test_an_extension_longer_than_the_packet_is_malformed() -> None:
    with pytest.raises(MalformedPacketError):
        strip_plaintext(RtpHeader(0, 0, 0, extension_words=3), b"only8byt")


@pytest.mark.parametrize(
    ("second", "rtcp"), [(200, True), (201, True), (207, True), (120, False), (248, False)]
)
def test_rtcp_is_told_from_rtp(second: int, rtcp: bool) -> None:
    assert is_rtcp(bytes([0x80, second]) + bytes(30)) is rtcp
