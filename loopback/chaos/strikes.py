"""How chaos does what the table of kinds names: each returns when it was put right."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import anyio

from loopback.chaos.asking import NotAskedError, converse

if TYPE_CHECKING:
    from random import Random

    from loopback.chaos.bot import BotProcess
    from loopback.chaos.ledger import Entry
    from loopback.chaos.scene import Scene, Seat

ACTORS: Final = ("connection", "player", "preloader", "display", "persistence")
ROOMS: Final = (
    "discord", "steward", "store", "positions", "media", "voice/links", "voice/clock", "alerts", "telemetry",
)  # fmt: skip
LONGEST_S: Final = 2.0
"""That an actor hangs, is slow, or is flooded."""
DELAY_S: Final = 0.05
LASTS_S: Final = 3.0
"""A disturbance that neither ends by itself nor has a length of its own."""
LOST_SERVER_S: Final = 10.0
KICKED_S: Final = (1.5, 4.0)
TOLD_S: Final = 0.5
"""The bot has heard of it by then, and remembers it if it is killed."""
WORD_MS: Final = (300.0, 100.0)
"""By how much a late main gateway is late, give or take."""
STEPS_S: Final = (3600.0, -3600.0, 86400.0 * 40, -30.0, 45.0)
FULL_S: Final = 4.0
AWAY_S: Final = 1.0
BACK_S: Final = 20.0
LOOK_S: Final = 0.01
DOWN_S: Final = 0.8
NOBODY: Final = "the bot is in no channel, or not there to be told"

# --- voice ---


async def move(_scene: Scene, seat: Seat, _dice: Random, entry: Entry) -> None:
    """An administrator moves the bot into the other channel, and whoever listens follows."""
    place = seat.guild.voice_of(seat.discord.bot)
    if place is None or not seat.discord.sessions:
        entry.refused = NOBODY
        return
    to = next(one for one in seat.voices if one.id != place.channel_id)
    seat.faults.place.move(to)
    await seat.user.join(to)


async def lose_server(_scene: Scene, seat: Seat, _dice: Random, entry: Entry) -> None:
    """The present voice server is cut off; the others work."""
    server = seat.discord.voice.server_of(seat.guild.id, seat.discord.bot.id)
    if server is None:
        entry.refused = "the bot has no voice server"
        return
    with seat.faults.udp.hole(server=server):
        await anyio.sleep(LOST_SERVER_S)


async def lose_packets(_scene: Scene, seat: Seat, dice: Random, _entry: Entry) -> None:
    """One in twenty."""
    with seat.faults.udp.loss(0.05, seed=dice.randrange(10**6)):
        await anyio.sleep(LASTS_S)


async def delay_packets(_scene: Scene, seat: Seat, dice: Random, _entry: Entry) -> None:
    """They overtake each other."""
    with seat.faults.udp.delay(60, 20, seed=dice.randrange(10**6)):
        await anyio.sleep(LASTS_S)


async def kick(scene: Scene, seat: Seat, dice: Random, entry: Entry) -> None:
    """Put out of the channel: the bot stays away until somebody asks it to come back.

    A process that ends before it was told cannot know: to its successor it is as if its place had expired.
    Nor can one that has just begun, and finds what its predecessor left.
    """
    if seat.guest is None:
        entry.refused = "nobody is there to ask for it"
        return
    async with seat.guest.turn:
        if seat.guild.voice_of(seat.discord.bot) is None or not seat.discord.sessions or not _speaks(seat):
            entry.refused = NOBODY
            return
        entry.start_ns, pid = time.time_ns(), scene.player.pid
        seat.faults.place.kick()
        await anyio.sleep(TOLD_S)
        seat.banned_ns = entry.start_ns if scene.player.pid == pid else None
        await anyio.sleep(dice.uniform(*KICKED_S) - TOLD_S)
        seat.banned_ns = None
        await seat.guest.come_back(entry)


def _speaks(seat: Seat) -> bool:
    """Whether it is the bot's present process that is in voice there."""
    session = seat.discord.voice.session(seat.guild.id, seat.discord.bot.id)
    return session is not None and session.connection is not None


# --- gateway and REST ---


async def gateway_back(scene: Scene) -> None:
    """Until the bot has its main gateway again; discord.py lets 5 s pass before it begins a new session."""
    with anyio.move_on_after(AWAY_S):
        while scene.discord.sessions:  # noqa: ASYNC110 - it may be gone and back between two waits for a fact
            await anyio.sleep(LOOK_S)
    with anyio.move_on_after(BACK_S):
        while not scene.discord.sessions:  # noqa: ASYNC110 - the same
            await anyio.sleep(LOOK_S)


async def gateway_late(scene: Scene, _seat: Seat, dice: Random, _entry: Entry) -> None:
    """Everything that the main gateway says comes late."""
    with scene.discord.faults.gateway.latency(*WORD_MS, seed=dice.randrange(10**6)):
        await anyio.sleep(LASTS_S)


