"""The telemetry of one bot: it counts what happens, knows how things stand, and says what is wrong.

It listens and looks; nothing of the bot waits for it, and no decision depends on it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import anyio

from actors.recovery import Outcome, effects as does, events as happens
from actors.telemetry.audio import LOOK_EVERY_S, AudioWatch
from actors.telemetry.counting import count_event, count_step
from actors.telemetry.health import BotHealth
from actors.telemetry.meters import Meters
from actors.telemetry.reading import Reading, read_gateway, read_media, read_streams, read_tree, read_voice
from actors.telemetry.rules import RULES, AlertBook, AlertLimits
from actors.telemetry.spans import Spans
from actors.voice import Expected
from supervision import IntensityExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.discord_client import Bot
    from actors.media import Media
    from actors.recovery import Alert, Step, Watch
    from actors.telemetry.rules import Change
    from actors.voice import Clock, Links
    from supervision import Event, System

SESSION_LOST: Final = "4006"
LAG_EVERY_S: Final = 0.5
AT_ONCE: Final = 50
"""Streams that are looked at without a pause, in which frames can leave."""


class Telemetry:
    """One per process; `run` it in an actor's background task."""

    def __init__(
        self,
        *,
        clock: Clock,
        links: Links,
        watch: Watch,
        media: Media,
        client: Callable[[], Bot | None],
        unsaved: Callable[[], str | None],
        limits: AlertLimits | None = None,
        spans: Spans | None = None,
    ) -> None:
        """
        :param unsaved: why state cannot be written, None while it can
        """
        self._clock = clock
        self._links = links
        self._watch = watch
        self._media = media
        self._client = client
        self._unsaved = unsaved
        self._spans = spans or Spans()
        self._audio = AudioWatch()
        self._away_since: float | None = None
        self.meters = Meters()
        self.book = AlertBook(limits)
        media.listen(self._resolved)
        watch.on_step, watch.on_alert = self._stepped, self._alerted

    async def run(self, system: System, tell: Callable[[Change], object]) -> None:
        """Until cancelled.

        :param tell: is told of alerts that are raised or over
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow, system)
            tasks.start_soon(self._measure_lag)
            while True:
                for change in await self._look():
                    tell(change)
                await anyio.sleep(LOOK_EVERY_S)

    async def metrics(self, system: System) -> bytes:
        """Everything, in Prometheus' text format."""
        tree = await system.survey()
        unheard = self._audio.unheard(time.monotonic())
        reading: Reading = {
            **read_streams(self._clock),
            **read_voice(self._links, self._watch),
            **read_media(self._media),
            **read_gateway(self._client()),
            **read_tree(tree),
            "ostinato_unheard_guilds": {(): len(unheard)},
            "ostinato_alerts": {(rule.name,): float(rule.name in self.book.raised) for rule in RULES},
        }
        return self.meters.text(reading)

    def health(self) -> BotHealth:
        """This moment."""
        client = self._client()
        return BotHealth(
            unheard=self._audio.unheard(time.monotonic()),
            clock=self._clock.running,
            connected=client is not None and client.is_ready() and not client.gateway_away,
            unsaved=self._unsaved(),
        )

    # -- what happens ----

    def _resolved(self, outcome: str, took_s: float) -> None:
        self.meters.observe("ostinato_resolve_seconds", took_s, outcome)
        self._spans.resolved(outcome, took_s)

    def _stepped(self, step: Step) -> None:
        now, event = time.monotonic(), step.event
        count_step(self.meters, step)
        self._spans.stepped(step)
        if isinstance(event, happens.Broken | happens.Failed) and event.cause.label == SESSION_LOST:
            self.book.levels.sessions_lost.add(now)
        for effect in step.wanted:
            if isinstance(effect, does.Record) and effect.incident.outcome is not Outcome.LEFT:
                self.book.levels.outcomes.add(now, float(effect.incident.outcome is Outcome.BACK))

    def _alerted(self, alert: Alert) -> None:
        self.book.levels.unknown.add(time.monotonic())
        self.book.levels.unknown_words = f"guild {alert.guild_id}: {alert.words}"

    async def _follow(self, system: System) -> None:
        async with system.subscribe() as events:
            lost = 0
            async for event in events:
                self._happened(event)
                if events.dropped > lost:
                    self.meters.count("ostinato_events_lost_total", by=events.dropped - lost)
                    lost = events.dropped

    def _happened(self, event: Event) -> None:
        count_event(self.meters, event)
        if isinstance(event, IntensityExceeded):
            self.book.levels.gave_up.add(time.monotonic())
            self.book.levels.gave_up_path = event.path or "the root"

    async def _measure_lag(self) -> None:
        """A sleep that ends late says that somebody has kept the loop from everybody."""
        while True:
            due = time.monotonic() + LAG_EVERY_S
            await anyio.sleep(LAG_EVERY_S)
            self.meters.observe("ostinato_event_loop_lag_seconds", max(time.monotonic() - due, 0.0))

    # -- how things stand ----

    async def _look(self) -> list[Change]:
        wanting, loading = await self._wanting()
        now = time.monotonic()
        self._audio.look(now, wanting, loading)
        levels, client = self.book.levels, self._client()
        levels.unheard = self._audio.unheard(now)
        levels.unsaved = self._unsaved()
        if client is not None and not client.gateway_away:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = now
        levels.away_s = 0.0 if self._away_since is None else now - self._away_since
        return self.book.look(now)

    async def _wanting(self) -> tuple[dict[int, int], frozenset[int]]:
        """Guilds with music that is not paused, where the bot is, or is trying to be, in a voice channel, and
        the frames that each was sent so far; and which of them wait for a track to be made ready.

        Player and connection have declared both, and it stands while they are down.
        """
        wanting: dict[int, int] = {}
        loading: list[int] = []
        for number, stream in enumerate(tuple(self._clock.all()), 1):
            if number % AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
            if stream.expected is not Expected.NOTHING and stream.guild_id in self._watch.meant:
                wanting[stream.guild_id] = stream.sent
                if stream.expected is Expected.SOON:
                    loading.append(stream.guild_id)
        return wanting, frozenset(loading)
