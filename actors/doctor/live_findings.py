"""What `doctor --live` has seen, as findings: which of the bot's assumptions about voice servers hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.doctor.report import Finding, note, ok, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.doctor.live import Seen

FRAMES_PER_S: Final = 50


def judge(seen: Seen) -> list[Finding]:
    """All findings."""
    return [check(seen) for check in _CHECKS]


def _server(seen: Seen) -> Finding:
    latency = "" if seen.link.latency_ms is None else f", round trip {seen.link.latency_ms:.0f} ms"
    return ok("voice server", f"{seen.link.endpoint}{latency}")


def _frames(seen: Seen) -> Finding:
    due = seen.played_s * FRAMES_PER_S
    what = f"{seen.stream.sent} of {due:.0f} left in {seen.played_s:.0f} s, {seen.stream.late} of them late"
    if seen.stream.sent >= due - max(FRAMES_PER_S / 2, 0.02 * due):
        return ok("frames", what)
    return warn("frames", what, "the machine or the network does not keep up; look at its load")


def _mode(seen: Seen) -> Finding:
    return ok("encryption mode", seen.link.mode or "unknown")


def _dave(seen: Seen) -> Finding:
    dave = seen.link.dave
    if dave.epoch is not None:
        return ok("DAVE", f"version {dave.version}, epoch {dave.epoch}, privacy code {dave.privacy_code}")
    what = f"version {dave.version} was negotiated" if dave.version else "the voice server did not ask for it"
    todo = "if nobody else was there: let somebody join, and run this again; a group of one has no keys"
    return note("DAVE", what, todo)


def _rtcp(seen: Seen) -> Finding:
    if seen.link.rtcp_in:
        return ok("inbound RTCP", f"{seen.link.rtcp_in} packets in {seen.played_s:.0f} s")
    return note("inbound RTCP", "none: a voice server that is silent is no sign of a fault")


def _keep_alive(seen: Seen) -> Finding:
    if seen.link.keep_alive_ms is None:
        todo = "nothing; but a black hole of UDP cannot be noticed then, which is worth a report"
        return warn("keep-alives", "the voice server does not send them back", todo)
    return ok("keep-alives", f"sent back after {seen.link.keep_alive_ms:.0f} ms: black holes are noticed")


def _resume(seen: Seen) -> Finding:
    if seen.resume_s is None:
        todo = "this is worth a report, with the output of this command"
        return warn("resume", "after the voice websocket was cut, no session came back in time", todo)
    after = f"after {seen.resume_s * 1000:.0f} ms"
    if seen.resumed:
        return ok("resume", f"RESUMED {after} the websocket was cut; the music went on meanwhile")
    why = seen.refusal or "no reason given"
    return note("resume", f"refused ({why}); a new session was there {after} the websocket was cut")


_CHECKS: tuple[Callable[[Seen], Finding], ...] = (_server, _frames, _mode, _dave, _rtcp, _keep_alive, _resume)
