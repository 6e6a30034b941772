"""Members of a DAVE call who also speak, note what they are told, and can be told something else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from loopback.dave.participant import Participant

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.dave.call import Call
    from loopback.voice.protocol import Op

CHANNEL = 2**63 + 17
ALICE, BOB, CAROL, DAN = 1, 2**40, 3, 4
OPUS = b"\xfc" + bytes(range(60))


class Friend(Participant):
    """A participant who also speaks, notes what it is told, and can be told something else."""

    def __init__(self, call: Call, user_id: int, *, supports: bool = True) -> None:
        super().__init__(user_id, call, supports=supports)
        self.told: list[tuple[Op, Any]] = []
        self.tampers: dict[Op, bytes] = {}
        self.join()

    def tell(self, op: Op, data: dict[str, Any] | bytes) -> None:
        self.told.append((op, data))
        tamper = self.tampers.pop(op, None)
        if tamper is not None and isinstance(data, bytes):
            data = data[: -len(tamper)] + tamper
        super().tell(op, data)

    def ops(self, op: Op) -> list[Any]:
        return [data for told, data in self.told if told is op]

    def say(self) -> bytes:
        assert self._session is not None
        return self._session.encrypt_opus(OPUS)

    def hears(self, other: Any) -> bool:
        opened = self.open(other.user_id, other.say())
        return opened.opus == OPUS and opened.encrypted


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not fact():  # noqa: ASYNC110 - any fact, whoever brings it about
            await asyncio.sleep(0)
