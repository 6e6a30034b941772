"""Tracks and errors as plain data."""

from __future__ import annotations

import pickle

import msgpack

from actors.media import ErrorKind, MediaError, Track
from actors.media.errors import MAX_MESSAGE, causes


def test_a_track_survives_msgpack() -> None:
    track = Track("https://example.com/a", "A", 7, duration_s=1.5, is_live=True, uploader="U", thumbnail=None)
    assert Track.from_dict(msgpack.unpackb(msgpack.packb(track.to_dict()))) == track


def test_data_of_a_newer_version_is_read() -> None:
    track = Track("https://example.com/a", "A", 7)
    assert Track.from_dict({**track.to_dict(), "mood": "blue"}) == track


def test_the_same_song_queued_twice_has_two_ids() -> None:
    assert Track("u", "t", 1).id != Track("u", "t", 1).id


def test_an_error_survives_the_pipe_and_pickle() -> None:
    error = MediaError(ErrorKind.GONE, "x" * 999)
    for copy in (MediaError.from_dict(error.to_dict()), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert (copy.kind, copy.message, copy.retryable) == (ErrorKind.GONE, "x" * MAX_MESSAGE, True)


def test_causes_find_what_libraries_hide() -> None:
    inner, middle = OSError("inner"), ValueError("middle")
    middle.exc_info = (OSError, inner, None)  # type: ignore[attr-defined]  # as yt-dlp's errors have it
    outer = RuntimeError("outer")
    outer.__cause__ = middle
    outer.args = ("text", outer)  # a loop must not hang it
    assert next(causes(outer)) is outer
    assert inner in list(causes(outer))
