"""The bot's standing in a guild: what is an answer of the main gateway, and what is a surprise."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors.voice.causes import Fault
from actors.voice.errors import VoiceError
from actors.voice.standing import Standing
from actors.voice.turns import AllTurns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskStatus

pytestmark = pytest.mark.anyio

CHANNEL = 200


@pytest.fixture
def standing(house: Any) -> Standing:
    """In a channel of a guild whose gateway answers nothing."""
    house.guild.channel(CHANNEL)
    house.guild.answers = False
    made = Standing(house.client, house.guild.id, CHANNEL, AllTurns())
    made.take_state(CHANNEL, "session")
    return made


async def test_a_leave_that_is_confirmed_late_is_no_kick(standing: Standing) -> None:
    kicks: list[str] = []
    standing.on_kicked = lambda: kicks.append("kick")
    assert not await standing.leave(timeout_s=0.01)
    standing.take_state(None, "session")
    assert kicks == [], "the late answer"
    standing.take_state(CHANNEL, "session")
    standing.take_state(None, "session")
    assert kicks == ["kick"], "it has come already"


async def test_a_leave_that_is_confirmed_leaves_nothing_to_come(standing: Standing, house: Any) -> None:
    kicks: list[str] = []
    standing.on_kicked = lambda: kicks.append("kick")
    house.guild.answers = True
    house.guild.voice_client = _Telling(standing)
    house.guild.place(CHANNEL)
    assert await standing.leave()
    standing.take_state(CHANNEL, "session")
    standing.take_state(None, "session")
    assert kicks == ["kick"]
    house.guild.voice_client = None


@pytest.mark.parametrize("request_of", ["refresh", "affirm", "move"])
async def test_a_kick_that_crosses_a_request_is_no_answer_to_it_and_undoes_it(
    standing: Standing, house: Any, request_of: str
) -> None:
    async def ask(*, task_status: TaskStatus[anyio.CancelScope]) -> None:
        with anyio.CancelScope() as scope, suppress(VoiceError):
            task_status.started(scope)
            await _requests(standing)[request_of]()

    kicks: list[str] = []
    async with anyio.create_task_group() as tasks:
        scope = await tasks.start(ask)

        def kicked() -> None:
            kicks.append("kick")
            scope.cancel()  # as a link does

        standing.on_kicked = kicked
        await house.until(lambda: house.guild.op4)
        standing.take_state(None, "session")
    assert kicks == ["kick"]
    assert house.guild.op4 == [CHANNEL + (request_of == "move"), None]


@pytest.mark.parametrize("request_of", ["refresh", "affirm", "move"])
async def test_a_kick_withdraws_a_request_that_waits_for_its_turn(
    standing: Standing, house: Any, monkeypatch: pytest.MonkeyPatch, request_of: str
) -> None:
    async def turn(_rank: object, _turns: int = 1) -> None:
        standing.take_state(None, "session")

    monkeypatch.setattr(standing._turns.sends(0), "take", turn)
    with suppress(VoiceError):
        await _requests(standing)[request_of]()
    assert house.guild.op4 == []


@pytest.mark.parametrize(
    ("permission", "fault"), [("connect", Fault.PERMISSION_LOST), (None, Fault.CHANNEL_DELETED)]
)
async def test_what_makes_a_request_useless_is_known_before(
    standing: Standing, house: Any, monkeypatch: pytest.MonkeyPatch, permission: str | None, fault: Fault
) -> None:
    if permission is None:
        monkeypatch.setattr(house.guild, "get_channel", lambda _id: None)
    else:
        house.guild.channel(CHANNEL).allowed[permission] = False
    with pytest.raises(VoiceError) as refused:
        await standing.refresh()
    assert refused.value.fault is fault
    assert house.guild.op4 == [], "neither asked again, nor left"


def _requests(standing: Standing) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "refresh": standing.refresh,
        "affirm": standing.affirm,
        "move": lambda: standing.move(CHANNEL + 1, 5.0),
    }


class _Telling:
    """Stands in for the registered protocol."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    async def on_voice_state_update(self, data: dict[str, Any]) -> None:
        channel = data["channel_id"]
        self._standing.take_state(channel and int(channel), data["session_id"])
