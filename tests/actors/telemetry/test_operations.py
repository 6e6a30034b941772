"""The dashboard, the alert rules and the chapter on operations name what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from actors.store import Store
from actors.telemetry import METRICS, RULES, Kind

FOLDER = Path(__file__).parents[3] / "docs" / "operations"
OWN = re.compile(r"\b(?:ostinato|voice)_[a-z_0-9]+")
PROCESS = re.compile(r"\bprocess_[a-z_]+")
SUMMED = re.compile(r"\b(sum|min|max|quantile)\b( by \([^)]*\))? ?\(([\d.]+, )?((rate|increase)\()?$")
ENDINGS = {Kind.COUNTER: ("",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}


def series() -> set[str]:
    """Names as they can be asked for."""
    return {row.name + ending for row in METRICS for ending in ENDINGS[row.kind]}


def expressions(name: str) -> list[str]:
    """PromQL of the dashboard, or of the alert rules."""
    text = (FOLDER / name).read_text("utf-8")
    if name == "alerts.yml":
        return re.findall(r"^ +expr: (.+)$", text, re.MULTILINE)
    return [target["expr"] for panel in panels(text) for target in panel["targets"]]


def panels(text: str) -> list[dict[str, Any]]:
    """Those of the dashboard that show something."""
    return [panel for panel in json.loads(text)["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml"])
def test_only_metrics_of_the_table_are_asked_for(name: str) -> None:
    """A name that is not served is an empty panel, or an alert that never comes."""
    asked = expressions(name)
    assert len(asked) >= 8
    used = {found for expression in asked for found in OWN.findall(expression)}
    assert used <= series(), used - series()
    process = {found for expression in asked for found in PROCESS.findall(expression)}
    assert process <= {
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_start_time_seconds",
    }


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml"])
def test_labels_are_those_of_the_table(name: str) -> None:
    """`sum by (x)`, `{x="..."}` and legends name labels that there are."""
    text = (FOLDER / name).read_text("utf-8")
    labels = {label for row in METRICS for label in row.labels} | {"le", "job"}
    used = set(re.findall(r"\bby \((\w+)\)", text)) | set(re.findall(r"\{(\w+)=", text))
    used |= set(re.findall(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}", text))
    assert used <= labels, used - labels


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml"])
def test_an_expression_groups_and_selects_by_labels_that_its_own_metrics_have(name: str) -> None:
    """Another metric's label would make one sum of all series, or select none."""
    wrong = [
        (expression, label)
        for expression in expressions(name)
        for label in grouped_by(expression)
        if label not in labels_of(expression)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml"])
def test_what_is_added_or_divided_has_the_same_labels(name: str) -> None:
    """A sum has neither `instance` nor `job`: with what has them it makes no pair, and so no value."""
    for expression in expressions(name):
        without_scalars = re.sub(r"scalar\([^()]*\)", "1", expression)
        summed = {bool(SUMMED.search(without_scalars[: at.start()])) for at in OWN.finditer(without_scalars)}
        assert len(summed) <= 1, expression


def grouped_by(expression: str) -> set[str]:
    """Labels of `by (a, b)` and of `{a="..."}`."""
    groups = re.findall(r"\bby \(([^)]*)\)", expression)
    return {label.strip() for group in groups for label in group.split(",")} | set(
        re.findall(r"[{,]\s*(\w+)!?=", expression)
    )


def labels_of(expression: str) -> set[str]:
    """Those of the metrics that it asks for."""
    asked = set(OWN.findall(expression))
    rows = [row for row in METRICS if {row.name + ending for ending in ENDINGS[row.kind]} & asked]
    return {label for row in rows for label in row.labels} | {"le", "job"}


def test_every_metric_has_a_panel() -> None:
    """What is measured can be seen."""
    asked = " ".join(expressions("dashboard.json"))
    assert [row.name for row in METRICS if row.name not in asked] == []


def test_panels_lie_side_by_side_and_say_what_they_show() -> None:
    """None covers another, each has its words, and ids are unique."""
    text = (FOLDER / "dashboard.json").read_text("utf-8")
    everything = json.loads(text)["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }  # fmt: skip
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert all(panel["description"] and panel["title"] for panel in panels(text))


def test_the_chapter_says_what_to_do_about_each_alert() -> None:
    """Each rule of the bot has its row there, each rule for Prometheus its words."""
    chapter = (FOLDER / "README.md").read_text("utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", chapter, re.MULTILINE))
    assert {rule.name for rule in RULES} <= rows
    served = re.findall(r"^ +- alert: (\w+)$", (FOLDER / "alerts.yml").read_text("utf-8"), re.MULTILINE)
    assert len(served) == len(expressions("alerts.yml")) == 8
    assert [name for name in served if f"`{name}`" not in chapter] == []
    for word in ("Backup", "Upgrade and roll back", "requirements.previous.lock"):
        assert word in chapter


def test_the_backup_of_the_chapter_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made while the bot writes, by the very line that stands there, and put back as it says."""
    chapter = (FOLDER / "README.md").read_text("utf-8")
    (backup,) = re.findall(r'^python3 -c "(.+)"$', chapter, re.MULTILINE)
    (restore,) = re.findall(r"^mv state-backup.+$", chapter, re.MULTILINE)
    monkeypatch.chdir(tmp_path)

    async def kept(*puts: bytes) -> bytes | None:
        """What is there, after these were put, each but the last with a backup behind it."""
        store = Store(tmp_path / "state.sqlite3")
        store.open()
        try:
            for number, blob in enumerate(puts, start=1):
                await store.put(7, "player", blob)
                if number < len(puts):
                    await anyio.run_process([sys.executable, "-c", backup])
            return await store.get(7, "player")
        finally:
            await store.aclose()

    assert anyio.run(kept, b"then", b"later") == b"later"
    subprocess.run(restore, shell=True, check=True)  # noqa: S602 - the chapter's own words
    assert anyio.run(kept) == b"then"


def test_the_container_asks_for_the_bots_health() -> None:
    """By a command that there is, at the address that the image sets."""
    text = (FOLDER / "Dockerfile").read_text("utf-8")
    assert 'CMD ["ostinato", "health"]' in text
    assert "OSTINATO_METRICS_ADDRESS=" in text
