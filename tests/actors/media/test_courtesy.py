"""A job with little made goes before those well ahead."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from actors.media import courtesy
from actors.media.courtesy import HURRY_FRAMES, Courtesy

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def in_thread(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_a_job_ahead_waits_until_the_other_has_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courtesy, "_PATIENCE_S", 30.0)
    shared, passed = Courtesy(), threading.Event()
    shared.begin(1)
    shared.begin(2)

    def ahead() -> None:
        shared.report(1, HURRY_FRAMES)
        passed.set()

    thread = in_thread(ahead)
    shared.report(2, 10)
    assert not passed.wait(0.05)
    shared.report(2, HURRY_FRAMES)
    assert passed.wait(10)
    thread.join()


def test_a_slow_one_stops_nobody_for_long() -> None:
    shared = Courtesy()
    shared.begin(1)
    thread = in_thread(shared.give_way)
    thread.join(10)
    assert not thread.is_alive()
