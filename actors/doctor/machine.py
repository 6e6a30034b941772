"""Checks of this machine: Python, settings, clock, folders. They need no network."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from actors.admin_client import is_served
from actors.doctor.report import Finding, fail, note, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors.settings import Settings

MIN_PYTHON = (3, 11)
MIN_FREE_BYTES = 100 * 1024**2
GOOD_FREE_BYTES = 1024**3
"""A spooled hour of music takes about 60 MiB; several guilds, and some room for the rest of the machine."""
OLDEST_TIME_S = datetime(2025, 1, 1, tzinfo=UTC).timestamp()


def check_machine(settings: Settings) -> Iterator[Finding]:
    """All checks of this machine, one after the other."""
    yield check_python()
    yield check_settings(settings)
    yield check_clock()
    yield from check_data_dir(settings.data_dir)
    yield check_running(settings.admin_socket)


def check_python() -> Finding:
    """The interpreter's version."""
    found = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info >= MIN_PYTHON:
        return ok("python", found)
    return fail("python", found, "install Python 3.11 or later")


def check_settings(settings: Settings) -> Finding:
    """Where the settings came from; they were checked while they were read."""
    source = (
        f"environment and {settings.config_file}" if settings.config_file else "environment; no ostinato.toml"
    )
    if settings.discord_address is None:
        return ok("settings", source)
    return note("settings", f"{source}; Discord is replaced by {settings.discord_address}")


def check_clock() -> Finding:
    """A clock that is far off breaks certificates."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if time.time() >= OLDEST_TIME_S:
        return ok("clock", now)
    return fail("clock", f"it says {now}", "set the clock, or start time synchronisation")


def check_data_dir(folder: Path) -> Iterator[Finding]:
    """The folder of all state: can it be written, and is there room."""
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        todo = "make it writable for this user, or set OSTINATO_DATA_DIR"
        yield fail("data folder", f"{place}: {error.strerror}", todo)
        return
    yield ok("data folder", str(folder) if place == folder else f"{folder} (not there yet; will be made)")
    yield _free_disk(place)


def check_running(admin_socket: Path) -> Finding:
    """Whether a bot runs with these settings already."""
    if is_served(admin_socket):
        return note(
            "running", f"a bot serves {admin_socket}", "a second one will not start with the same settings"
        )
    return ok("running", "no bot runs with these settings")


def _free_disk(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    words = f"{free / 1024**3:.1f} GiB free"
    if free < MIN_FREE_BYTES:
        return fail("disk", words, "free some: queues are not saved on a full disk")
    if free < GOOD_FREE_BYTES:
        return warn("disk", words, "free some: tracks are spooled to disk while they play")
    return ok("disk", words)
