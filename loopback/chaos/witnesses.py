"""Three who must agree on every restart: the bot's events, its metrics and its log."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp
import anyio

from loopback.chaos.asking import NotAskedError, converse
from loopback.chaos.report import Restarts

if TYPE_CHECKING:
    from loopback.chaos.bot import BotProcess

AGREE_S: Final = 10.0
_METRIC: Final = re.compile(r'^ostinato_actor_restarts_total\{actor="([^"]*)"\} (\d+)', re.MULTILINE)
_FOLLOW_S: Final = 86_000.0


def kind_of(path: str) -> str:
    """As the bot's metrics name them: `guilds/42/player` is a `player`, `guilds/42` a `guild`."""
    parts = path.split("/")
    if parts[0] != "guilds" or len(parts) == 1:
        return path or "root"
    return "guild" if len(parts) == 2 else "/".join(parts[2:])


@dataclass(slots=True)
class Life:
    """What each witness says of one process."""

    events: Counter[str] = field(default_factory=Counter)
    metrics: Counter[str] = field(default_factory=Counter)
    log: Counter[str] = field(default_factory=Counter)
    following: bool = False
    agreed: bool = False


@dataclass(eq=False)
class Witnesses:
    """Of one run.

    :ivar gave_up: supervisors that gave up: when (ns), and which
    """

    bot: BotProcess
    lives: list[Life] = field(default_factory=lambda: [Life()])
    gave_up: list[tuple[int, str]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    """Lines of the log at the level of an error, by what they say."""

    @property
    def now(self) -> Life:
        """The present process."""
        while len(self.lives) <= self.bot.life:
            self.lives.append(Life())
        return self.lives[self.bot.life]

    def read(self, line: str) -> None:
        """A line of the log."""
        try:
            said = json.loads(line)
        except ValueError:
            return
        if not isinstance(said, dict):
            return
        if said.get("event") == "restarted":
            self.now.log[kind_of(str(said.get("actor")))] += 1
        if said.get("level") == "error":
            self.errors[str(said.get("event"))] += 1

    async def follow(self) -> None:
        """For ever: listen to the events of each process in turn."""
        while True:
            life = self.now
            try:
                async for answer in converse(self.bot.socket, "events", seconds=_FOLLOW_S):
                    life.following = True
                    self._event(life, answer.get("event"))
            except NotAskedError:
                pass
            await anyio.sleep(0.1)

    def _event(self, life: Life, event: object) -> None:
        match event:
            case {"kind": "restarted", "path": str(path)}:
                life.events[kind_of(path)] += 1
            case {"kind": "gave up", "path": str(path)}:
                self.gave_up.append((time.time_ns(), path))

    async def compare(self) -> None:
        """Wait until all three agree about the present process, if they do."""
        life = self.now
        with anyio.move_on_after(AGREE_S):
            while not life.agreed:
                life.metrics = await self.scrape()
                life.agreed = life.events == life.log == life.metrics
                await anyio.sleep(0.2)

    async def scrape(self) -> Counter[str]:
        """Restarts as the metrics have them; nothing if nobody answers."""
        url = f"http://127.0.0.1:{self.bot.metrics_port}/metrics"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(3)) as http,
                http.get(url) as response,
            ):
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return Counter()
        return Counter({actor: int(count) for actor, count in _METRIC.findall(text) if int(count)})

    def restarts(self) -> tuple[Restarts, ...]:
        """Of all processes together. Of those that were killed the metrics died with them."""
        kinds = sorted({kind for life in self.lives for kind in (*life.events, *life.log, *life.metrics)})
        return tuple(
            Restarts(
                kind,
                events=sum(life.events[kind] for life in self.lives),
                metrics=sum(life.metrics[kind] for life in self.lives),
                log=sum(life.log[kind] for life in self.lives),
            )
            for kind in kinds
        )
