"""The tree as data: each row, the whole at once, the whole bit by bit."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from tenacity import wait_fixed

import supervision
from supervision import (
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    MailboxSpec,
    Overflow,
    Restart,
    SupervisorSpec,
    System,
    TreeNode,
    open_system,
)
from supervision.testing import Crash, Echo, Hang, Puppet, Quit, Stage

pytestmark = pytest.mark.anyio

README = (Path(supervision.__file__).parent / "README.md").read_text()


def house(stage: Stage) -> SupervisorSpec:
    """Two actors, one of which drops what is too much, and a floor with two."""
    narrow = MailboxSpec(2, Overflow.DROP_OLDEST)
    floor = SupervisorSpec(
        (
            ChildSpec("b", stage, backoff=Backoff(wait_fixed(60))),
            ChildSpec("c", stage, restart=Restart.TRANSIENT),
        )
    )
    return SupervisorSpec((ChildSpec("a", stage, mailbox=narrow), ChildSpec("sub", floor)))


async def disturb(system: System) -> None:
    """Ten seconds after which everything there is to see has happened somewhere."""
    system.lookup("sub/b").tell(Crash())
    await anyio.sleep(5)
    system.lookup("sub/b").tell(Crash("again"))
    await system.lookup("sub/c").ask(Quit())
    system.lookup("a").tell(Hang())
    await anyio.sleep(1)
    for value in range(4):
        system.lookup("a").tell(Echo(value))
    await anyio.sleep(4)


async def test_a_row_tells_all(stage: Stage) -> None:
    """State, incarnation, mailbox, work done and in hand, last error with its time, uptime."""
    async with open_system(house(stage), name="house") as system:
        await disturb(system)
        tree = system.tree()
    a, sub = tree.children
    b, c = sub.children
    assert (a.state, a.incarnation, a.restarts, a.handled) == ("running", 1, 0, 1)
    assert (a.mailbox_depth, a.mailbox_peak, a.mailbox_dropped) == (2, 2, 2)
    assert a.current_message == "Hang"
    assert [a.current_message_s, a.uptime_s, sub.uptime_s] == pytest.approx([5, 10, 10])
    assert (a.last_error, a.last_error_at) == (None, None)
    assert (b.state, b.incarnation, b.restarts, b.uptime_s) == ("backoff", 2, 1, 0)
    assert (b.last_error, b.current_message, b.current_message_s) == ("PuppetError: again", None, 0)
    assert b.last_error_at is not None
    assert b.restart_in_s == pytest.approx(55)
    assert (a.restart_in_s, c.restart_in_s) == (None, None)
    assert (c.state, c.handled, c.uptime_s) == ("stopped", 1, 0)
    assert (sub.kind, sub.state, sub.handled) == ("supervisor", "running", 0)
    assert (sub.mailbox_depth, sub.mailbox_peak, sub.mailbox_dropped) == (0, 0, 0)
    assert (tree.id, tree.path, [row.path for row in tree.walk()]) == (
        "house",
        "",
        ["", "a", "sub", "sub/b", "sub/c"],
    )
    with pytest.raises(FrozenInstanceError):
        tree.state = "running"  # type: ignore[misc]  # that is the point


async def test_the_tree_of_a_system_that_has_ended(stage: Stage) -> None:
    """Its root is stopped, up no longer, and alone."""
    async with open_system(house(stage), name="house") as system:
        await anyio.sleep(5)
        system.stop()
        await system.wait()
        tree = system.tree()
    assert (tree.state, tree.uptime_s, tree.children) == ("stopped", 0, ())


async def test_the_tree_of_a_system_that_starts(stage: Stage) -> None:
    """Who looks from within its own start sees the floors above it, which are not up yet either."""
    seen: list[str] = []

    class Looking(Puppet):
        async def on_start(self) -> None:
            seen.append(self.ctx.system.tree().to_text())

    floor = SupervisorSpec((ChildSpec("a", lambda: Looking(stage)), ChildSpec("b", stage)))
    async with open_system(SupervisorSpec((ChildSpec("sub", floor),)), name="house"):
        pass
    assert seen[0].splitlines() == [
        "house [starting]",
        "└─ sub [starting]",
        "   └─ a [starting, handled 0]",
    ]


async def test_the_tree_is_text(stage: Stage) -> None:
    """A line for each, with what is out of the ordinary."""
    async with open_system(house(stage), name="house") as system:
        await disturb(system)
        lines = system.tree().to_text().splitlines()
    assert lines == [
        "house [running]",
        "├─ a [running, handled 1, waiting 2, handles Hang for 5.0 s]",
        "└─ sub [running]",
        "   ├─ b [backoff, restarts 1, handled 2, again in 55.0 s, last error PuppetError: again]",
        "   └─ c [stopped, handled 1]",
    ]


async def test_uptime_counts_from_the_start(stage: Stage) -> None:
    """Of the child, however late that was."""
    async with open_system(SupervisorSpec((ChildSpec("crowd", DynamicSupervisorSpec()),))) as system:
        await anyio.sleep(100)
        await system.start_child("crowd", ChildSpec("late", stage))
        await anyio.sleep(5)
        late = system.tree().find("crowd/late")
    assert late is not None
    assert late.uptime_s == pytest.approx(5)


async def test_a_restart_that_is_near_is_told(stage: Stage) -> None:
    """To the fraction of a second; nothing else is told who runs."""
    quick = ChildSpec("a", stage, backoff=Backoff(wait_fixed(0.5), immediate=False))
    async with open_system(SupervisorSpec((quick,))) as system:
        system.lookup("a").tell(Crash())
        await anyio.sleep(0.2)
        assert system.tree().children[0].restart_in_s == pytest.approx(0.3)
        await anyio.sleep(0.5)
        assert system.tree().children[0].restart_in_s is None


async def test_lines_lead_past_what_is_inside(stage: Stage) -> None:
    """The children of one that is not the last hang beside a line to those after it."""
    floor = ChildSpec("floor", SupervisorSpec((ChildSpec("room", stage),)))
    async with open_system(
        SupervisorSpec((floor, ChildSpec("hall", SupervisorSpec(())))), name="x"
    ) as system:
        assert system.tree().to_text().splitlines() == [
            "x [running]",
            "├─ floor [running]",
            "│  └─ room [running, handled 0]",
            "└─ hall [running]",
        ]


#: The type that the README states -> what it is in Python.
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "string or null": (str, type(None)),
    "number or null": (int, float, type(None)),
    "array": (list,),
}


async def test_the_tree_is_json_by_its_schema(stage: Stage) -> None:
    """Every row has every field of the README's table, in its order, of its type, and nothing else."""
    table = README.partition("## `tree --json`")[2].partition("\n## ")[0]
    schema = dict(re.findall(r"^\| `(\w+)` \| ([a-z ]+) \|", table, re.MULTILINE))
    async with open_system(house(stage), name="house") as system:
        await disturb(system)
        tree = system.tree()
    assert list(schema) == [item.name for item in fields(TreeNode)]

    def check(row: dict[str, Any]) -> int:
        assert list(row) == list(schema)
        for name, value in row.items():
            assert isinstance(value, TYPES[schema[name]]), (name, value)
        return 1 + sum(check(child) for child in row["children"])

    assert check(json.loads(json.dumps(tree.to_dict()))) == 5
    assert tree.find("sub/b") is tree.children[1].children[0]
    assert tree.find("nobody") is None


