"""What is shown: clamped, escaped, bounded."""

from __future__ import annotations

import re

from hypothesis import example, given, strategies as st

from actors import embeds
from actors.media import Track
from actors.messages import NowPlaying, Phase, QueueView
from actors.queue import PAGE_SIZE, Loop
from loopback.chaos.line import QUEUE, Line
from loopback.chaos.shown import read_page, whole

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
texts = st.text(max_size=300)


@given(numbers, st.none() | numbers)
def test_the_bar_clamps(position_s: float, duration_s: float | None) -> None:
    bar = embeds.bar(position_s, duration_s)
    assert len(bar) == embeds.BAR_CELLS
    assert bar.count("●") == 1


def test_the_bar_moves_from_end_to_end() -> None:
    assert embeds.bar(0, 100).startswith("●")
    assert embeds.bar(100, 100).endswith("●")
    assert embeds.bar(500, 100) == embeds.bar(100, 100)
    assert embeds.bar(50, 100).index("●") == embeds.BAR_CELLS // 2 - 1


def test_times_are_read_as_people_write_them() -> None:
    assert [embeds.clock(s) for s in (-3, 0, 59.9, 61, 3600, 36_061)] == [
        "0:00", "0:00", "0:59", "1:01", "1:00:00", "10:01:01",
    ]  # fmt: skip


@example("https://a.example/_x_ and \u202e half \ud83d")
@given(texts)
def test_titles_neither_format_nor_mention(title: str) -> None:
    shown = embeds.plain(title)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)[*_~`|\[\]]", shown)
    assert "@everyone" not in shown
    assert "@here" not in shown
    assert not re.search(r"(?<!\\)<", shown)
    assert not re.search(r"(?<!\\)://", shown), "an address would become a link"
    assert shown.encode(), "no half of a character"
    assert shown


@given(texts, texts, st.text(max_size=400))
def test_any_text_fits_into_discords_limits(title: str, uploader: str, url: str) -> None:
    track = Track(url, title * 20, 1, duration_s=10, uploader=uploader or None)
    now = NowPlaying(Phase.PLAYING, track, 3.0, 10.0)
    page = QueueView(now, (track,) * PAGE_SIZE, 1, 1, 50, 500)
    for embed in (embeds.now_playing(now), embeds.queue(page), embeds.finished(track)):
        assert len(embed.title or "") <= 256
        assert len(embed.description or "") <= 4096
        assert all(len(field.value or "") <= 1024 and field.value for field in embed.fields)
        assert len(embed) <= 6000


def test_a_link_that_could_break_out_is_not_linked() -> None:
    track = Track("https://x/a) [evil](https://y", "t", 1)
    assert embeds.linked(track) == "t"
    assert embeds.linked(Track("https://x/a", "t", 1)) == "[t](https://x/a)"
    assert embeds.linked(Track("javascript:x", "t", 1)) == "t"


def test_a_page_shows_ten_entries_with_their_numbers() -> None:
    entries = tuple(Track(f"https://x/{n}", f"song {n}", 1, duration_s=61) for n in range(11, 21))
    shown = embeds.queue(QueueView(NowPlaying(), entries, 11, 2, 3, 25))
    description = str(shown.description)
    assert all(f"`{n}.` song {n} · 1:01" in description for n in range(11, 21))
    assert "Page 2 of 3 · 25 waiting" in str(shown.footer.text)


def test_whoever_listens_in_the_chaos_reads_every_page_of_the_queue() -> None:
    """Chaos, seed 701: of a queue of two pages the first one was taken for the whole."""
    entries = [Track(f"https://x/track-{n}.webm", f"track-{n}", 1, duration_s=61) for n in range(13)]
    now = NowPlaying(Phase.WAITING, entries[0], 3.0, 61.0, loop=Loop.QUEUE)
    views = [QueueView(now, tuple(entries[n : n + PAGE_SIZE]), n, n // PAGE_SIZE + 1, 2, 12) for n in (1, 11)]
    shown = [embeds.queue(view) for view in views]
    pages = [read_page(f"{one.title}\n{one.description}\n{one.footer.text}") for one in shown]
    assert [(page.pages, page.total) for page in pages] == [(2, 12), (2, 12)]
    assert whole(pages) == Line(tuple(range(13)), QUEUE)
    assert whole([pages[0], read_page(shown[1].title or "")]) is None, "it has changed meanwhile"
