"""What ``ostinato run`` does around the bot: its folder, its logs, early signals, and failures."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import anyio
import structlog

from actors.admin_client import is_served
from actors.data_lock import DataFolderBusyError, hold_data_folder
from actors.head_start import head_start
from actors.logs import open_logs
from actors.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import FrameType

    from actors.settings import Settings

_log = structlog.get_logger(__name__)


def run_bot(settings: Settings) -> int:
    """Run until stopped; 0 stopped on purpose, 1 failed. ``SettingsError`` if it cannot be tried at all."""
    settings.require_token()
    _make_data_dir(settings)
    # Until the bot listens for signals itself: importing discord.py and PyAV takes a second or two.
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        with open_logs(settings):
            return _run_alone(settings)
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_alone(settings: Settings) -> int:
    if is_served(settings.admin_socket):
        _log.error("another bot already runs with this admin socket", path=str(settings.admin_socket))
        return 1
    try:
        with hold_data_folder(settings.data_dir):
            return _run(settings)
    except DataFolderBusyError as error:
        _log.error(str(error))
        return 1
    except OSError as error:
        raise SettingsError(
            f"OSTINATO_DATA_DIR: cannot write in {settings.data_dir}: {error.strerror}"
        ) from error


def _run(settings: Settings) -> int:
    with ExitStack() as until_the_end:
        with head_start(settings.discord_ca):
            from actors.sweeping import quiet_start

            collector = until_the_end.enter_context(quiet_start())
            from actors.app import run
        return _run_loop(partial(run, settings, collector))


def _run_loop(run: Callable[[], Awaitable[int]]) -> int:
    try:
        return anyio.run(run)
    except SettingsError:
        raise
    except Exception:
        _log.exception("the bot failed")
        return 1


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"OSTINATO_DATA_DIR: cannot make {settings.data_dir}: {error.strerror}"
        ) from error


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
