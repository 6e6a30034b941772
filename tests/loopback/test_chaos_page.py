"""The page of a report of chaos: all that is in the report is on it, and nothing comes from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from loopback.chaos.page import write_page
from loopback.chaos.page.words import clock, date, kind_words, minutes, ms, share
from loopback.chaos.report import Player, Report, Run
from tests.loopback.chaos_reports import KINDS, hostile, made_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"


class Page:
    """What a browser gets, read by the stricter rules of XML: what they allow, HTML's do."""

    def __init__(self, report: Report, folder: Path) -> None:
        path = folder / "report.html"
        write_page(report, path)
        self.source = path.read_text("utf-8")
        first, _, rest = self.source.partition("\n")
        assert first == "<!DOCTYPE html>"
        self.root = ET.fromstring(rest)  # noqa: S314 - made just now

    def all(self, name: str, class_: str | None = None) -> list[ET.Element]:
        return [
            each
            for each in self.root.iter()
            if each.tag.removeprefix(SVG) == name and (class_ is None or each.get("class") == class_)
        ]

    @property
    def text(self) -> str:
        return " ".join("".join(self.root.itertext()).split())

    def rows(self, table_class: str) -> Iterator[str]:
        for table in self.all("table", table_class):
            for row in table.iter("tr"):
                yield " ".join("".join(row.itertext()).split())


def test_every_broken_promise_is_told_with_server_time_seed_and_how_to_see_it_again(tmp_path: Path) -> None:
    report = made_report(broken=5)
    page = Page(report, tmp_path)
    assert "1 promise was broken" in page.text
    assert "5 breaches" in page.text
    for one in report.violations:
        assert f"{clock(one.at_s)}.00silence{one.guild}{one.words}7" in page.text
    assert "ostinato chaos --seed 7 --minutes 2 --guilds 3 --report DIR" in page.text
    assert len(page.all("line", "broken")) == 5


def test_a_run_without_a_broken_promise_says_so(tmp_path: Path) -> None:
    page = Page(made_report(), tmp_path)
    assert "Every promise was kept" in page.text
    assert not page.all("line", "broken")
    for words in made_report().invariants.values():
        assert f"✓{words}" in page.text


def test_every_server_has_a_lane_and_every_fault_a_mark(tmp_path: Path) -> None:
    report = made_report(guilds=4)
    refused = replace(report.player.faults[0], refused="the room was being restarted")
    report = replace(report, player=replace(report.player, faults=(refused, *report.player.faults[1:])))
    page = Page(report, tmp_path)
    names = [item.text for item in page.all("ol")[0]]
    assert names == ["everybody", "Guild 1", "Guild 2", "Guild 3", "Guild 4"]
    marks = [title.text or "" for mark in page.all("path") for title in mark]
    assert len(marks) == len(report.player.faults) - 1
    assert sum(": actor killed (player)" in words for words in marks) == sum(
        fault.kind == "actor killed" for fault in report.player.faults[1:]
    )
    bars = [bar for bar in page.all("rect") if bar.get("class") in ("gap", "gap over") and len(bar)]
    assert len(bars) == sum(len(timeline.gaps) for timeline in report.player.timelines)


def test_a_night_is_a_page_that_can_be_opened(tmp_path: Path) -> None:
    """Ten hours in some thousands of elements, among them every silence that was too long."""
    report = made_report(guilds=4, seconds=36_000.0, faults=3_000)
    gaps = report.player.timelines[3].gaps
    gaps = (*gaps, *(replace(gap, length_ms=gap.allowed_ms + 1) for gap in gaps[:7]))
    third = replace(report.player.timelines[3], gaps=gaps)
    timelines = (*report.player.timelines[:3], third, *report.player.timelines[4:])
    page = Page(replace(report, player=replace(report.player, timelines=timelines)), tmp_path)
    assert len(page.source) < 3_000_000
    assert not [title for mark in page.all("path") for title in mark], "columns instead of marks"
    told = [title.text or "" for column in page.all("rect", "crowd") for title in column]
    assert sum(int(words.split(": ")[1].split()[0]) for words in told) == len(report.player.faults)
    over = sum(not gap.ok for timeline in timelines for gap in timeline.gaps)
    assert over >= 7
    assert len(page.all("rect", "gap over")) == over + 1, "and one in the legend"
    assert len(page.all("circle", "dot over")) == over
    assert len(page.all("circle", "dot")) < 300 * len(KINDS)
    assert "the darker, the more" in page.text


def test_every_kind_has_a_row_with_its_dots_and_one_that_cost_too_much_is_marked(tmp_path: Path) -> None:
    report = made_report()
    first = report.player.timelines[0].gaps[0]
    kind = next(fault.kind for fault in report.player.faults if fault.id == first.faults[0])
    longer = replace(first, length_ms=first.allowed_ms + 1000)
    timeline = replace(report.player.timelines[0], gaps=(longer, *report.player.timelines[0].gaps[1:]))
    player = replace(report.player, timelines=(timeline, *report.player.timelines[1:]))
    page = Page(replace(report, player=player), tmp_path)
    rows = list(page.rows("costs"))
    for name, *_ in KINDS:
        (row,) = (row for row in rows if row.startswith(kind_words(name)))
        assert row.endswith("too long" if name == kind else "kept")
    assert len(page.all("circle", "dot over")) == 1
    dots = len(page.all("circle", "dot")) + 1
    assert dots == sum(len(timeline.gaps) for timeline in player.timelines)


