"""What a listener heard of a live stream, held against what its server did."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tests.actors.media.streaming import segments_behind, tones

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GAP_MS: Final = 60.0
"""Longer, and a listener would hear it: the limit of the demo."""
BACK_S: Final = 2.0
LOOKED_AT_S: Final = 6.0
"""After the long stall: for so long the stream must stay at its edge."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What counts.

    :ivar longest_gap_ms: between two frames of music, up to the long stall and from where it was over
    :ivar longest_machine_ms: the most that the machine kept the bot waiting for a processor in one that long
    :ivar gaps: how many were longer than GAP_MS even without that wait
    :ivar usual_segments: how far behind the newest segment the music was, as a rule
    :ivar back_s: from the end of the long stall to music at the edge that stays there; None: it was never so
    """

    longest_gap_ms: float
    longest_machine_ms: float
    gaps: int
    usual_segments: int
    back_s: float | None

    @property
    def well(self) -> bool:
        """Whether everything is as promised."""
        return not self.gaps and self.back_s is not None and self.back_s <= BACK_S


def judge(
    frames: Sequence[tuple[float, bytes]],
    newest_at: Callable[[float], int],
    long_stall: tuple[float, float],
    late_ms: Callable[[float, float], float] = lambda _begin, _end: 0.0,
) -> Heard:
    """Of frames of music and when they arrived (s); the long stall is given by its two ends (s).

    :param late_ms: for how long the machine kept the bot waiting between two times (s)
    """
    stalled, over = long_stall
    behind = [(at, segments_behind(newest_at(at), tone)) for at, tone in tones(frames)]
    usual = max(lag for at, lag in behind if at < stalled)
    after = [(at, lag) for at, lag in behind if over <= at <= over + LOOKED_AT_S]
    back_s = back_after(after, usual, over)
    pairs = [*pairwise(at for at, _ in frames if at < stalled)]
    if back_s is not None:
        pairs += pairwise(at for at, _ in frames if over + back_s <= at <= over + LOOKED_AT_S)
    gaps = [(1000 * (end - begin), late_ms(begin, end)) for begin, end in pairs]
    return Heard(
        longest_gap_ms=max(gap for gap, _ in gaps),
        longest_machine_ms=max(late for gap, late in gaps if gap > GAP_MS) if max(gaps)[0] > GAP_MS else 0.0,
        gaps=sum(gap - late > GAP_MS for gap, late in gaps),
        usual_segments=usual,
        back_s=back_s,
    )


def back_after(behind: Sequence[tuple[float, int]], usual: int, over: float) -> float | None:
    """From `over` until the lag is as usual and stays so, give or take the segment that is being heard."""
    late = [at for at, lag in behind if lag > usual + 1]
    back = [at for at, _ in behind if not late or at > late[-1]]
    return back[0] - over if back else None
