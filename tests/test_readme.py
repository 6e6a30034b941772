"""The README's tables say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actors.commands import COMMANDS, commands_table
from actors.doctor.remote import PERMISSIONS
from actors.recovery.tables import causes_table, policy_table
from actors.settings import SETTINGS, settings_table
from bot_commands import app

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def table_under(heading: str) -> list[list[str]]:
    """The cells of all tables below a heading, row by row, without the lines between head and body."""
    section = README.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [cells(row) for row in rows if set(row) - set("|-: ")]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def rows(table: str) -> list[list[str]]:
    return [cells(row) for row in table.splitlines() if set(row) - set("|-: ")]


def test_the_table_of_commands_equals_the_code() -> None:
    assert table_under("## Commands") == rows(commands_table())
    assert len(table_under("## Commands")) == len(COMMANDS) + 1


def test_the_table_of_settings_equals_the_code() -> None:
    assert table_under("## Settings") == rows(settings_table())
    assert len(table_under("## Settings")) == len(SETTINGS) + 1


def test_the_tables_of_the_recovery_policy_equal_the_code() -> None:
    told = table_under("## When the voice connection has trouble")
    assert told == rows(policy_table()) + rows(causes_table())


def test_the_invite_link_asks_for_the_permissions_that_the_doctor_checks() -> None:
    asked = {int(number) for number in re.findall(r"permissions=(\d+)", README)}
    assert asked == {sum(PERMISSIONS.values())}
    assert all(name in README for name in PERMISSIONS)


@pytest.mark.parametrize("command", [name for name in app if not name.startswith("-")])
def test_every_command_of_the_command_line_is_told(command: str) -> None:
    assert f"`ostinato {command}" in README
