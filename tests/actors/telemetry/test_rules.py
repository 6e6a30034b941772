"""Alerts are raised once, cleared with hysteresis, and told to whom they are meant for."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import pytest
from aiohttp import web

from actors.discord_port import PostError, Trouble
from actors.telemetry import RULES, AlertLimits, Alerts
from actors.telemetry.alerts import text_of
from actors.telemetry.audio import LOADING_S, LOOK_EVERY_S, UNHEARD_AFTER_S, AudioWatch
from actors.telemetry.rules import CODES_S, FEWEST_OUTCOMES, UNKNOWN_S, AlertBook, Change
from supervision import ChildSpec, SupervisorSpec, open_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def names(changes: list[Change]) -> list[tuple[str, bool]]:
    return [(change.rule.name, change.raised) for change in changes]


def test_lost_sessions_alert_once_and_clear_at_half() -> None:
    """More than the limit within five minutes; a figure at the limit does not flap."""
    book = AlertBook(AlertLimits(sessions_lost=4))
    for second in range(4):
        book.levels.sessions_lost.add(float(second))
    assert book.look(4.0) == []
    book.levels.sessions_lost.add(5.0)
    assert names(book.look(5.0)) == [("voice_sessions_lost", True)]
    assert book.look(6.0) == []
    assert book.look(CODES_S + 1.5) == []  # two are forgotten, three are more than half of four
    assert names(book.look(CODES_S + 2.5)) == [("voice_sessions_lost", False)]
    assert book.raised == frozenset()


def test_a_share_of_few_incidents_says_nothing() -> None:
    """Below 80 % it alerts, from 90 % on it clears."""
    book = AlertBook()
    for number in range(FEWEST_OUTCOMES - 1):
        book.levels.outcomes.add(float(number), 0.0)
    assert book.look(10.0) == []
    book.levels.outcomes.add(10.0, 1.0)
    changes = book.look(10.0)
    assert names(changes) == [("voice_reconnects_fail", True)]
    assert "only 20%" in changes[0].words
    for _ in range(34):  # 35 of 39: 89.7 %
        book.levels.outcomes.add(11.0, 1.0)
    assert book.look(11.0) == []
    book.levels.outcomes.add(12.0, 1.0)
    assert names(book.look(12.0)) == [("voice_reconnects_fail", False)]


@pytest.mark.parametrize(
    ("level", "value", "name"),
    [
        ("unheard", {7: 30.0}, "music_unheard"),
        ("away_s", 60.0, "gateway_away"),
        ("unsaved", "no space left on device", "state_unsaved"),
    ],
)
def test_what_lasts(level: str, value: object, name: str) -> None:
    """Raised while it stands, over when it is put right."""
    book = AlertBook()
    well = getattr(book.levels, level)
    setattr(book.levels, level, value)
    assert names(book.look(0.0)) == [(name, True)]
    setattr(book.levels, level, well)
    (over,) = book.look(1.0)
    assert (over.rule.name, over.raised, over.words) == (name, False, over.rule.over(book.levels, 1.0))


def test_the_thresholds_are_those_of_the_settings() -> None:
    book = AlertBook(AlertLimits(unheard_s=7.0, away_s=8.0))
    book.levels.unheard, book.levels.away_s = {7: 6.9}, 7.9
    assert book.look(0.0) == []
    book.levels.unheard, book.levels.away_s = {7: 7.0}, 8.0
    assert names(book.look(0.0)) == [("music_unheard", True), ("gateway_away", True)]


@pytest.mark.parametrize(
    ("unheard", "words"),
    [
        ({42: 31.2}, "guild 42 has waited for its music for 31 s"),
        ({1: 30.0, 42: 31.2}, "2 guilds wait for their music: 42 (31 s), 1 (30 s)"),
        (dict.fromkeys(range(7), 40.0),
         "7 guilds wait for their music: 0 (40 s), 1 (40 s), 2 (40 s), 3 (40 s), 4 (40 s) and 2 more"),
    ],
)  # fmt: skip
def test_an_alert_names_the_guilds_that_wait(unheard: dict[int, float], words: str) -> None:
    """Health may not be served, and then nobody else tells which."""
    book = AlertBook()
    book.levels.unheard = unheard
    assert [change.words for change in book.look(0.0)] == [words]


def test_unknown_codes_and_supervisors_that_give_up() -> None:
    """Each is over when it has not come again for a while."""
    book = AlertBook()
    book.levels.unknown.add(0.0)
    book.levels.unknown_words = "guild 7: three in a row"
    assert RULES[2].words(book.levels, 0.0) == "guild 7: three in a row"
    book.levels.gave_up.add(0.0)
    book.levels.gave_up_path = "guilds/7"
    raised = book.look(0.0)
    assert names(raised) == [("unknown_close_codes", True), ("supervisor_gave_up", True)]
    assert "supervisor guilds/7 gave up" in raised[1].words
    assert names(book.look(UNKNOWN_S)) == [("unknown_close_codes", False), ("supervisor_gave_up", False)]


def test_every_rule_says_what_to_do() -> None:
    """In words that fit into a message."""
    for rule in RULES:
        text = text_of(Change(rule, True, rule.words(AlertBook().levels, 0.0)))
        assert rule.name in text
        assert "What to do: " in text
        assert len(text) < 500


def test_every_alert_that_is_over_says_how_it_is_now() -> None:
    """And not what was wrong."""
    book = AlertBook()
    told = {rule.name: text_of(Change(rule, False, rule.over(book.levels, 0.0))) for rule in RULES}
    assert told["music_unheard"] == "Over: music_unheard. Now every guild that should be hears its music."
    assert told["voice_sessions_lost"] == (
        "Over: voice_sessions_lost. Now 0 voice sessions became invalid within five minutes."
    )
    assert told["voice_reconnects_fail"].endswith("Now 100% of the voice incidents end well.")
    assert all("gave up:" not in text and "cannot" not in text for text in told.values())


def test_music_that_nobody_hears_is_noticed_and_put_right() -> None:
    """A guild that is sent nothing for two seconds; one that is, or wants none, is well."""
    watch = AudioWatch()
    for half in range(8):
        now = half / 2
        watch.look(now, {1: 100, 2: 100 + half})
    assert watch.unheard(UNHEARD_AFTER_S - 0.1) == {}
    assert watch.unheard(3.5) == {1: 3.5}
    watch.look(4.0, {1: 101, 2: 108})
    assert watch.unheard(4.0) == {}
    watch.look(9.0, {})
    assert watch.unheard(20.0) == {}
    assert LOOK_EVERY_S + UNHEARD_AFTER_S <= 3.0, "and 2 s until a black hole is noticed"


def test_a_track_that_is_still_being_found_has_more_time() -> None:
    """As much as finding it may take; when it is there, the first frame has the time of any other."""
    watch = AudioWatch()
    for second in range(30):
        watch.look(float(second), {1: 0}, frozenset({1}))
    assert watch.unheard(LOADING_S - 0.1) == {}
    assert watch.unheard(LOADING_S) == {1: LOADING_S}
    watch.look(30.0, {1: 0})
    assert watch.unheard(30.0) == {}
    assert watch.unheard(30.0 + UNHEARD_AFTER_S) == {1: UNHEARD_AFTER_S}


# --- telling ---


class Post:
    """Discord's side: what was said, and whether it takes it."""

    def __init__(self) -> None:
        self.said: list[tuple[int, str | None]] = []
        self.trouble: Trouble | None = None

    async def post(self, channel_id: int, *, text: str | None = None, embed: object = None) -> int:
        if self.trouble is not None:
            raise PostError(self.trouble)
        self.said.append((channel_id, text))
        return 1


