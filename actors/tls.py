"""How connections to Discord are encrypted: which authorities are trusted, how large the buffers are."""

from __future__ import annotations

import ssl
from asyncio import sslproto
from functools import cache
from typing import TYPE_CHECKING

import certifi

if TYPE_CHECKING:
    from pathlib import Path

TLS_BUFFER_BYTES = 32 * 1024
"""Twice the largest TLS record (RFC 8446, 5.1)."""


def slim_tls() -> None:
    """Give asyncio's TLS connections smaller receive buffers, from now on and for the whole process.

    Theirs are 256 KiB each, filled with zeros and hence resident: more than all else that a guild's voice
    websocket needs, which carries a few hundred bytes a minute.
    """
    sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES


@cache
def make_ssl_context(discord_ca: Path | None) -> ssl.SSLContext:
    """The system's trusted authorities (certifi's, where the system has none), and ``discord_ca``.

    One for the process: to read some 150 authorities takes as long as all of a login.
    """
    context = ssl.create_default_context()
    system = ssl.get_default_verify_paths()
    if not (system.cafile or system.capath):  # both None: the compiled-in places do not exist here
        context.load_verify_locations(cafile=certifi.where())
    if discord_ca is not None:
        context.load_verify_locations(cafile=discord_ca)
    return context
