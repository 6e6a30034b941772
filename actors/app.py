"""The bot as a whole: which rooms there are, in which order they start, and how they end.

Root tree, in start order (stopped in reverse): store, positions, media, voice (clock, links), discord,
steward, guilds, alerts, telemetry, metrics (if there is an address for them), admin.
"""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import structlog

from supervision import (
    ChildSpec,
    DynamicSupervisorSpec,
    EscalationError,
    Intensity,
    MailboxSpec,
    Overflow,
    SupervisorSpec,
    open_system,
)

from .admin import Admin, AdminSocketBusyError
from .commands import Desk, add_commands
from .discord_client import Bot, ClientHolder, DiscordClient
from .discord_port import LivePort
from .guild import GUILDS, Rooms, ensure_guild
from .large_pages import keep_in_large_pages
from .logs_events import log_events
from .media import Access, Cache, Media
from .network import make_connector
from .positions import Positions
from .promptness import be_prompt, hand_over
from .queue import QueueLimits
from .recovery import Watch
from .rooms import Runner, StoreRoom
from .shelf import Shelf
from .startup import Startup
from .steward import Steward
from .store import Store
from .sweeping import collect_in_steps, come_up, sweep_in_silence
from .telemetry import AlertLimits, Alerts, Observer, Spans, Telemetry
from .tls import slim_tls
from .verdict import Verdict
from .voice import Clock, Links, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from supervision import Collector, System

    from .settings import Settings

NAME = "ostinato"
OK, FAILED = 0, 1

ROOT_INTENSITY = Intensity(restarts=10, period_s=10.0)
GUILDS_INTENSITY = Intensity(restarts=50, period_s=10.0)
"""Guild supervisors that give up within the period; one guild's trouble is no other's."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class House:
    """All that lives as long as the process, and is given to whoever needs it."""

    settings: Settings
    media: Media
    rooms: Rooms
    holder: ClientHolder
    verdict: Verdict
    telemetry: Telemetry
    spans: Spans

    def make_bot(self, system: System) -> Bot:
        """A fresh client with the commands."""
        desk = Desk(system, self.rooms, self.media, self.spans)
        startup = self.rooms.startup

        async def setup(bot: Bot) -> None:
            startup.mark("login")
            await add_commands(bot, desk)

        return Bot(self.settings, make_connector(self.settings), setup)


@dataclass(frozen=True, slots=True)
class OpenBot:
    """The running bot, for `run` and for tests."""

    system: System
    house: House


def build(
    settings: Settings,
    verdict: Verdict | None = None,
    startup: Startup | None = None,
    spans: Spans | None = None,
) -> House:
    """The rooms, none of which does anything yet. `verdict`: where the reason to end is said."""
    media = Media(
        allow_private=settings.allow_private_media,
        work_dir=settings.data_dir / "media",
        cache=Cache(settings.data_dir / "cache", settings.cache_mb << 20),
        access=_access(settings),
    )
    clock, holder = Clock(), ClientHolder()
    watch = Watch(holder.current, lambda: [link.unanswered_s for link in rooms.links.all()])
    store = Store(settings.data_dir / "state.sqlite3")
    store.on_change = _log_disk
    rooms = Rooms(
        store=store,
        positions=Positions(clock, store),
        shelf=Shelf(media),
        clock=clock,
        links=Links(
            clock,
            lambda: make_connector(settings),
            policy=RetryPolicy(stretch=watch.stretch),
            client=holder.current,
            main_session=holder.main_session,
            main_sessions=holder.main_sessions,
        ),
        port=LivePort(holder.current),
        watch=watch,
        startup=startup or Startup(),
        limits=QueueLimits(settings.queue_limit, settings.queue_limit_per_user),
    )
    spans = spans or Spans()
    telemetry = Telemetry(
        clock=clock,
        links=rooms.links,
        watch=watch,
        media=media,
        client=holder.current,
        unsaved=lambda: rooms.store.problem,
        limits=AlertLimits(
            settings.alert_4006_per_5min,
            settings.alert_success_percent / 100,
            settings.alert_unheard_s,
            settings.alert_gateway_away_s,
        ),
        spans=spans,
    )
    return House(settings, media, rooms, holder, verdict or Verdict(), telemetry, spans)


def _access(settings: Settings) -> Access:
    """How sites are asked."""
    usual = Access(
        settings.ytdlp_cookies,
        settings.ytdlp_extractor_args,
        per_hour=settings.ytdlp_per_hour,
        playlist=settings.playlist_limit,
    )
    fallback = settings.ytdlp_fallback_args
    return usual if fallback is None else replace(usual, fallback=fallback)


def _log_disk(problem: str | None) -> None:
    """The alert about it is the telemetry's."""
    if problem is None:
        log.info("state_written_again")
    else:
        log.error("state_not_written", problem=problem)


