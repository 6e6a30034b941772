"""The place of DAVE, Discord's end-to-end encryption of voice (protocol version 1, MLS).

Not spoken yet: the bot announces version 0, so a server that insists closes with 4017, which is fatal and
said so. What it will need is already kept apart: `MAX_PROTOCOL_VERSION` is sent when identifying,
`FrameProtector` is what a transport calls for each frame before it is sealed, and `Session` passes on the
binary and DAVE opcodes here.
"""

from __future__ import annotations

from typing import Final, Protocol

#: The newest version that is announced (op 0, ``max_dave_protocol_version``); 0 means none.
MAX_PROTOCOL_VERSION: Final = 0

#: Opcodes of DAVE on the voice gateway: transitions, epochs, MLS messages.
OPCODES: Final = frozenset(range(21, 32))


class FrameProtector(Protocol):
    """End-to-end encryption of single frames."""

    def __call__(self, opus: bytes) -> bytes:
        """The frame as only the members of the channel can read it."""
        ...
