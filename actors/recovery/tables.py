"""The policy as tables for the README; a test holds both together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.recovery.policy import POLICY
from actors.recovery.watch import STRETCHES
from actors.voice import CAUSES, Action, RetryPolicy, turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_RETRY = RetryPolicy()

_ACTIONS = {
    Action.RESUME: "Opens another websocket and resumes the session; the music goes on meanwhile",
    Action.IDENTIFY: "Makes a new session at once, and goes on where it was",
    Action.REJOIN: "Asks Discord for new credentials, then makes a new session",
    Action.RENEW: "Leaves and joins again, which may bring another voice server",
    Action.AWAIT_WORD: "Waits briefly for Discord to say whether it was a kick, a move or a new server",
    Action.CLOSE: "Says why in the text channel, and does not come back by itself",
}


def policy_table() -> str:
    """The figures, as markdown."""
    spread = f"±{_RETRY.jitter:.0%}"
    cooldowns = ", ".join(map(_duration, POLICY.cooldowns_s))
    longest, window = _duration(POLICY.cooldowns_s[-1]), _duration(turns.WINDOW_S)
    rows = (
        ("First attempt", "at once"),
        (
            "Further ones",
            f"after {_duration(_RETRY.first_s)}, doubling up to {_duration(_RETRY.longest_s)}, {spread}",
        ),
        ("Attempts in a series", str(_RETRY.attempts)),
        ("Cooldown after a failed series", cooldowns),
        ("After the last cooldown", f"every {longest} while somebody waits in the channel, else it gives up"),
        ("While Discord as a whole has trouble", f"pauses up to {max(STRETCHES):.0f} times as long"),
        (
            "Said in the text channel",
            f"what is not over within {_duration(POLICY.tell_after_s)}, in one message",
        ),
        ("Counters are reset", f"after {_duration(POLICY.stable_s)} of a stable connection"),
        ("Undocumented close codes", f"tried again with care; an alert after {POLICY.unknown} in a row"),
        (
            "Many guilds at once",
            f"{turns.LIMIT} requests in {window} a shard at most, guilds with listeners first",
        ),
    )
    return _table(("What", "Policy"), rows)


def causes_table() -> str:
    """What is done about every cause, as markdown."""
    rows = []
    for action, words in _ACTIONS.items():
        causes = [cause for cause in CAUSES.values() if cause.action is action]
        codes = ", ".join(cause.label for cause in causes if isinstance(cause.key, int))
        faults = ", ".join(cause.name for cause in causes if not isinstance(cause.key, int))
        rows.append((words, codes or "none", faults or "none"))
    return _table(("What the bot does", "Voice close codes", "Other causes"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds <= 60 else f"{seconds / 60:.0f} min"