async def test_a_survey_of_a_quiet_tree_is_the_tree(stage: Stage) -> None:
    """The same rows in the same order."""
    async with open_system(house(stage), name="house") as system:
        await disturb(system)
        assert await system.survey() == system.tree()


async def test_a_survey_lets_others_run(stage: Stage) -> None:
    """Between rows: the loop turns several times while hundreds of rows are made."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    spec = SupervisorSpec(tuple(ChildSpec(str(number), stage) for number in range(500)))
    async with open_system(spec) as system, anyio.create_task_group() as group:
        group.start_soon(count_turns)
        await checkpoint()
        before = turns
        system.tree()
        assert turns == before
        seen = await system.survey()
        assert turns - before >= 5
        assert len(seen.children) == 500
        group.cancel_scope.cancel()


async def test_a_survey_holds_while_the_tree_changes(stage: Stage) -> None:
    """Children that come, go and crash meanwhile spoil no row."""
    spec = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()), ChildSpec("z", stage)))
    async with open_system(spec) as system:
        for number in range(300):
            await system.start_child("d", ChildSpec(str(number), stage, restart=Restart.TEMPORARY))
        seen: list[TreeNode] = []

        async def look() -> None:
            seen.append(await system.survey())

        async with anyio.create_task_group() as group:
            group.start_soon(look)
            await checkpoint()
            for number in range(200, 300):
                system.lookup(f"d/{number}").tell(Crash())
            system.lookup("z").tell(Crash())
            await system.start_child("d", ChildSpec("late", stage))
    rows = {row.id: row for row in seen[0].children[0].children}
    assert set(rows) >= {str(number) for number in range(200)}
    for row in rows.values():
        assert (row.state == "running") == (row.last_error is None)
        assert row.uptime_s == 0 or row.state == "running"
