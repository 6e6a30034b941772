"""The bot as a process that tells what it holds: `python -m tests.soak.playback.bot FACTOR LEAK`.

FACTOR: how fast its clocks run; LEAK: MiB that it is made to lose in an hour. A line of JSON each minute of
its clock goes to standard output, its log to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Final

from tests.soak.playback.haste import hasten

EVERY_S: Final = 60.0


def main(factor: float, leak: float) -> int:
    """Run until stopped."""
    import anyio

    import actors.app
    from actors.logs import open_logs
    from actors.settings import load_settings
    from actors.sweeping import quiet_start
    from actors.voice import alarm

    settings = load_settings()
    if factor != 1:
        alarm._create = lambda: None  # the kernel's timer cannot be hastened
        setattr(actors.app, "Media", patient(factor))  # noqa: B010 - not the class itself

    async def run() -> int:
        async with anyio.create_task_group() as beside:
            beside.start_soon(tell, leak)
            with quiet_start() as collector:
                code = await actors.app.run(settings, collector)
            beside.cancel_scope.cancel()
        return code

    with open_logs(settings):
        return anyio.run(run)


def patient(factor: float) -> object:
    """The media service with deadlines in real time, as its workers know no other."""
    from dataclasses import fields, replace
    from functools import partial

    from actors.media import Media
    from actors.media.limits import Limits

    limits = Limits()
    stretched = {
        one.name: getattr(limits, one.name) * factor for one in fields(Limits) if one.name in _PATIENCE
    }
    return partial(Media, limits=replace(limits, **stretched))


_PATIENCE: Final = ("resolve_s", "open_s", "stall_s", "cancel_s")


async def tell(leak: float) -> None:
    """One sample a minute, for ever; and lose what is to be lost."""
    import asyncio
    import time

    import anyio

    from tests.soak.playback.samples import look

    began, lost = time.monotonic(), []
    while True:
        hours = (time.monotonic() - began) / 3600
        tasks = len(asyncio.all_tasks()) - 1  # this one
        print(json.dumps(asdict(look(hours, tasks))), flush=True)
        lost.append(os.urandom(int(leak * 2**20 * EVERY_S / 3600)))
        await anyio.sleep(began + len(lost) * EVERY_S - time.monotonic())


if __name__ == "__main__":
    hasten(float(sys.argv[1]))
    sys.exit(main(float(sys.argv[1]), float(sys.argv[2])))
