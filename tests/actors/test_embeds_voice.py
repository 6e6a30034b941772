"""What is shown of the voice connection: short, in words, and within Discord's limits."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from actors import embeds_voice
from actors.messages import LinkPhase, NowPlaying, Phase, TroubleNews, VoiceReport
from actors.recovery import INCIDENTS, Health, Incident, Outcome
from actors.testing import FakeLink
from actors.voice import CAUSES, Fault, cause_of

AT = 1_700_000_000.0


def incident(outcome: Outcome = Outcome.OPEN, *, attempts: int = 0) -> Incident:
    begun = Incident("a1", AT, attempts=attempts).noted(AT, cause_of(4006)).silenced(AT)
    return begun if outcome is Outcome.OPEN else begun.ended(AT + 12.0, outcome)


def fields(news: TroubleNews) -> dict[str, str]:
    embed = embeds_voice.trouble(news)
    return {str(field.name): str(field.value) for field in embed.fields}


def test_trouble_that_lasts() -> None:
    news = TroubleNews(incident(attempts=2), cause_of(4006), next_at=AT + 20)
    assert fields(news) == {
        "What happened": "Session no longer valid (close code 4006)",
        "What happens next": "The next attempt is <t:1700000020:R>; 2 attempts failed so far.",
        "What you can do": cause_of(4006).advice,
    }


def test_trouble_that_is_over() -> None:
    shown = fields(TroubleNews(incident(Outcome.BACK), cause_of(None, Fault.UDP_HOLE)))
    assert shown["What happened"] == "Voice packets do not arrive"
    assert "after 12 s of silence" in shown["What happens next"]
    assert "What you can do" not in shown


@given(
    st.sampled_from(list(CAUSES.values())), st.sampled_from(Outcome), st.one_of(st.none(), st.floats(0, 4e9))
)
def test_every_cause_and_outcome_can_be_shown(cause: object, outcome: Outcome, next_at: float | None) -> None:
    embed = embeds_voice.trouble(TroubleNews(incident(outcome), cause, next_at))  # type: ignore[arg-type]  # a row
    assert embed.title
    assert len(embed) < 700, "short"


def report(**more: object) -> VoiceReport:
    link = FakeLink(5, lambda _event: None).status()
    return VoiceReport(LinkPhase.READY, 5, link=link, **more)  # type: ignore[arg-type]  # its own fields


def rows(shown: VoiceReport) -> dict[str, str]:
    embed = embeds_voice.status(shown, NowPlaying(Phase.PLAYING))
    return {str(field.name): str(field.value) for field in embed.fields}


def test_a_healthy_connection() -> None:
    assert rows(report()) == {
        "Round trip": "12 ms",
        "Round trip (UDP)": "3 ms",
        "Encryption": "aead_aes256_gcm_rtpsize",
        "End-to-end encryption": "DAVE 1, epoch 2",
        "Playback": "Now playing",
        "Last 24 hours": "Nothing happened.",
    }


def test_one_that_has_trouble() -> None:
    shown = rows(report(next_at=AT, close_code=4006, problem="session *no* longer valid"))
    assert shown["Next attempt"] == "<t:1700000000:R>"
    assert shown["Last close code"] == "4006"
    assert shown["Last problem"] == r"session \*no\* longer valid"


def test_what_is_kept_over_restarts_is_shown_in_words() -> None:
    """Of what this incarnation of the connection has not seen itself."""
    bad = Health(AT - 90, 23.4, 4006, "session *no* longer valid", 3, AT - 5, AT - 60, AT - 300)
    shown = rows(report(health=bad))
    assert shown["Health"] == (
        "Last connected <t:1699999700:R>. In trouble since <t:1699999940:R>. 3 attempts since then, "
        "the latest <t:1699999995:R>. "
        "The voice server last answered a heartbeat <t:1699999910:R>, after 23 ms."
    )
    assert (shown["Last close code"], shown["Last problem"]) == ("4006", r"session \*no\* longer valid")


def test_one_that_never_came_about_says_so() -> None:
    assert "Health" not in rows(report(health=Health()))
    assert rows(report(health=Health().tried(AT)))["Health"] == (
        "It has never been connected. One attempt since then, <t:1700000000:R>."
    )


def test_what_is_meant_to_happen_is_told() -> None:
    away = VoiceReport(LinkPhase.AWAY, health=Health(success_at=AT, attempt_at=AT))
    assert rows(away)["Health"].endswith("It does not come back by itself: join or play calls it.")
    wanted = rows(report(health=Health(success_at=AT, attempt_at=AT), override=True))
    assert wanted["Health"].endswith("An administrator wants it back, whatever pause runs.")


def test_the_timeline_is_newest_first_with_the_open_incident() -> None:
    past = (incident(Outcome.BACK, attempts=1), incident(Outcome.GAVE_UP))
    lines = rows(report(past=past, incident=incident()))["Incidents"].splitlines()
    assert [line.rsplit(" · ", 1)[1] for line in lines] == ["goes on", "given up", "back"]
    assert (
        lines[2] == "<t:1700000000:f> 4006: session no longer valid · silent 12.0 s · 1 attempt failed · back"
    )


def test_a_long_timeline_stays_within_discords_limit() -> None:
    endless = incident(Outcome.BACK)
    for code in range(4900, 5000):
        endless = endless.noted(AT, cause_of(code))
    shown = rows(report(past=(endless,) * INCIDENTS))["Incidents"]
    assert 0 < len(shown) <= embeds_voice.FIELD_TEXT


@pytest.mark.parametrize("phase", list(LinkPhase))
def test_every_phase_is_a_sentence(phase: LinkPhase) -> None:
    embed = embeds_voice.status(VoiceReport(phase, 5), None)
    assert str(embed.description).startswith("The bot is ")