@asynccontextmanager
async def webhook(*statuses: int) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers with these, and with 204 afterwards."""
    taken: list[dict[str, Any]] = []
    left = list(statuses)

    async def take(request: web.Request) -> web.Response:
        taken.append(await request.json())
        return web.Response(status=left.pop(0) if left else 204)

    served = web.Application()
    served.router.add_post("/hook", take)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", taken
    finally:
        await runner.cleanup()


CHANGE = Change(RULES[0], True, "21 voice sessions became invalid (4006) within five minutes")


@pytest.mark.anyio
async def test_alerts_go_to_the_webhook_and_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that fails once is tried again; a channel that is gone does not keep the webhook from it."""
    monkeypatch.setattr("actors.telemetry.alerts.AGAIN_S", 0.01)
    port = Post()
    async with webhook(500) as (address, taken):
        actor = lambda: Alerts(port, aiohttp.TCPConnector, webhook=address, channel_id=7)  # type: ignore[arg-type]  # noqa: E731
        async with open_system(SupervisorSpec((ChildSpec("alerts", actor),))) as system:
            system.lookup("alerts").tell(CHANGE)
            port.trouble = None
            with anyio.fail_after(5):
                while len(taken) < 2:  # noqa: ASYNC110 - the server's list
                    await anyio.sleep(0.01)
            port.trouble = Trouble.GONE
            system.lookup("alerts").tell(Change(RULES[0], False, "3 voice sessions became invalid"))
            with anyio.fail_after(5):
                while len(taken) < 3:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
    assert [text for _, text in port.said] == [taken[0]["content"]]
    assert taken[1] == taken[0]
    assert taken[0]["allowed_mentions"] == {"parse": []}
    assert taken[0]["content"].startswith("Alert: voice_sessions_lost. 21 voice sessions")
    assert taken[2]["content"].startswith("Over: voice_sessions_lost.")
