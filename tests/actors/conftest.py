"""Shared by the tests of the bot: a guild's tree among stand-ins."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

with warnings.catch_warnings():  # discord.py imports audioop, which Python 3.13 no longer has
    warnings.simplefilter("ignore", DeprecationWarning)
    from actors import display
    from actors.testing import Guild, open_guild

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def guild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guild]:
    """One guild's running tree; no Discord, no sound, and a display that need not be patient."""
    monkeypatch.setattr(display, "EDIT_GAP_S", 0.02)
    async with open_guild(tmp_path) as opened:
        yield opened
