"""Commands and words at awkward moments: while connecting, while waiting to try again, after idle hours."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import anyio
import pytest

from actors.voice import LinkState, Moved, Ready, RetryPolicy, VoiceError
from loopback.voice.protocol import VoiceSettings

pytestmark = pytest.mark.anyio

House = Any  # conftest.py's
BOT, GUILD, CHANNEL, OTHER = 300, 100, 200, 201


async def heard_from_the_beginning(house: House) -> None:
    house.play()
    await house.listener.wait_frames(10, 5.0)
    assert house.heard()[0] == 0
    assert all(later == earlier + 1 for earlier, later in pairwise(house.heard()))


async def test_another_channel_asked_for_while_connecting_is_where_the_bot_ends_up(house: House) -> None:
    house.guild.answers = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.connect, CHANNEL)
        await house.until(lambda: house.guild.op4 == [CHANNEL])
        tasks.start_soon(house.connect, OTHER)
        house.guild.place(CHANNEL)
        house.guild.serve()
        house.guild.answers = True
    link = house.links.link(GUILD)
    assert link.channel_id == house.guild.present == OTHER
    await link.wait(LinkState.READY, timeout_s=5.0)
    await heard_from_the_beginning(house)


async def test_an_administrator_who_moves_the_bot_while_it_connects_is_followed(house: House) -> None:
    house.guild.answers = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.connect, CHANNEL)
        await house.until(lambda: house.guild.op4 == [CHANNEL])
        house.guild.place(CHANNEL)
        house.guild.place(OTHER)
        house.guild.serve()
    assert house.links.link(GUILD).channel_id == OTHER
    assert Moved(OTHER) in house.events
    await heard_from_the_beginning(house)
    assert house.guild.op4 == [CHANNEL]


async def test_a_leave_ends_the_wait_for_the_next_attempt(open_house: Any) -> None:
    async with open_house(policy=RetryPolicy(first_s=60.0)) as house:
        link = await house.connect()
        house.voice.issue = lambda *_: "a token that is not good"
        house.voice.issue(GUILD, CHANNEL, BOT, "void")
        house.voice.close(GUILD, BOT, 4004)
        await house.until(lambda: link.status().next_attempt_s is not None)
        with anyio.fail_after(1.0):
            await house.links.disconnect(GUILD)
        assert link.state is LinkState.CLOSED
        assert house.guild.present is None
        asked = list(house.guild.op4)
        await anyio.sleep(0.1)
        assert house.guild.op4 == asked
        assert house.guild.voice_client is None


async def test_a_connection_asked_for_during_that_wait_is_tried_at_once(open_house: Any) -> None:
    async with open_house(policy=RetryPolicy(first_s=60.0)) as house:
        link = await house.connect()
        issue = house.voice.issue
        house.voice.issue = lambda *_: "a token that is not good"
        house.voice.close(GUILD, BOT, 4004)
        await house.until(lambda: link.status().next_attempt_s is not None)
        house.voice.issue = issue
        with anyio.fail_after(3.0):
            assert await house.connect() is link
        await heard_from_the_beginning(house)


async def test_a_stop_during_that_wait_holds_when_the_connection_is_back(open_house: Any) -> None:
    async with open_house(policy=RetryPolicy(first_s=0.2, jitter=0.0)) as house:
        link = await house.connect()
        house.play()
        await house.listener.wait_frames(10, 5.0)
        issue = house.voice.issue
        house.voice.issue = lambda *_: "a token that is not good"
        house.voice.close(GUILD, BOT, 4004)
        await house.until(lambda: link.status().next_attempt_s is not None)
        house.voice.issue = issue
        house.clock.stream(GUILD).stop()
        await link.wait(LinkState.READY, timeout_s=5.0)
        heard = house.listener.heard
        await anyio.sleep(0.1)
        assert house.listener.heard == heard
        house.play(house.numbers(mark=1), "b")
        await house.listener.wait_frames(heard + 10, 5.0)
        assert house.heard(mark=1)[0] == 0


def timed_out(house: House) -> None:
    house.voice.close(GUILD, BOT, 4009)


def reset(house: House) -> None:
    house.voice.reset(GUILD, BOT)


def half_open(house: House) -> None:
    house.voice.session(GUILD, BOT).connection.silence()


def moved(house: House) -> None:
    house.guild.serve()


async def test_hours_of_idling_cost_nothing_and_then_it_plays(open_house: Any) -> None:
    """Time is shortened: a heartbeat takes 50 ms and not 5 s, and each fault of an idle night comes once."""
    settings = VoiceSettings(heartbeat_interval_ms=50.0, heartbeat_grace=40.0)
    async with open_house(settings=settings) as house:
        link = await house.connect()
        for inflict in (timed_out, reset, half_open, moved):
            await anyio.sleep(0.2)
            ready = house.events.count(Ready())
            inflict(house)
            await house.until(partial(lambda before: house.events.count(Ready()) > before, ready))
        assert link.status().identifies == 3
        assert link.status().failures == 0
        assert house.guild.op4 == [CHANNEL]
        await heard_from_the_beginning(house)


async def test_a_leave_during_a_connection_that_does_not_come_about_ends_it(house: House) -> None:
    house.guild.answers = False
    async with anyio.create_task_group() as tasks:

        async def connect() -> None:
            with pytest.raises(VoiceError):
                await house.connect(timeout_s=5.0)

        tasks.start_soon(connect)
        await house.until(lambda: house.guild.op4 == [CHANNEL])
        link = house.links.link(GUILD)
        link.close(1000, "left on purpose")
        await house.until(lambda: link.state is LinkState.CLOSED)
    assert house.guild.voice_client is None
