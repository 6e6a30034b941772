"""Before the chaos: the player comes to Discord, and music into every guild; or why that does not happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from loopback.waiting import NotSeen

if TYPE_CHECKING:
    from loopback.chaos.bot import BotProcess
    from loopback.chaos.guest import Guest
    from loopback.chaos.scene import Scene

READY_S: Final = 60.0
HEARD_S: Final = 60.0
FIRST_FRAMES: Final = 50
FIRST_TRACKS: Final = 3
LOOK_S: Final = 0.1
NAMED: Final = 3
"""Silent guilds that are told by their names."""


async def begin(scene: Scene, bot: BotProcess) -> str:
    """Have music asked for everywhere; why it is not heard everywhere, empty if it is."""
    why = ""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_ended, bot, tasks.cancel_scope)
        why = await _until_ready(scene)
        if not why:
            async with anyio.create_task_group() as asking:
                for seat in scene.seats:
                    if seat.guest is not None:
                        asking.start_soon(_ask, seat.guest)
            why = await all_heard(scene)
        tasks.cancel_scope.cancel()
    return why if bot.ended is None else f"the process has ended by itself, status {bot.ended}"


async def all_heard(scene: Scene) -> str:
    """Wait until there is music in every guild; where there is none in time, empty if there is."""
    with anyio.move_on_after(HEARD_S):
        for seat in scene.seats:
            await seat.guild.listener.wait_frames(FIRST_FRAMES, 2 * HEARD_S)
    silent = [seat.guild.name for seat in scene.seats if seat.guild.listener.heard < FIRST_FRAMES]
    if not silent:
        return ""
    others = f" and {len(silent) - NAMED} others" if len(silent) > NAMED else ""
    return f"no music within {HEARD_S:g} s in {', '.join(silent[:NAMED])}{others}"


async def _until_ready(scene: Scene) -> str:
    """The bot is there, and its commands; why not, if not."""
    first = scene.seats[0]
    try:
        await scene.discord.wait_bot(READY_S)
        await first.user.wait_command(first.text, "play", READY_S)
    except NotSeen as error:
        return f"the bot did not get ready: {error}"
    return ""


async def _ask(guest: Guest) -> None:
    for _ in range(FIRST_TRACKS):
        await guest.play()


async def _until_ended(bot: BotProcess, waiting: anyio.CancelScope) -> None:
    """Nothing need be waited for any longer when the process has ended."""
    while bot.ended is None:  # noqa: ASYNC110 - a fact of another process
        await anyio.sleep(LOOK_S)
    waiting.cancel()
