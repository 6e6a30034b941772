"""The whole bot, with a switch for its telemetry: `python -m tests.bench.overhead.bot`.

SIGUSR1 switches metrics, their endpoint, alerts, the log of the tree's events and spans on, SIGUSR2 off. They
are on at first.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any, Final

import anyio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NoOpTracer

from actors.app import open_bot
from actors.logs import open_logs
from actors.logs_events import log_events
from actors.promptness import be_prompt
from actors.settings import load_settings
from actors.sweeping import COLLECTOR
from actors.telemetry import Spans
from actors.tls import slim_tls
from supervision import quiet_collector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

    from actors.app import OpenBot

WATCHERS: Final = ("alerts", "telemetry", "metrics")
"""Children of the root that nothing of the bot waits for."""


class Nowhere(SpanExporter):
    """Takes what is exported, as a collector on the same machine would; sending it is the collector's."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Serialised, as every exporter has to."""
        for span in spans:
            span.to_json()
        return SpanExportResult.SUCCESS


class Switched:
    """A tracer that is one or the other."""

    def __init__(self, on: Tracer) -> None:
        self._both: dict[bool, Any] = {True: on, False: NoOpTracer()}
        self.on = True

    def start_span(self, *args: Any, **named: Any) -> Any:
        """As the API's."""
        return self._both[self.on].start_span(*args, **named)

    def start_as_current_span(self, *args: Any, **named: Any) -> Any:
        """As the API's."""
        return self._both[self.on].start_as_current_span(*args, **named)


class Telemetry:
    """All of it, behind one switch."""

    def __init__(self, bot: OpenBot, tracer: Switched, tasks: anyio.abc.TaskGroup) -> None:
        self._bot, self._tracer, self._tasks = bot, tracer, tasks
        self._log = anyio.CancelScope()

    async def switch(self, *, on: bool) -> None:
        """What is so already stays so."""
        system = self._bot.system
        for child in WATCHERS if on else reversed(WATCHERS):
            await (system.restart_child("", child) if on else system.terminate_child("", child))
        self._tracer.on = on
        self.log(on=on)

    def log(self, *, on: bool) -> None:
        """The events of the tree."""
        self._log.cancel()
        if on:
            self._log = anyio.CancelScope()
            self._tasks.start_soon(self._log_events, self._log)

    async def _log_events(self, scope: anyio.CancelScope) -> None:
        with scope:
            await log_events(self._bot.system)


async def main() -> None:
    """Until SIGTERM."""
    be_prompt()
    slim_tls()
    settings = load_settings()
    with contextlib.ExitStack() as stack:
        stack.enter_context(open_logs(settings))
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(Nowhere()))
        stack.callback(provider.shutdown)
        tracer: Any = Switched(provider.get_tracer("bench"))
        async with open_bot(settings, spans=Spans(tracer)) as bot:
            stack.enter_context(quiet_collector(COLLECTOR))
            await _obey(bot, tracer)


async def _obey(bot: OpenBot, tracer: Switched) -> None:
    numbers = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
    async with anyio.create_task_group() as tasks:
        telemetry = Telemetry(bot, tracer, tasks)
        telemetry.log(on=True)
        with anyio.open_signal_receiver(*numbers) as signals:
            async for number in signals:
                if number == signal.SIGTERM:
                    break
                await telemetry.switch(on=number == signal.SIGUSR1)
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main)
