"""What is read beside the modules is there when it is needed; its failures are told by whoever needs it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from actors.head_start import head_start
from actors.tls import make_ssl_context

if TYPE_CHECKING:
    from pathlib import Path


def test_the_authorities_are_read_beside_and_once() -> None:
    make_ssl_context.cache_clear()
    with head_start(None):
        beside = [thread for thread in threading.enumerate() if thread.name == "head start"]
    assert not any(thread.is_alive() for thread in beside)
    assert make_ssl_context.cache_info().misses == 1
    make_ssl_context(None)
    assert make_ssl_context.cache_info().misses == 1


def test_a_file_that_is_none_is_the_affair_of_who_needs_it(tmp_path: Path) -> None:
    with head_start(tmp_path / "none.pem"):
        pass
