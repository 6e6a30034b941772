"""The link against the voice server: join, play, faults of the websocket, words of the main gateway."""

from __future__ import annotations

from typing import Any

import pytest

from actors.voice import Closed, LinkState, Lost, Ready

House = Any  # conftest.py's, which cannot be imported

pytestmark = pytest.mark.anyio


async def test_what_is_played_is_heard(house: House) -> None:
    link = await house.connect()
    house.play()
    frames = await house.listener.wait_frames(40, 5.0)
    assert link.state is LinkState.READY
    assert house.events == [Ready()]
    assert all(frame.opus is not None for frame in frames)
