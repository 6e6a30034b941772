"""The table of everything that chaos does: how, how often, and what it may cost.

Costs of the voice link and the main gateway are those of the table of single faults
(:mod:`loopback.faults.rows`); the others follow the same promises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio

from loopback.chaos import shut_out, strikes
from loopback.chaos.ledger import Cost
from loopback.chaos.music import TROUBLES
from loopback.faults.rows import GATEWAY_ROWS, GUILD_ROWS, HOLE_S, Row, Victim
from loopback.music.numbered import FRAMES_PER_S

if TYPE_CHECKING:
    from random import Random

    from loopback.chaos.ledger import Entry
    from loopback.chaos.scene import Scene, Seat

Strike: TypeAlias = Callable[["Scene", "Seat", "Random", "Entry"], Awaitable[None]]
"""Does it, and returns when it was put right. The entry may be told details, or why it was refused."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row.

    :ivar weight: how often, relative to others of its scope
    :ivar all: whether it meets every guild
    :ivar rival: whether it can meet any player, and not only this bot
    """

    name: str
    cost: Cost
    strike: Strike
    weight: int = 2
    all: bool = False
    rival: bool = False


# --- of the voice link and the main gateway ---

_SETTLE_S: Final = {"half-open websocket": 30.0, "4014 bare": 5.0, "4006, two identifies refused": 8.0}
_WORDS: Final = {
    "4014 with a new server": 1,
    "4022 with a new server": 1,
    "4014 bare": 1,
    "4006, two identifies refused": 2,
}
"""Where the bot has to be told a server before it can go on; to leave and to join again are two words."""
_HOLES: Final = ("UDP hole 5 s, outbound", "UDP hole 5 s, both ways", "UDP hole 5 s, inbound")
_FORCED: Final = _HOLES[:2]
_PAUSES_MS: Final = {"4006, two identifies refused": 2600.0}
_DEAF: Final = "half-open websocket"
_ENDS: Final = (
    "4006",
    "4009",
    "4006, two identifies refused",
    "4014 bare",
    "4014 with a new server",
    "4022 with a new server",
)
_ELSEWHERE: Final = (
    "any actor killed",
    "guild supervisor killed",
    "moved to another channel",
    "UDP hole for ever",
    "nothing",
)
"""Rows that chaos does in its own way, or not at all."""


def _row(row: Row, *, everywhere: bool = False) -> Kind:
    group = "gateway" if everywhere else "voice"
    cost = Cost(
        group,
        row.gap_ms - (HOLE_S * 1000 if row.name in _FORCED else 0),
        forced=row.name in _FORCED,
        settle_s=_SETTLE_S.get(row.name, 3.0),
        lost=row.lost,
        repeated=row.repeated,
        retries=True,
        words=_WORDS.get(row.name, 0),
        away=everywhere,
        pause_ms=_PAUSES_MS.get(row.name, 0.0),
        deaf=row.name == _DEAF,
        ends=row.name in _ENDS,
    )

    async def strike(scene: Scene, seat: Seat, _dice: Random, entry: Entry) -> None:
        if row.listened and seat.guild.voice_of(seat.discord.bot) is None:
            entry.refused = strikes.NOBODY
            return
        await row.inflict(Victim(scene.discord, seat.guild, _no_kill))
        if row.name in _HOLES:
            await anyio.sleep(HOLE_S)
        if everywhere:
            await strikes.gateway_back(scene)

    weight = 1 if everywhere or row.name in _HOLES else 2
    return Kind(row.name, cost, strike, weight, all=everywhere, rival=not row.ours)


async def _no_kill(_part: str) -> None:
    raise NotImplementedError("no row that chaos takes over kills anybody")


_SHUT_OUT: Final = Cost("place", 1500, forced=True, settle_s=5.0, lost=25, repeated=50, retries=True, words=1)
"""Nothing is heard until somebody calls the bot back; then it needs the time of a join."""
_MUTED: Final = round(shut_out.MUTED_S * FRAMES_PER_S) + 25
"""Music goes on leaving for nobody, and so do the first frames after the right is back."""
_NO_CONNECT: Final = round(shut_out.AWAY_S[1] * FRAMES_PER_S) + 25
"""The same, where the bot has another session before it learns that it may not: who may not connect may not
speak either.
"""

_VOICE: Final = (
    *(_row(row) for row in GUILD_ROWS if row.name not in _ELSEWHERE),
    Kind(
        "moved to another channel",
        Cost("voice", 150, repeated=50, retries=True, words=1),
        strikes.move,
        rival=True,
    ),
    Kind(
        "UDP hole for ever",
        Cost("voice", 6000, settle_s=4.0, repeated=50, retries=True, words=2),
        strikes.lose_server,
        weight=1,
        rival=True,
    ),
    Kind("UDP loss 5 %", Cost("voice", 200, lost=40, eats=True), strikes.lose_packets, rival=True),
    Kind("UDP delay 60 ± 20 ms", Cost("voice", 150), strikes.delay_packets, rival=True),
    Kind("kicked, and asked back", _SHUT_OUT, strikes.kick, weight=1),
    Kind("channel deleted", _SHUT_OUT, shut_out.delete_channel, weight=1),
    Kind(
        "permission to connect lost",
        replace(_SHUT_OUT, bound_ms=2500, lost=_NO_CONNECT),
        shut_out.lose_connect,
        weight=1,
    ),
    Kind("permission to speak lost", replace(_SHUT_OUT, lost=_MUTED), shut_out.lose_speak, weight=1),
)
_GATEWAY: Final = (
    *(_row(row, everywhere=True) for row in GATEWAY_ROWS),
    Kind(
        "main gateway late",
        Cost("gateway", 60, word_ms=sum(strikes.WORD_MS)),
        strikes.gateway_late,
        all=True,
        rival=True,
        weight=1,
    ),
    Kind("REST 429 everywhere", Cost("rest", 60), strikes.rest_limited, all=True, rival=True, weight=1),
    Kind("REST 502", Cost("rest", 60), strikes.rest_failed, all=True, rival=True, weight=1),
    Kind("REST late", Cost("rest", 60), strikes.rest_late, all=True, rival=True, weight=1),
)

# --- of actors ---

_ACTOR: Final = Cost("actors", 40)
_ACTORS: Final = (
    Kind("actor killed", _ACTOR, partial(strikes.disturb, "kill"), weight=6),
    Kind("actor cancelled natively", _ACTOR, partial(strikes.disturb, "cancel"), weight=3),
    Kind("actor hangs", _ACTOR, partial(strikes.disturb, "hang"), weight=3),
    Kind("actor slow", _ACTOR, partial(strikes.disturb, "slow"), weight=2),
    Kind("mailbox flooded", _ACTOR, partial(strikes.disturb, "flood"), weight=2),
    Kind("starts fail", _ACTOR, partial(strikes.disturb, "fail_start"), weight=2),
    Kind(
        "guild supervisor killed",
        Cost("actors", 150, repeated=50, forgets=True),
        strikes.kill_supervisor,
        weight=4,
    ),
)

# --- of media, processes and the machine ---

_MEDIA: Final = tuple(
    Kind(f"media: {name}", Cost("media", 60, settle_s=5.0), partial(strikes.ask_for_trouble, name), weight=1)
    for name in TROUBLES
)
_KILLED: Final = Cost(
    "process", 5000, forced=True, settle_s=12.0, lost=10, repeated=50, retries=True, kills=True
)
_PROCESS: Final = (
    Kind("room killed", Cost("actors", 150, repeated=50), strikes.kill_room, weight=4, all=True),
    Kind("media server busy", Cost("media", 60), strikes.media_busy, weight=1, all=True),
    Kind("media workers killed", Cost("process", 60), strikes.kill_workers, weight=2, all=True),
    Kind("disk full", Cost("machine", 60, unwritten_s=strikes.FULL_S), strikes.disk_full, all=True),
    Kind("wall clock stepped", Cost("machine", 60), strikes.step_clock, weight=2, all=True),
    Kind("SIGKILL and restart", _KILLED, strikes.sigkill, weight=3, all=True, rival=True),
    Kind(
        "SIGKILL and start on a full disk",
        replace(_KILLED, unwritten_s=strikes.FULL_S),
        strikes.sigkill_on_full_disk,
        all=True,
    ),
)

KINDS: Final = (*_VOICE, *_ACTORS, *_MEDIA, *_GATEWAY, *_PROCESS)
BY_NAME: Final = {kind.name: kind for kind in KINDS}
