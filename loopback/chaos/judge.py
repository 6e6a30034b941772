"""Whether what was heard is what may be heard, after all that was done.

A silence may last as long as the forced holes within it and what the faults cost that it may come of. Where
several of these can make an attempt to come back fail, the policy waits for 2 s, 4 s ... (give or take 30 %)
before the next one, and so does the judge.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loopback.chaos.due import covered_ns, share
from loopback.chaos.hearing import FRAME_MS, RawGap
from loopback.chaos.report import Gap, KindFigures, Player, Slip, Timeline, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loopback.chaos.hearing import Hearing, RawSlip
    from loopback.chaos.lateness import Lateness
    from loopback.chaos.ledger import Entry

CALM_MS: Final = 40.0
"""A silence that nobody would call one: nothing need have been done."""
OPEN_NS: Final = 1_000_000_000
"""A silence at the end that has not ended is one from here on."""
SHARE_LOST: Final = 0.001
SHARE_FRAMES: Final = 50
"""So much of the music that was due outside of forced holes may not be heard; some frames for a short run."""
REWIND_NS: Final = 6_000_000_000
STALLED_MS: Final = 1000.0
REWOUND: Final = 175
"""A machine that stands still looks like a hole of UDP, after which the bot goes back as far as this."""
RETRY_MS: Final = 2600.0
HANDSHAKE_MS: Final = 900.0
MOST_RETRIES: Final = 3
FEW: Final = 5
STRETCHES: Final = ((0.5, 3), (0.2, 2))
"""Where so many guilds fail at once, from such a share of them on, pauses are so many times as long."""
AT_ONCE_NS: Final = 3_000_000_000
DEAF_NS: Final = 10_000_000_000
"""A half-open websocket is noticed after so long."""
NO_ECHO_MS: Final = 6000.0
"""A voice server that does not answer over UDP any more has been left by then, as its row says."""
FRESH_NS: Final = 2_000_000_000
"""Faults that were put right so long before a silence have no part in it any more."""
BEFORE_NS: Final = 100_000_000
"""A silence begins with the frame before it; what is done just after that frame is done in the silence."""


@dataclass(eq=False)
class Judge:
    """Of one player.

    :ivar span_ns: what counts, from and to
    """

    seed: int
    span_ns: tuple[int, int]
    entries: Sequence[Entry]
    lateness: Lateness
    violations: list[Violation] = field(default_factory=list)
    _gaps: dict[str, list[RawGap]] = field(default_factory=dict)

    def player(self, name: str, lives: int, hearings: dict[str, Hearing]) -> Player:
        """The verdict."""
        self._gaps = {guild: self._all_gaps(hearing) for guild, hearing in hearings.items()}
        timelines = tuple(self._timeline(guild, hearing) for guild, hearing in hearings.items())
        heard, due = sum(one.heard for one in timelines), sum(one.due for one in timelines)
        if due - heard > SHARE_LOST * due + SHARE_FRAMES:
            words = f"{100 * heard / due:.3f} % of what was due was heard"
            self.broken("heard", self.span_ns[1], None, words)
        gaps = [gap.length_ms for one in timelines for gap in one.gaps]
        return Player(
            name=name,
            share_heard=round(heard / due, 6) if due else 1.0,
            longest_gap_ms=max(gaps, default=0.0),
            lost=sum(one.lost for one in timelines),
            repeated=sum(one.repeated for one in timelines),
            lives=lives,
            faults=tuple(one.to_fault(*self.span_ns) for one in self.entries),
            timelines=timelines,
            kinds=tuple(self._kinds(timelines)),
        )

    def broken(self, invariant: str, at_ns: int, guild: str | None, words: str) -> None:
        """A promise was not kept."""
        at_s = round((at_ns - self.span_ns[0]) / 1e9, 3)
        self.violations.append(Violation(invariant, at_s, guild, words, self.seed))

    # --- one guild ---

    def _timeline(self, guild: str, hearing: Hearing) -> Timeline:
        mine = [one for one in self.entries if one.concerns(guild)]
        raws = self._gaps[guild]
        gaps = tuple(self._gap(guild, raw, mine) for raw in raws)
        slips = tuple(self._slips(guild, hearing.slips, mine))
        excused = [self._excused_ms(raw, gap, mine) for raw, gap in zip(raws, gaps, strict=True)]
        heard, due = share(hearing, self.span_ns, mine, zip(raws, excused, strict=True))
        return Timeline(
            guild=guild,
            heard=heard,
            due=due,
            lost=sum(one.lost for one in slips),
            repeated=sum(one.repeated for one in slips),
            out_of_order=hearing.out_of_order,
            tracks=hearing.tracks,
            gaps=gaps,
            slips=slips,
        )

    def _all_gaps(self, hearing: Hearing) -> list[RawGap]:
        """Also the silence in which the run has ended, if there is one."""
        gaps = [gap for gap in hearing.gaps if gap.start_ns < self.span_ns[1]]
        if self.span_ns[1] - hearing.last_ns > OPEN_NS:
            gaps.append(RawGap(hearing.last_ns, self.span_ns[1]))
        return gaps

    def _gap(self, guild: str, raw: RawGap, mine: Sequence[Entry]) -> Gap:
        causes = self._causes(raw.start_ns - BEFORE_NS, raw.end_ns, mine, raw.length_ms)
        waits = any(one.cost.words for one in causes)
        forced = [one for one in causes if one.cost.forced or (waits and one.cost.away)]
        holes = [(one.start_ns, one.end_ns or raw.end_ns) for one in forced]
        pauses_ms = _retries_ms(raw, causes)
        longer_ms = (self._stretch(raw) - 1) * (pauses_ms + sum(one.cost.pause_ms for one in causes))
        waits_ms = pauses_ms + longer_ms + _words_ms(causes) + _unheard_ms(causes)
        forced_ms = covered_ns(raw.start_ns, raw.end_ns, holes) / 1e6
        allowed_ms = forced_ms + max(CALM_MS, sum(one.cost.bound_ms for one in causes) + waits_ms)
        late_ms = self.lateness.within_ms(raw.start_ns, raw.end_ns)
        gap = Gap(
            start_s=round((raw.start_ns - self.span_ns[0]) / 1e9, 4),
            length_ms=round(raw.length_ms, 1),
            faults=tuple(one.number for one in causes),
            allowed_ms=round(allowed_ms, 1),
            late_ms=late_ms,
        )
        if not gap.ok:
            why = ", ".join(f"{one.kind} {one.path}".strip() for one in causes) or "nothing"
            words = f"{gap.length_ms:.0f} ms of silence, {allowed_ms:.0f} allowed after {why}"
            self.broken("silence", raw.start_ns, guild, words)
        return gap

    def _stretch(self, raw: RawGap) -> int:
        """By how much the policy lengthens its pauses because many guilds are silent at once."""
        until_ns = min(raw.end_ns, raw.start_ns + AT_ONCE_NS)
        silent = sum(
            any(
                one.start_ns <= until_ns and one.end_ns >= raw.start_ns
                for one in gaps
                if one.length_ms > CALM_MS
            )
            for gaps in self._gaps.values()
        )
        shares = (factor for share, factor in STRETCHES if silent >= max(FEW, share * len(self._gaps)))
        return next(shares, 1)

    def _slips(self, guild: str, raws: Iterable[RawSlip], mine: Sequence[Entry]) -> Iterable[Slip]:
        """What a fault allows, it allows once."""
        used: dict[str, Counter[int]] = {"lost": Counter(), "repeated": Counter()}
        for raw in raws:
            causes = self._causes((raw.since_ns or raw.at_ns) - BEFORE_NS, raw.at_ns, mine)
            if raw.unasked:
                self.broken("order", raw.at_ns, guild, raw.unasked)
            for what, count in (("lost", raw.lost), ("repeated", raw.repeated)):
                left = _spend(count, what, causes, used[what])
                if what == "repeated" and left:
                    left = max(0, left - _forgotten(causes, mine))
                if (
                    what == "repeated"
                    and self.lateness.within_ms(raw.at_ns - REWIND_NS, raw.at_ns) > STALLED_MS
                ):
                    left = max(0, left - REWOUND)
                if left:
                    why = ", ".join(one.kind for one in causes) or "nothing"
                    place = f"track {raw.track} from frame {raw.frame}"
                    words = f"{left} frames {what} of {place}, beyond what {why} allows"
                    self.broken(what, raw.at_ns, guild, words)
            if raw.lost or raw.repeated:
                at_s = round((raw.at_ns - self.span_ns[0]) / 1e9, 4)
                numbers = tuple(one.number for one in causes)
                yield Slip(at_s, raw.track, raw.frame, raw.lost, raw.repeated, numbers)

    def _excused_ms(self, raw: RawGap, gap: Gap, mine: Sequence[Entry]) -> float:
        """What of a silence was not due: what the machine was late, and what faults cost together."""
        return gap.late_ms + (gap.allowed_ms if self._is_compound(raw, mine) else 0.0)

    def _is_compound(self, raw: RawGap, mine: Sequence[Entry]) -> bool:
        """Whether more than one fault had a part in it, so that it is one hole as far as it is allowed."""
        found = self._causes(raw.start_ns - BEFORE_NS, raw.end_ns, mine)
        fresh = [
            one
            for one in found
            if (one.end_ns or raw.end_ns) + one.cost.deaf * DEAF_NS > raw.start_ns - FRESH_NS
        ]
        return sum(one.cost.group != "command" for one in fresh) > 1

    def _causes(
        self, start_ns: int, end_ns: int, mine: Sequence[Entry], length_ms: float = 0.0
    ) -> list[Entry]:
        """What a silence may come of: first what explains it at the least cost, the latest of these."""
        found = [one for one in mine if one.start_ns <= end_ns and one.until_ns(self.span_ns[1]) >= start_ns]

        def order(one: Entry) -> tuple[bool, float, int]:
            most_ms = max(CALM_MS, one.cost.bound_ms)
            if one.cost.forced:
                most_ms += covered_ns(start_ns, end_ns, [(one.start_ns, one.end_ns or end_ns)]) / 1e6
            enough = most_ms >= length_ms
            return not enough, most_ms if enough else -most_ms, -one.start_ns

        return sorted(found, key=order)

    # --- kinds of faults ---

    def _kinds(self, timelines: Sequence[Timeline]) -> Iterable[KindFigures]:
        by_number = {one.number: one for one in self.entries}
        done = Counter(one.kind for one in self.entries if one.refused is None)
        gaps: defaultdict[str, list[tuple[Gap, bool]]] = defaultdict(list)
        slips: defaultdict[str, list[Slip]] = defaultdict(list)
        for timeline in timelines:
            for gap in timeline.gaps:
                if gap.faults:
                    alone = len({by_number[number].kind for number in gap.faults}) == 1
                    gaps[by_number[gap.faults[0]].kind].append((gap, alone))
            for slip in timeline.slips:
                if slip.faults:
                    slips[by_number[slip.faults[0]].kind].append(slip)
        for kind, cost in {one.kind: one.cost for one in self.entries}.items():
            alone_gaps = [gap for gap, alone in gaps[kind] if alone]
            most_ms = max(CALM_MS, cost.bound_ms)
            beyond = [gap.length_ms - gap.late_ms - gap.allowed_ms + most_ms for gap in alone_gaps]
            yield KindFigures(
                kind=kind,
                group=cost.group,
                count=done[kind],
                longest_ms=max((gap.length_ms for gap in alone_gaps), default=0.0),
                longest_beyond_ms=round(max(0.0, *beyond), 1) if beyond else 0.0,
                bound_ms=cost.bound_ms,
                lost=sum(slip.lost for slip in slips[kind]),
                repeated=sum(slip.repeated for slip in slips[kind]),
                gaps_ms=tuple(gap.length_ms for gap, _ in gaps[kind]),
            )


def _retries_ms(raw: RawGap, causes: Iterable[Entry]) -> float:
    """What the policy waits if those that were done in the silence made attempts fail."""
    done = [
        one for one in causes if one.cost.retries and (one.end_ns or raw.end_ns) >= raw.start_ns - BEFORE_NS
    ]
    failed = min(len(done) - 1, MOST_RETRIES)
    return sum(RETRY_MS * 2**turn for turn in range(failed)) + HANDSHAKE_MS if failed > 0 else 0.0


def _words_ms(causes: Iterable[Entry]) -> float:
    """What comes later because the words of the main gateway do for which the music waits."""
    costs = [one.cost for one in causes]
    return sum(cost.words for cost in costs) * max((cost.word_ms for cost in costs), default=0.0)


def _unheard_ms(causes: Sequence[Entry]) -> float:
    """A session whose end is said into a half-open websocket: only keep-alives that are not answered tell."""
    deaf = [one.start_ns for one in causes if one.cost.deaf]
    ended = [one.start_ns for one in causes if one.cost.ends]
    unheard = any(at_ns <= end_ns <= at_ns + DEAF_NS for at_ns in deaf for end_ns in ended)
    return NO_ECHO_MS if unheard else 0.0


def _spend(count: int, what: str, causes: Sequence[Entry], used: Counter[int]) -> int:
    """How many are left after each cause has allowed what it still may."""
    for one in causes:
        take = min(count, getattr(one.cost, what) - used[one.number])
        used[one.number] += take
        count -= take
    return count


def _forgotten(causes: Iterable[Entry], mine: Sequence[Entry]) -> int:
    """Frames that were heard while the disk took no position, when the process was killed after that."""
    kills = [one.start_ns for one in causes if one.is_kill]
    unwritten_s = (
        one.cost.unwritten_s
        for one in mine
        for at_ns in kills
        if one.start_ns < at_ns <= (one.end_ns or at_ns) + int(one.cost.unwritten_s * 1e9)
    )
    return round(max(unwritten_s, default=0.0) * 1000 / FRAME_MS)
