"""The measures, each of which yields its figures on one event loop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.bench.kernel import figures, floors, isolated, memory, pauses, queues, rivals, subject
from tests.bench.kernel.figures import BASELINES, Figure
from tests.bench.kernel.loops import Seat, run_on, seated
from tests.bench.kernel.peers import BURST, asks, in_bursts, one_by_one
from tests.bench.kernel.restarts import open_restarts
from tests.bench.kernel.rounds import Variant, ratio, take_turns
from tests.bench.kernel.spawning import spawn_variants

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tests.bench.kernel.peers import Peer
    from tests.bench.kernel.rounds import Samples

    Tick = Callable[[], None]
    Measure = Callable[[str, "Sizes", Tick], list[Figure]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done.

    :ivar rounds: how often the variants take turns
    :ivar bursts: bursts of messages a sample; the other counts are operations a sample
    :ivar idle: actors whose memory is measured (threads: a tenth)
    :ivar tree: actors of the large tree
    :ivar trees: how often that is started and stopped
    :ivar fresh: memory and pauses in processes of their own
    """

    rounds: int = 101
    bursts: int = 16
    lone: int = 40
    asks: int = 40
    spawns: int = 40
    restarts: int = 6
    idle: int = 5_000
    tree: int = 10_000
    trees: int = 3
    fresh: bool = True


#: A few of everything, to see that it works.
TINY: Final = Sizes(
    rounds=2, bursts=1, lone=2, asks=2, spawns=2, restarts=2, idle=8, tree=8, trees=1, fresh=False
)

PEERS: Final = {
    figures.TELL: (floors.open_floors, subject.open_mailboxes, queues.open_queues, rivals.open_rivals),
    figures.ASK: (floors.open_desks, subject.open_askable, queues.open_answering_queues, rivals.open_rivals),
}


def steps(measure: str, sizes: Sizes) -> int:
    """How often the measure ticks."""
    if measure == figures.MEMORY:
        return 1
    return sizes.trees if measure == figures.PAUSE else sizes.rounds


def run_measure(measure: str, loop: str, sizes: Sizes, tick: Tick) -> list[Figure]:
    """The figures of one measure on one loop."""
    return _MEASURES[measure](loop, sizes, tick)


def _in_turns(
    measure: str,
    opener: Callable[[Seat, Sizes], Awaitable[list[Variant]]],
    loop: str,
    sizes: Sizes,
    tick: Tick,
) -> list[Figure]:
    async def turns(seat: Seat) -> Samples:
        return await take_turns(await opener(seat, sizes), sizes.rounds, tick)

    samples = run_on(loop, partial(seated, loop, turns))
    base = samples[BASELINES[measure]]
    return [
        Figure(measure, loop, name, median(values) * 1e6, ratio(values, base))
        for name, values in samples.items()
    ]


async def _bursts(seat: Seat, sizes: Sizes) -> list[Variant]:
    peers = await _peers(figures.TELL, seat)
    return [Variant(p.name, partial(in_bursts, p), BURST * _part(p, sizes.bursts)) for p in peers]


async def _lone(seat: Seat, sizes: Sizes) -> list[Variant]:
    peers = [peer for peer in await _peers(figures.TELL, seat) if peer.settle is None]
    return [Variant(p.name, partial(one_by_one, p), _part(p, sizes.lone)) for p in peers]


async def _asks(seat: Seat, sizes: Sizes) -> list[Variant]:
    peers = await _peers(figures.ASK, seat)
    return [Variant(p.name, partial(asks, p), _part(p, sizes.asks)) for p in peers]


async def _spawns(seat: Seat, sizes: Sizes) -> list[Variant]:
    return spawn_variants(seat.loop, sizes.spawns)


async def _restarts(seat: Seat, sizes: Sizes) -> list[Variant]:
    return await open_restarts(seat, sizes.restarts)


async def _peers(measure: str, seat: Seat) -> list[Peer]:
    return [peer for opener in PEERS[measure] for peer in await opener(seat)]


def _part(peer: Peer, count: int) -> int:
    return max(1, round(peer.share * count))


def _memory(loop: str, sizes: Sizes, tick: Tick) -> list[Figure]:
    measure = isolated.fresh_bytes if sizes.fresh else memory.measure_bytes
    found = []
    for way in memory.ways_to_fill(loop):
        count = max(1, sizes.idle // (10 if way == "pykka" else 1))
        found.append(Figure(figures.MEMORY, loop, way, measure(loop, way, count)))
    tick()
    return found


def _pauses(loop: str, sizes: Sizes, tick: Tick) -> list[Figure]:
    measure = isolated.fresh_pauses if sizes.fresh else pauses.measure_pauses
    runs = []
    for _ in range(sizes.trees):
        runs.append(dict(measure(loop, sizes.tree, tuned=True)))
        if loop == "asyncio":
            runs[-1] |= measure(loop, sizes.tree, tuned=False)
        tick()
    return [Figure(figures.PAUSE, loop, row, median(run[row] for run in runs) * 1e3) for row in runs[0]]


_MEASURES: Final[Mapping[str, Measure]] = {
    figures.TELL: partial(_in_turns, figures.TELL, _bursts),
    figures.LONE: partial(_in_turns, figures.LONE, _lone),
    figures.ASK: partial(_in_turns, figures.ASK, _asks),
    figures.SPAWN: partial(_in_turns, figures.SPAWN, _spawns),
    figures.RESTART: partial(_in_turns, figures.RESTART, _restarts),
    figures.MEMORY: _memory,
    figures.PAUSE: _pauses,
}
