"""Log lines: their form, the bridge from the standard library, and that no secret is in them."""

from __future__ import annotations

import io
import json
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, strategies as st

from actors.logs import open_logs
from actors.logs_redaction import HIDDEN, Redactor
from actors.logs_writer import LineWriter, WriterHandler
from actors.settings import Settings

TOKEN = "made-up-token-of-a-test"
SHAPED = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE." + "x" * 38


def settings(form: str | None = "json", level: str = "info") -> Settings:
    return Settings(
        token=TOKEN, data_dir=Path("/data"), admin_socket=Path("/data/a"), log_format=form, log_level=level
    )


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def refuse(secret: str) -> None:
    raise RuntimeError(f"refused: {secret}")


def test_no_secret_of_the_settings_is_in_a_line() -> None:
    """Also a webhook whose address has another form than Discord's."""
    webhook, stream = "https://hooks.example/services/T01/B02/made-up", io.StringIO()
    with open_logs(replace(settings(), alert_webhook=webhook), stream):
        structlog.get_logger("x").warning("refused", url=webhook, why=f"{TOKEN} at {webhook}?wait=1")
    assert TOKEN not in stream.getvalue()
    assert "made-up" not in stream.getvalue()
    assert lines(stream)[0]["url"] == HIDDEN


def test_an_event_is_one_json_line_with_its_fields() -> None:
    stream = io.StringIO()
    with open_logs(settings(), stream):
        structlog.get_logger("voice").warning("link lost", guild_id=42, close_code=4006)
    (line,) = lines(stream)
    assert list(line)[:4] == ["time", "level", "logger", "event"]
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "link lost", "level": "warning", "logger": "voice", "guild_id": 42, "close_code": 4006
    }  # fmt: skip


def test_a_line_of_the_standard_library_has_the_same_form() -> None:
    stream = io.StringIO()
    with open_logs(settings(), stream):
        logging.getLogger("discord.gateway").info("Shard ID %s has connected", 3, extra={"shard_id": 3})
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["shard_id"]) == (
        "Shard ID 3 has connected",
        "discord.gateway",
        3,
    )


def test_bound_context_shows_in_every_line() -> None:
    stream = io.StringIO()
    with open_logs(settings(), stream), structlog.contextvars.bound_contextvars(guild_id=7):
        structlog.get_logger("a").info("own")
        logging.getLogger("b").info("foreign")
    assert [line["guild_id"] for line in lines(stream)] == [7, 7]


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("secret", [TOKEN, SHAPED])
def test_no_secret_is_in_any_part_of_a_line(form: str, secret: str) -> None:
    stream = io.StringIO()
    with open_logs(settings(form), stream):
        log = structlog.get_logger("x")
        log.info(f"message {secret}", field=secret, nested={"headers": [f"Bot {secret}"]})
        logging.getLogger("discord.http").warning("sent %s", {"Authorization": secret})
        try:
            refuse(secret)
        except RuntimeError:
            log.exception("crashed")
            logging.getLogger("asyncio").exception("never retrieved")
    assert secret not in stream.getvalue()
    assert stream.getvalue().count(HIDDEN) >= 6
    assert "RuntimeError" in stream.getvalue()


def test_the_token_in_an_interactions_url_is_hidden() -> None:
    url = f"https://discord.com/api/v10/webhooks/123/{'aW50ZXJhY3Rpb24' * 5}/messages/@original"
    assert Redactor()(url) == f"https://discord.com/api/v10/webhooks/123/{HIDDEN}/messages/@original"


@given(st.text(max_size=50), st.text(max_size=50), st.text(min_size=6, max_size=80))
def test_a_known_secret_never_survives(before: str, after: str, secret: str) -> None:
    parts = Redactor([secret])(before + secret + after).split(HIDDEN)
    assert not any(secret in part for part in parts)


def test_an_empty_secret_hides_nothing() -> None:
    assert Redactor([""])("plain") == "plain"


def test_levels_below_the_setting_are_left_out() -> None:
    stream = io.StringIO()
    with open_logs(settings(level="warning"), stream):
        structlog.get_logger("x").info("quiet")
        logging.getLogger("y").info("quiet")
        structlog.get_logger("x").error("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_without_a_terminal_the_form_is_json() -> None:
    stream = io.StringIO()
    with open_logs(settings(form=None), stream):
        structlog.get_logger("x").info("here")
    assert lines(stream)[0]["event"] == "here"


def test_text_shows_control_characters_instead_of_sending_them() -> None:
    stream = io.StringIO()
    with open_logs(settings("text"), stream):
        structlog.get_logger("x").info("playing", title="a\x1b]0;owned\x07\nfake line")
    assert "\x1b" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_afterwards_everything_is_as_before() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, threading.active_count(), structlog.get_config())
    with open_logs(settings(), io.StringIO()):
        assert root.handlers != before[0]
    after = (list(root.handlers), root.level, threading.active_count(), structlog.get_config())
    assert after == before


def test_a_record_that_cannot_be_formatted_is_told_and_not_raised() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no text for me")

    stream = io.StringIO()
    writer = LineWriter(stream)
    handler = WriterHandler(writer, Redactor(["no text"]))
    handler.handle(logging.makeLogRecord({"name": "x", "msg": "broken %s", "args": (Broken(),)}))
    assert writer.close()
    assert stream.getvalue().startswith("log: a record of x")
    assert f"RuntimeError('{HIDDEN} for me')" in stream.getvalue()


class Held(io.StringIO):
    """A terminal that is held: the first write blocks until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.released = threading.Event()

    def write(self, text: str, /) -> int:
        self.entered.set()
        assert self.released.wait(10)
        return super().write(text)


def test_a_held_stream_blocks_nobody_and_the_loss_is_counted() -> None:
    stream = Held()
    writer = LineWriter(stream, capacity=3)
    writer.put("0")
    assert stream.entered.wait(10)
    for number in range(1, 6):
        writer.put(str(number))
    assert writer.dropped == 2
    assert not writer.close(timeout_s=0.01)
    stream.released.set()
    assert writer.close()
    assert stream.getvalue().splitlines() == ["0", "1", "2", "3", "log: 2 lines were dropped"]


def test_a_stream_that_refuses_does_not_end_the_writer() -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    writer = LineWriter(Full())
    writer.put("lost")
    assert writer.close()
    assert writer.dropped == 1
