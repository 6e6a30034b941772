"""Packets, opened by the cryptographic libraries themselves and by the listener's own code."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt

from actors.voice.pulse import Pulse
from actors.voice.rtp import (
    AES_GCM,
    FRAME_SAMPLES,
    MODES,
    XCHACHA20,
    NonceExhaustedError,
    Packetizer,
    choose_mode,
    open_packet,
)
from actors.voice.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))


def make_transport(
    write: Callable[[bytes], int], protect: Callable[[bytes], bytes] | None = None
) -> Transport:
    packetizer = Packetizer(AES_GCM, KEY, 7)
    transport = Transport(packetizer, write, pulse=Pulse(write), on_speaking=ignore, on_hole=ignore)
    transport.protect = protect
    return transport


def ignore(*_news: bool) -> None:
    pass


def test_the_header_is_that_of_rfc_3550() -> None:
    packet = Packetizer(AES_GCM, KEY, 0x01020304, sequence=0xABCD, timestamp=0x11223344).pack(b"frame")
    assert packet[:12] == bytes.fromhex("8078 abcd 11223344 01020304")


@given(frame=st.binary(min_size=1, max_size=1275), skipped=st.integers(0, 5))
def test_aes_gcm_is_opened_with_the_header_as_associated_data(frame: bytes, skipped: int) -> None:
    packetizer = Packetizer(AES_GCM, KEY, 7)
    for _ in range(skipped):
        packetizer.pack(b"")
    packet = packetizer.pack(frame)
    assert packet[-4:] == struct.pack(">I", skipped)
    assert AESGCM(KEY).decrypt(packet[-4:] + bytes(8), packet[12:-4], packet[:12]) == frame


@given(frame=st.binary(min_size=1, max_size=1275))
def test_xchacha20_is_opened_with_the_header_as_associated_data(frame: bytes) -> None:
    packet = Packetizer(XCHACHA20, KEY, 7).pack(frame)
    nonce = packet[-4:] + bytes(20)
    assert crypto_aead_xchacha20poly1305_ietf_decrypt(packet[12:-4], packet[:12], nonce, KEY) == frame


@pytest.mark.parametrize("mode", MODES)
def test_a_packet_is_opened_by_its_own_module(mode: str) -> None:
    assert open_packet(mode, KEY, Packetizer(mode, KEY, 7).pack(b"frame")) == b"frame"


def test_a_changed_header_is_noticed() -> None:
    packet = bytearray(Packetizer(AES_GCM, KEY, 7).pack(b"frame"))
    packet[3] ^= 1
    with pytest.raises(InvalidTag):
        open_packet(AES_GCM, KEY, bytes(packet))


def test_sequence_and_timestamp_wrap_around() -> None:
    packetizer = Packetizer(AES_GCM, KEY, 7, sequence=0xFFFF, timestamp=0xFFFFFFFF)
    packetizer.pack(b"frame")
    assert (packetizer.sequence, packetizer.timestamp) == (0, FRAME_SAMPLES - 1)
    packetizer.take_back()
    assert (packetizer.sequence, packetizer.timestamp) == (0xFFFF, 0xFFFFFFFF)
    packetizer.pack(b"frame")
    packetizer.skip(2**32)
    assert packetizer.timestamp == FRAME_SAMPLES - 1


def test_the_nonce_never_wraps_around() -> None:
    packetizer = Packetizer(AES_GCM, KEY, 7)
    packetizer._counter = 0xFFFFFFFF
    assert packetizer.pack(b"last")[-4:] == b"\xff" * 4
    with pytest.raises(NonceExhaustedError):
        packetizer.pack(b"one more")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([XCHACHA20, AES_GCM], AES_GCM),
        ([XCHACHA20, "xsalsa20_poly1305"], XCHACHA20),
        (["xsalsa20_poly1305"], None),
        ([], None),
    ],
)
def test_the_preferred_mode_is_chosen(offered: list[str], chosen: str | None) -> None:
    assert choose_mode(offered) == chosen


def test_a_frame_that_does_not_leave_keeps_its_sequence_and_gets_a_new_nonce() -> None:
    packets: list[bytes] = []
    full = True

    def write(packet: bytes) -> int:
        packets.append(packet)
        if full:
            raise BlockingIOError
        return len(packet)

    transport = make_transport(write)
    assert not transport.send(b"frame")
    full = False
    assert transport.send(b"frame")
    assert [packet[2:4] for packet in packets] == [b"\0\0", b"\0\0"]
    assert packets[0][-4:] != packets[1][-4:]
    assert (transport.sent, transport.refused, transport.sequence) == (1, 1, 1)


def test_a_closed_transport_refuses() -> None:
    transport = make_transport(len)
    transport.close()
    assert not transport.send(b"frame")


def test_end_to_end_encryption_comes_before_the_seal() -> None:
    packets: list[bytes] = []

    def write(packet: bytes) -> int:
        packets.append(packet)
        return len(packet)

    transport = make_transport(write, protect=lambda opus: opus[::-1])
    transport.send(b"frame")
    assert open_packet(AES_GCM, KEY, packets[0]) == b"emarf"