def test_a_silence_that_the_machine_was_late_for_is_allowed_and_said_to_be(tmp_path: Path) -> None:
    report = made_report()
    kinds = tuple(replace(one, longest_beyond_ms=one.bound_ms + 5) for one in report.player.kinds)
    page = Page(replace(report, player=replace(report.player, kinds=kinds)), tmp_path)
    assert sum("machine late" in row for row in page.rows("costs")) == len(kinds)


def test_what_people_asked_for_is_no_fault_and_what_was_not_done_is_not_kept(tmp_path: Path) -> None:
    report = made_report()
    asked = tuple(replace(fault, group="command") for fault in report.player.faults)
    kinds = tuple(replace(one, count=0) for one in report.player.kinds)
    timelines = tuple(replace(one, gaps=()) for one in report.player.timelines)
    player = replace(report.player, faults=asked, kinds=kinds, timelines=timelines)
    page = Page(replace(report, player=player), tmp_path)
    assert "0 faults of 0 kinds" in page.text
    assert sum(row.endswith("not done") for row in page.rows("costs")) == len(kinds)


def test_a_player_beside_has_its_figures_and_its_lanes(tmp_path: Path) -> None:
    alone, beside = Page(made_report(), tmp_path), Page(made_report(other=True), tmp_path)
    assert "Beside discord.py" not in alone.text
    assert "Beside discord.py" in beside.text
    assert "--guilds 3 --against stock --report DIR" in beside.text
    assert len(beside.all("ol")) == len(alone.all("ol")) + 1
    assert len(beside.all("circle", "rival")) == len(KINDS) + 1, "and one in the legend"


def test_beside_another_the_longest_silence_counts_whatever_else_was_done_in_it(tmp_path: Path) -> None:
    report = made_report(other=True)
    assert report.other is not None
    first, second, *rest = report.other.kinds
    kinds = (replace(first, longest_ms=0.0, gaps_ms=(25.0, 49_500.0)), replace(second, gaps_ms=()), *rest)
    mine = tuple(replace(one, gaps_ms=()) if one.kind == second.kind else one for one in report.player.kinds)
    other, player = replace(report.other, kinds=kinds), replace(report.player, kinds=mine)
    page = Page(replace(report, player=player, other=other), tmp_path)
    assert "discord.py: 49.5 s" in page.text
    assert len(page.all("circle", "rival")) == len(KINDS), "one kind cost neither of them anything"


@pytest.mark.parametrize(("invariant", "class_"), [("silence", "pill late"), ("witnesses", "pill bad")])
def test_witnesses_that_differ_are_marked(tmp_path: Path, invariant: str, class_: str) -> None:
    """As a breach only if the judge has found one: a killed process takes some of its metrics along."""
    report = made_report(broken=1)
    wrong = replace(report.restarts[0], log=13)
    violation = replace(report.violations[0], invariant=invariant)
    restarts = (wrong, *report.restarts[1:])
    page = Page(replace(report, restarts=restarts, violations=(violation,)), tmp_path)
    assert [each.get("class") for each in page.all("span") if each.text == "differ"] == [class_]


def test_lines_end_with_the_life_of_a_process(tmp_path: Path) -> None:
    page = Page(made_report(), tmp_path)
    assert len(page.all("polyline")) == 2 * 2 * 2, "two charts of two lines, in two lives"
    assert len(page.all("line", "life")) == 2


def test_nothing_comes_from_elsewhere(tmp_path: Path) -> None:
    page = Page(made_report(broken=1, other=True), tmp_path)
    assert not [
        each for name in ("script", "link", "img", "iframe", "object", "use") for each in page.all(name)
    ]
    names = {name for each in page.root.iter() for name in each.attrib}
    assert not names & {"src", "href", "srcset", "action", "data"}
    assert not [name for name in names if name.startswith("on")]
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert page.source.count("://") == page.source.count('xmlns="http://www.w3.org/2000/svg"')


def test_names_that_are_markup_are_text(tmp_path: Path) -> None:
    name = '</title><script>alert("x")</script>\' & \x1b[2J\x00 \ud800 ✓'
    page = Page(hostile(made_report(), name), tmp_path)
    assert not page.all("script")
    assert page.text.count('<script>alert("x")</script>') >= 8


def test_a_report_of_nothing_is_a_page(tmp_path: Path) -> None:
    run = Run(1, 0.0, 0, "soon", 0.0, False)
    page = Page(Report(run, Player("the bot", 1.0, 0.0, 0, 0, 1)), tmp_path)
    assert "Every promise was kept" in page.text


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (ms(0), "—"), (ms(38.4), "38 ms"), (ms(1240), "1.24 s"), (ms(31_200), "31.2 s"),
        (clock(59.9), "0:59"), (clock(3_725), "1:02:05"),
        (share(1.0), "100 %"), (share(0.9999999), "99.999 %"), (share(0.5), "50.0 %"),
        (minutes(90), "90 seconds"), (minutes(1800), "30 minutes"), (minutes(36_000), "10 hours"),
        (date("2026-01-02T03:04:05+00:00"), "2 January 2026, 03:04 UTC"), (date("soon"), "soon"),
    ],
)  # fmt: skip
def test_figures_are_what_people_read(shown: str, words: str) -> None:
    assert shown == words
