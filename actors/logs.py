"""Structured logs: one line an event, with fields, as JSON or as text.

Own modules log with ``structlog.get_logger(__name__)``: what happened in words, and everything that varies as
fields, as in ``log.info("voice link lost", guild_id=42, close_code=4006)``. Lines of discord.py, aiohttp and
asyncio, which use the standard library's ``logging``, come out in the same form.
"""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import structlog

from actors.logs_redaction import Redactor
from actors.logs_writer import LineWriter, WriterHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict, Processor, WrappedLogger

    from actors.settings import Settings

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_FIRST = ("time", "level", "logger", "event")
_MULTILINE = frozenset({"exception", "stack"})


@contextmanager
def open_logs(settings: Settings, stream: TextIO | None = None) -> Iterator[None]:
    """Log to the stream (standard error by default) until the block ends; then everything is as before."""
    stream = sys.stderr if stream is None else stream
    writer = LineWriter(stream)
    handler = WriterHandler(writer, Redactor(filter(None, (settings.token, settings.alert_webhook))))
    handler.setFormatter(_formatter(_form(settings, stream), colors=stream.isatty()))
    root = logging.getLogger()
    level_before = root.level
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(capture=True)
    _configure_structlog()
    try:
        yield
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(capture=False)
        root.setLevel(level_before)
        root.removeHandler(handler)
        writer.close()


def _form(settings: Settings, stream: TextIO) -> str:
    return settings.log_format or ("text" if stream.isatty() else "json")


def _common() -> list[Processor]:
    """What every line gets, whoever logs it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]


def _configure_structlog() -> None:
    # No cache on first use: a module's logger then follows open_logs, whichever came first.
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _formatter(form: str, *, colors: bool) -> logging.Formatter:
    renderers: dict[str, list[Processor]] = {
        "json": [
            structlog.processors.format_exc_info,
            _ordered,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        # Plain tracebacks: those with local variables would print what nobody meant to log.
        "text": [
            structlog.processors.format_exc_info,
            _printable,
            structlog.dev.ConsoleRenderer(
                colors=colors, timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
            ),
        ],
    }
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers[form]],
    )


def _ordered(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What every line has comes first, so that lines can be read one below the other."""
    return {key: event.pop(key) for key in _FIRST if key in event} | dict(event)


def _printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Control characters are shown, not sent: a track's title may hold what a terminal would obey."""
    for key, value in event.items():
        if isinstance(value, str) and key not in _MULTILINE:
            event[key] = value.translate(_CONTROLS)
    return event
