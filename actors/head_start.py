"""What the start of the process does beside reading its own modules, so that the music comes back sooner.

To read the certificate authorities takes OpenSSL some 30 ms each time, and it is done twice: for the bot's
own connections, and by aiohttp when it is imported. Meanwhile OpenSSL lets other Python code run.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from actors.tls import make_ssl_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def head_start(discord_ca: Path | None) -> Iterator[None]:
    """Within the block the authorities are read; at its end they are there.

    What fails is told to whoever needs it, when it fails again.
    """
    thread = threading.Thread(target=_read, args=(discord_ca,), name="head start")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _read(discord_ca: Path | None) -> None:
    try:
        import aiohttp  # noqa: F401 - for others

        make_ssl_context(discord_ca)
    except (OSError, ImportError):
        return
