"""Messages survive whatever pieces a stream cuts them into."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from actors.media.wire import MAX_MESSAGE_BYTES, Decoder, WireError, encode

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
messages = st.lists(st.dictionaries(st.text(), values, max_size=4), max_size=5)


@settings(max_examples=20)
@given(messages, st.data())
def test_any_messages_in_any_pieces(sent: list[dict[str, Any]], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    decoder, received = Decoder(), list[dict[str, Any]]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        received += decoder.feed(stream[:size])
        stream = stream[size:]
    assert received == sent


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!I", MAX_MESSAGE_BYTES + 1),
        struct.pack("!I", 1) + b"\xc1",
        struct.pack("!I", 1) + b"\x01",
    ],
    ids=["too large", "no msgpack", "no map"],
)
def test_what_is_no_message_is_an_error(data: bytes) -> None:
    with pytest.raises(WireError):
        list(Decoder().feed(data))


def test_too_large_a_message_is_not_sent() -> None:
    with pytest.raises(WireError):
        encode({"x": b"0" * MAX_MESSAGE_BYTES})
