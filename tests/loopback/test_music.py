"""The project's own music: pieces of any length, as files of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from loopback.music.files import FORMATS, write_music
from loopback.music.pieces import CEILING_HZ, PIECES, Piece, blocks, render
from loopback.music.position import LEVEL_DB, RATE, code

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_a_piece_is_music_of_the_length_asked_for(piece: Piece) -> None:
    pcm = render(piece, 12.34)
    assert pcm.shape == (round(12.34 * RATE), 2)
    assert 0.2 < np.abs(pcm).max() / 32768 < 0.95, "neither too quiet nor clipped"
    assert np.abs(pcm[:, 0].astype(int) - pcm[:, 1]).max() > 500, "stereo"


def test_the_same_piece_is_the_same_samples() -> None:
    assert np.array_equal(render(PIECES[0], 3.0), np.concatenate(list(blocks(PIECES[0], 3.0))))


def test_pieces_have_their_own_titles_and_tracks() -> None:
    assert (
        len({piece.title for piece in PIECES}) == len({piece.track for piece in PIECES}) == len(PIECES) >= 2
    )


def test_the_music_leaves_the_band_of_the_code_to_the_code() -> None:
    spectrum = np.abs(np.fft.rfft(render(PIECES[1], 20.0, level_db=None).mean(axis=1)))
    hertz = np.fft.rfftfreq(20 * RATE, 1 / RATE)
    loud, high = (np.sqrt((spectrum[band] ** 2).sum()) for band in (hertz < CEILING_HZ, hertz > 9_000))
    assert high < loud / 3_000


def test_the_code_is_far_below_the_music() -> None:
    music = render(PIECES[0], 10.0, level_db=None) / 32768
    assert 20 * np.log10(music.std() / code(0, 0, 10 * RATE).std()) > 25
    assert 20 * np.log10(code(0, 0, 10 * RATE).std()) == pytest.approx(LEVEL_DB, abs=0.5)


def test_a_piece_ends_softly() -> None:
    pcm = render(PIECES[2], 10.0, level_db=None)
    assert np.abs(pcm[-RATE // 10 :]).max() < 300


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_of_each_kind_has_the_title_and_the_length(ending: str, tmp_path: Path) -> None:
    path = write_music(tmp_path / f"music{ending}", PIECES[0], 5.0)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        title = container.metadata.get("title") or stream.metadata.get("title") or ""
        samples = sum(frame.samples for frame in container.decode(stream))
        assert stream.codec_context.sample_rate in {44_100, 48_000}
        assert samples / stream.codec_context.sample_rate == pytest.approx(5.0, abs=0.08)
    assert title == PIECES[0].title
    assert path.stat().st_size > 20_000


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_music(tmp_path / "music.xyz", PIECES[0], 1.0)