def root_spec(house: House, admin: ChildSpec) -> SupervisorSpec:
    """The root tree. The clock comes before the links that attach to it."""
    rooms, settings = house.rooms, house.settings
    voice = SupervisorSpec(
        (
            ChildSpec("clock", lambda: Runner(rooms.clock.run), shutdown_timeout_s=1.0),
            ChildSpec("links", lambda: Runner(rooms.links.run), shutdown_timeout_s=1.5),
        )
    )

    def client() -> DiscordClient:
        return DiscordClient(house.make_bot, settings.token, house.holder, house.verdict)

    def steward() -> Steward:
        return Steward(rooms.links, rooms.store, rooms.startup, partial(ensure_guild, rooms=rooms))

    return SupervisorSpec(
        (
            ChildSpec("store", lambda: StoreRoom(rooms.store, house.verdict)),
            ChildSpec("positions", lambda: Runner(rooms.positions.run)),
            ChildSpec("media", lambda: Runner(house.media.run)),
            ChildSpec("voice", voice),
            ChildSpec("discord", client),
            ChildSpec("steward", steward),
            ChildSpec(GUILDS, DynamicSupervisorSpec(intensity=GUILDS_INTENSITY)),
            *telemetry_specs(house),
            admin,
        ),
        intensity=ROOT_INTENSITY,
    )


def telemetry_specs(house: House) -> tuple[ChildSpec, ...]:
    """What watches the others; nothing of the bot waits for it."""
    settings, telemetry = house.settings, house.telemetry

    def alerts() -> Alerts:
        return Alerts(
            house.rooms.port,
            lambda: make_connector(settings),
            webhook=settings.alert_webhook,
            channel_id=settings.alert_channel,
        )

    specs = (
        ChildSpec("alerts", alerts, mailbox=MailboxSpec(capacity=64, overflow=Overflow.DROP_OLDEST)),
        ChildSpec("telemetry", lambda: Observer(telemetry)),
    )
    if settings.metrics_address is None:
        return specs
    address = settings.metrics_address
    from .telemetry.endpoint import Endpoint  # brings aiohttp's web server: not for a start without it

    return (*specs, ChildSpec("metrics", lambda: Endpoint(address, telemetry)))


@asynccontextmanager
async def open_bot(
    settings: Settings, verdict: Verdict | None = None, spans: Spans | None = None
) -> AsyncIterator[OpenBot]:
    """The bot runs within the block; leaving it stops everything, in reverse order of start.

    :raises AdminSocketBusyError: another bot serves this admin socket
    :raises EscalationError: at the end, if the root supervisor had given up
    """
    startup = Startup()
    startup.mark("imports")
    house = build(settings, verdict, startup, spans)
    admin = ChildSpec("admin", lambda: Admin(settings.admin_socket))
    try:
        async with open_system(root_spec(house, admin), name=NAME) as system:
            yield OpenBot(system, house)
    finally:
        await house.rooms.links.aclose()
        await house.rooms.shelf.aclose()
        house.media.close()


async def run(settings: Settings, collector: Collector) -> int:
    """Run until a signal (0: stopped on purpose) or until it cannot go on (1: failed, one line says why).

    :param collector: Python's own, quiet: a full collection costs more than a frame lasts
    """
    be_prompt()
    hand_over()
    slim_tls()
    async with anyio.create_task_group() as watchers:
        ready, verdict = anyio.Event(), Verdict()
        watchers.start_soon(_end_on_signals, verdict, ready)
        await ready.wait()
        try:
            problem = await _live(settings, verdict, collector)
        except AdminSocketBusyError as error:
            problem = str(error)
        except EscalationError as error:
            problem = f"the bot could not be kept running: {error}"
        watchers.cancel_scope.cancel()
    if problem is not None:
        log.error("bot_failed", problem=problem)
        return FAILED
    log.info("bot_stopped")
    return OK


async def _live(settings: Settings, verdict: Verdict, collector: Collector) -> str | None:
    """Until somebody ends it, which may be while it starts; the problem, if there is one."""
    async with open_bot(settings, verdict, Spans.where_installed()) as bot:
        come_up()
        await _watch(bot, verdict, collector)
        return verdict.problem


async def _watch(bot: OpenBot, verdict: Verdict, collector: Collector) -> None:
    log.info("bot_started")
    async with anyio.create_task_group() as watchers:
        watchers.start_soon(log_events, bot.system)
        watchers.start_soon(sweep_in_silence, collector, lambda: bot.house.rooms.clock.playing)
        watchers.start_soon(collect_in_steps, lambda: bot.house.rooms.clock.playing)
        watchers.start_soon(keep_in_large_pages)
        watchers.start_soon(_end_on_escalation, bot.system, verdict)
        await verdict.wait()
        watchers.cancel_scope.cancel()


async def _end_on_signals(verdict: Verdict, ready: anyio.Event) -> None:
    """SIGTERM and Ctrl-C end the bot on purpose; more of them change nothing."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        ready.set()
        async for number in signals:
            log.info("bot_stopping", signal=signal.Signals(number).name)
            verdict.end()


async def _end_on_escalation(system: System, verdict: Verdict) -> None:
    """The root supervisor has given up; `open_system` raises why."""
    try:
        await system.wait()
    except EscalationError as error:
        verdict.end(f"the bot could not be kept running: {error}")