async def rest_limited(scene: Scene, _seat: Seat, _dice: Random, _entry: Entry) -> None:
    """The global limit is said to be reached."""
    with scene.discord.faults.rest.rate_limit(retry_after_s=1.0, times=3, everywhere=True):
        await anyio.sleep(LASTS_S)


async def rest_failed(scene: Scene, _seat: Seat, _dice: Random, _entry: Entry) -> None:
    """Nothing but 502."""
    with scene.discord.faults.rest.fail(502):
        await anyio.sleep(LASTS_S)


async def rest_late(scene: Scene, _seat: Seat, _dice: Random, _entry: Entry) -> None:
    """Every answer takes more than a second."""
    with scene.discord.faults.rest.latency(1200):
        await anyio.sleep(LASTS_S)


# --- actors ---


async def disturb(fault: str, scene: Scene, seat: Seat, dice: Random, entry: Entry) -> None:
    """What a monkey can do to an actor of the guild."""
    path = f"guilds/{seat.guild.id}/{dice.choice(ACTORS)}"
    seconds = dice.uniform(0.1, LONGEST_S) if fault in {"hang", "slow", "flood"} else 0.0
    amount = {"slow": dice.uniform(0.005, DELAY_S), "fail_start": float(dice.randint(1, 2))}.get(fault, 0.0)
    await _deed(scene, entry, fault, path, seconds, amount)


async def kill_supervisor(scene: Scene, seat: Seat, _dice: Random, entry: Entry) -> None:
    """The guild's tree ends and comes again."""
    await _deed(scene, entry, "kill", f"guilds/{seat.guild.id}")


async def kill_room(scene: Scene, _seat: Seat, dice: Random, entry: Entry) -> None:
    """One of those that all guilds share."""
    await _deed(scene, entry, "kill", dice.choice(ROOMS))


async def _deed(
    scene: Scene, entry: Entry, fault: str, path: str, seconds: float = 0.0, amount: float = 0.0
) -> None:
    """Ask the bot's own monkey, who tells when it was done; until it is over."""
    entry.path = path
    entry.refused = "the bot did not come to it"
    deed = {"step": entry.number, "fault": fault, "path": path, "seconds": seconds, "amount": amount}
    try:
        async for answer in converse(_bot(scene).socket, "chaos", deeds=[deed]):
            if "deed" in answer:
                entry.start_ns = time.time_ns()
                entry.refused = answer["deed"]["refused"]
    except NotAskedError as error:  # which may be after the deed: a process is killed at any time
        entry.refused = entry.refused and str(error)


# --- media ---


async def ask_for_trouble(trouble: str, _scene: Scene, seat: Seat, _dice: Random, entry: Entry) -> None:
    """A track whose server misbehaves joins the queue."""
    if seat.guest is None:
        entry.refused = "nobody is there to ask for it"
        return
    async with seat.guest.turn:
        entry.start_ns = time.time_ns()
        await seat.guest.play(trouble)


async def media_busy(scene: Scene, _seat: Seat, _dice: Random, _entry: Entry) -> None:
    """The media server answers 503 to everybody."""
    if scene.music is not None:
        scene.music.outage = True
        await anyio.sleep(LASTS_S)
        scene.music.outage = False


# --- process and machine ---


async def kill_workers(scene: Scene, _seat: Seat, _dice: Random, entry: Entry) -> None:
    """SIGKILL to all processes below the bot's."""
    entry.path = f"{_bot(scene).kill_workers()} processes"


async def disk_full(scene: Scene, _seat: Seat, _dice: Random, _entry: Entry) -> None:
    """No file grows any more."""
    _bot(scene).fill_disk()
    await anyio.sleep(FULL_S)
    _bot(scene).empty_disk()


async def step_clock(scene: Scene, _seat: Seat, dice: Random, entry: Entry) -> None:
    """The wall clock jumps, and stays there until its next jump or the next process."""
    seconds = dice.choice(STEPS_S)
    entry.path = f"{seconds:+.0f} s"
    _bot(scene).step_clock(seconds)


async def sigkill(scene: Scene, _seat: Seat, dice: Random, entry: Entry) -> None:
    """The process is killed, and started again."""
    await scene.player.kill()
    await anyio.sleep(dice.uniform(0.0, DOWN_S))
    await scene.player.start()
    entry.path = f"life {scene.player.life}"


async def sigkill_on_full_disk(scene: Scene, _seat: Seat, dice: Random, entry: Entry) -> None:
    """The process is killed, and comes to a disk that takes nothing for a while."""
    bot = _bot(scene)
    await bot.kill()
    await anyio.sleep(dice.uniform(0.0, DOWN_S))
    await bot.start(full_s=FULL_S)
    entry.path = f"life {bot.life}"


def _bot(scene: Scene) -> BotProcess:
    if scene.bot is None:
        raise TypeError("that can be done to this project's bot only")
    return scene.bot
