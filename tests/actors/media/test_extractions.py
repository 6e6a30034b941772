"""Extractions are remembered for as long as they can be trusted."""

from __future__ import annotations

from typing import Any

from actors.media.extractions import FOUND_S, KEPT, Extractions


class Time:
    """Seconds since the epoch, as the test wants them."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def track(url: str, *, is_live: bool = False) -> dict[str, Any]:
    return {"url": url, "title": url, "is_live": is_live}


def test_a_query_is_remembered_for_some_minutes() -> None:
    time = Time()
    extractions = Extractions(time)
    assert extractions.found("song") is None
    extractions.keep_found("song", [track("a")])
    time.now += FOUND_S - 1
    assert extractions.found("song") == [track("a")]
    time.now += 1
    assert extractions.found("song") is None


def test_what_is_live_is_asked_for_anew() -> None:
    extractions = Extractions(Time())
    extractions.keep_found("radio", [track("a"), track("b", is_live=True)])
    assert extractions.found("radio") is None


def test_a_stream_is_not_used_beyond_its_end() -> None:
    time = Time()
    extractions = Extractions(time)
    stream = {"url": "media", "expires_at": time.now + 10}
    extractions.keep_stream("a", stream)
    assert extractions.stream("a") == stream
    time.now += 10
    assert extractions.stream("a") is None
    assert extractions.stream("b") is None


def test_memory_is_bounded_and_the_oldest_give_way() -> None:
    time = Time()
    extractions = Extractions(time)
    for number in range(KEPT + 2):
        extractions.keep_found(str(number), [track(str(number))])
        extractions.keep_stream(str(number), {"expires_at": time.now + 10})
    assert extractions.found("1") is None
    assert extractions.found("2") is not None
    assert extractions.stream("1") is None
    assert extractions.stream("2") is not None
