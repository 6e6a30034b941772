"""The figures of recovery, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """What follows when a link's own series of attempts (`voice.RetryPolicy`) has failed, and when people
    are told.

    :ivar cooldowns_s: pauses after the first, second ... failed series; the last one is repeated for as long
        as somebody waits in the channel
    :ivar tell_after_s: what is over within this time says nothing in the text channel
    :ivar stable_s: a connection that has stood for so long resets all counters
    :ivar unknown: so many undocumented close codes in a row are an alert
    """

    cooldowns_s: tuple[float, ...] = (30.0, 120.0, 300.0)
    tell_after_s: float = 5.0
    stable_s: float = 600.0
    unknown: int = 3

    def cooldown_s(self, series: int, stretch: float = 1.0) -> float:
        """The pause after that many failed series (1 or more); stretched, but never beyond the longest."""
        pause_s = self.cooldowns_s[min(series, len(self.cooldowns_s)) - 1]
        return min(pause_s * stretch, self.cooldowns_s[-1])

    def lasting(self, series: int) -> bool:
        """All cooldowns have passed in vain: it goes on only if somebody waits for it."""
        return series > len(self.cooldowns_s)


POLICY = RecoveryPolicy()
