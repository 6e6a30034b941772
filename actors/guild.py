"""The tree of one guild: five actors that share nothing, started on the first command of the guild."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from supervision import (
    ChildExists,
    ChildNotFound,
    ChildSpec,
    Intensity,
    MailboxSpec,
    Overflow,
    Strategy,
    SupervisorSpec,
)

from .connection import Connection
from .display import Display
from .envelope import NewerStateError, UnreadableError, decode
from .persistence import Persistence
from .player import Player
from .preloader import Preloader

if TYPE_CHECKING:
    from supervision import System

    from .discord_port import Port
    from .positions import Positions
    from .queue import QueueLimits
    from .recovery import Watch
    from .shelf import Shelf
    from .startup import Startup
    from .store import Store
    from .voice import Clock, Links

ACTORS = ("persistence", "connection", "preloader", "player", "display")
"""The five, in start order."""

GUILDS = "guilds"
"""The dynamic supervisor of all guild trees."""

INTENSITY = Intensity(restarts=8, period_s=10.0)
"""Five children share it; beyond, the whole guild is started anew, and its music still plays on."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """The process-wide rooms that a guild's actors are given; none of them is an actor's state."""

    store: Store
    positions: Positions
    shelf: Shelf
    clock: Clock
    links: Links
    port: Port
    watch: Watch
    startup: Startup
    limits: QueueLimits


def guild_spec(guild_id: int, rooms: Rooms) -> SupervisorSpec:
    """Persistence first, for the others load from it; display last, for it shows what the others do."""
    stream = lambda: rooms.clock.stream(guild_id)  # noqa: E731 - made anew for every incarnation
    connection = lambda: Connection(guild_id, rooms.links, rooms.port, rooms.watch)  # noqa: E731
    player = lambda: Player(guild_id, stream, rooms.limits, rooms.startup)  # noqa: E731
    display = lambda: Display(guild_id, rooms.port, lambda: rooms.clock.playing)  # noqa: E731
    news = MailboxSpec(capacity=32, overflow=Overflow.DROP_OLDEST)  # only the latest view counts
    many = MailboxSpec(capacity=256)
    return SupervisorSpec(
        children=(
            ChildSpec("persistence", lambda: Persistence(guild_id, rooms.store, rooms.positions)),
            ChildSpec("connection", connection, mailbox=many),
            ChildSpec("preloader", lambda: Preloader(guild_id, rooms.shelf)),
            ChildSpec("player", player, mailbox=many, start_timeout_s=15.0),
            ChildSpec("display", display, mailbox=news, start_timeout_s=15.0),
        ),
        strategy=Strategy.ONE_FOR_ONE,
        intensity=INTENSITY,
    )


def path_of(guild_id: int, actor: str) -> str:
    """The path of one of the five."""
    return f"{GUILDS}/{guild_id}/{actor}"


async def ensure_guild(system: System, guild_id: int, rooms: Rooms) -> None:
    """The guild's tree runs when this returns; one that runs already is left alone."""
    try:
        await system.start_child(GUILDS, ChildSpec(str(guild_id), guild_spec(guild_id, rooms)))
    except ChildExists:
        return


async def guilds_to_restore(store: Store) -> list[int]:
    """The guilds whose bot was in a voice channel when the process ended, those with music first.

    A row that cannot be read is none of this function's business: the guild's own tree sets it aside.

    :raises StoreError: the disk does not say now
    """
    try:
        blobs, playing = await store.blobs("connection"), await store.current_entries()
    except NewerStateError:  # which ends the bot, with a line of its own
        return []
    wanted = [guild_id for guild_id, blob in blobs.items() if _in_voice(blob)]
    return sorted(wanted, key=lambda guild_id: guild_id not in playing)


def _in_voice(blob: bytes) -> bool:
    try:
        return decode("connection", blob).get("channel_id") is not None
    except UnreadableError:
        return True


async def forget_guild(system: System, guild_id: int, rooms: Rooms) -> None:
    """The bot is no longer a member: end tree, link, stream and spools. What is saved stays."""
    try:
        await system.terminate_child(GUILDS, str(guild_id))
    except ChildNotFound:
        pass
    await rooms.links.disconnect(guild_id)
    rooms.watch.means(guild_id, there=False)
    rooms.clock.drop(guild_id)
    rooms.positions.forget(guild_id)
    await rooms.shelf.forget(guild_id)
