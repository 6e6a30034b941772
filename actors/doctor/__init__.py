"""``ostinato doctor``: what the bot needs, what of it is missing, and what to do about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from actors.doctor.arguments import check_arguments
from actors.doctor.machine import check_machine
from actors.doctor.parts import check_parts
from actors.doctor.remote import check_discord
from actors.doctor.report import Finding, Level, print_report

if TYPE_CHECKING:
    from actors.settings import Settings

__all__ = ["Finding", "Level", "examine", "run_doctor"]


async def examine(settings: Settings) -> list[Finding]:
    """All findings, those of the machine first. Needs no network: without one, that is a finding."""
    here = (*check_machine(settings), *check_parts(), *check_arguments(settings))
    return [*here, *await check_discord(settings)]


async def _examine(settings: Settings, live: tuple[int, int] | None) -> list[Finding]:
    if live is None:
        return await examine(settings)
    from actors.doctor.live import Place, examine_live  # discord.py and PyAV take a second to import

    settings.require_token()
    return await examine_live(settings, Place(*live))


def run_doctor(settings: Settings, live: tuple[int, int] | None = None) -> int:
    """Print a table of all findings; 0 if nothing keeps the bot from playing, else 1.

    :param live: ids of a guild and of a voice channel of it, to be tried instead of the machine
    """
    findings = anyio.run(partial(_examine, settings, live))
    print_report(findings)
    return int(any(finding.level is Level.FAIL for finding in findings))
