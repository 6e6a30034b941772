"""Somebody who listens in one guild, asks for music, and remembers what was promised."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio

from loopback.errors import NotAnswered, UserMistake
from loopback.waiting import NotSeen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from loopback import Guild, ScriptedUser, TextChannel
    from loopback.chaos.ledger import Ledger
    from loopback.chaos.music import Music

ANSWER_S: Final = 20.0
WAITING: Final = 3
"""Tracks that shall wait, so that the music does not end."""
MOST: Final = 7
"""Tracks that may wait: all stand on one page of the queue."""
NEAR: Final = 100
"""Frames by which a place may be another than the one that was asked for."""
JUMP_NS: Final = 3_000_000_000
"""After its answer a command may take so long to be heard."""
REMEMBERED_NS: Final = 60_000_000_000
LOOKS: Final = 4
"""How often the queue is looked at before it is taken for wrong: tracks end, and answers overtake frames."""
LOOKS_APART_S: Final = 0.7
PAUSE_S: Final = (2.0, 6.0)
TRIES: Final = 10
MOST_LINES: Final = 16
"""Queues that are thought possible."""

DONE: Final = {
    "play": ("Playing", "Queued"),
    "skip": ("Skipped",),
    "pause": ("Paused",),
    "resume": ("The music goes on",),
    "seek": ("The track goes on",),
    "remove": ("Removed",),
    "move": ("**",),
    "join": ("Here I am",),
    "queue": ("Queue",),
}
"""How the answer to a command that was carried out begins."""
NOT_SAVED: Final = "not saved"
_TRACK: Final = re.compile(r"track-(\d+)")


@dataclass(slots=True)
class Tally:
    """What all guests have asked for, and what became of it."""

    given: int = 0
    refused: int = 0
    not_saved: int = 0
    unanswered: int = 0
    lost: int = 0
    done: Counter[str] = field(default_factory=Counter)
    losses: list[tuple[int, str, str]] = field(default_factory=list)
    """Promises that were broken: when (ns), in which guild, and how."""


@dataclass(frozen=True, slots=True)
class Jump:
    """A command after which the music goes on at that frame, of the same track or of another one."""

    from_ns: int
    until_ns: int
    frame: int


@dataclass(eq=False)
class Guest:
    """One guild's.

    :ivar line: tracks as they shall be played, the current one first
    :ivar lines: what else they may be, because a command was not answered
    :ivar maybe: tracks whose `play` was not answered: they may come at any time
    :ivar turn: held by whoever is asking for something
    """

    guild: Guild
    text: TextChannel
    user: ScriptedUser
    music: Music
    random: Random
    tally: Tally
    ledger: Ledger
    line: list[int] = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)
    maybe: set[int] = field(default_factory=set)
    over: bool = False
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _past: deque[tuple[int, tuple[int, ...]]] = field(default_factory=deque)
    _jumps: deque[Jump] = field(default_factory=lambda: deque(maxlen=20))

    # --- for the one who listens ---

    def follows(self, before: int, after: int, since_ns: int) -> bool:
        """Whether the track comes next, as the queue was then, a little before, or later."""
        if after in self.maybe:
            return True
        past = (line for until_ns, line in self._past if until_ns > since_ns - JUMP_NS)
        lines = (*past, self.line, *self.lines)
        return any((before, after) in itertools.pairwise(line) for line in lines)

    def jumped(self, frame: int, since_ns: int, at_ns: int) -> bool:
        """Whether a command may have led there. In a silence none is heard, so it may have been long ago."""
        return any(
            jump.from_ns <= at_ns and since_ns <= jump.until_ns and abs(frame - jump.frame) < NEAR
            for jump in self._jumps
        )

    def entered(self, track: int) -> None:
        """A track has begun: those before it are over."""
        for line in (self.line, *self.lines):
            if track in line:
                self._remember()
                del line[: line.index(track)]

    # --- asking ---

    async def visit(self) -> None:
        """Until it is `over`: keep the queue filled, and play around."""
        while not self.over:
            await anyio.sleep(self.random.uniform(*PAUSE_S))
            async with self.turn:
                if self.lines or self.maybe:
                    await self.look()
                await self._choose()

    async def play(self, trouble: str = "") -> bool:
        """Ask for the next track; whether that was acknowledged."""
        number = next(self._numbers) % self.music.count
        query = self.music.url(number, self.guild.id, trouble)
        return await self._change("play", lambda line, _: [*line, number], new=number, query=query)

    async def _choose(self) -> None:
        waiting, random = len(self.line) - 1, self.random
        if waiting < WAITING:
            await self.play()
            return
        calm = self.music.left_frames(self.guild.id) > 400
        choices: list[tuple[int, Callable[[], Any]]] = [
            (4, self.look),
            (2 if waiting < MOST else 0, self.play),
            (2, self.skip),
            (3, self.seek),
            (1, self.pause),
            (1 if calm else 0, lambda: self.remove(random.randint(1, waiting))),
            (1 if calm else 0, lambda: self.move(random.randint(1, waiting), random.randint(1, waiting))),
        ]
        weights = [weight for weight, _ in choices]
        await random.choices([make for _, make in choices], weights)[0]()

    async def skip(self) -> None:
        """Go on with the next track."""
        with self.ledger.wish("skipped", self.guild.name):
            await self._change("skip", lambda line, named: line[_place(line, named, 0) + 1 :], jump=0)

    async def seek(self) -> None:
        """Go to another place in the track, not too near to its end."""
        second = self.random.randrange(1, int(self.music.seconds) - 8)
        with self.ledger.wish("sought", self.guild.name):
            await self._change("seek", lambda line, _: line, jump=second * 50, position=f"0:{second:02}")

    async def pause(self) -> None:
        """Hold the music for a while."""
        with self.ledger.wish("paused", self.guild.name):
            done, _ = await self.ask("pause")
            await anyio.sleep(self.random.uniform(0.5, 2.0))
            for _ in range(TRIES):
                if done is False or (await self.ask("resume"))[0] is not None:
                    return

    async def remove(self, number: int) -> None:
        """Take the track with that number in the queue out of it."""

        def removed(line: list[int], named: int | None) -> list[int]:
            place = _place(line, named, number)
            return line[:place] + line[place + 1 :]

        await self._change("remove", removed, entry=str(number))

    async def move(self, number: int, to: int) -> None:
        """Put it at another number."""

        def moved(line: list[int], named: int | None) -> list[int]:
            current, *waiting = line
            place = _place(line, named, number)
            if 0 < place <= len(waiting):
                waiting.insert(to - 1, waiting.pop(place - 1))
            return [current, *waiting]

        await self._change("move", moved, entry=str(number), number=to)

    async def come_back(self) -> None:
        """Ask until the bot is in the voice channel again."""
        for _ in range(TRIES):
            if (await self.ask("join"))[0]:
                return
            await anyio.sleep(0.5)

    async def ask(self, name: str, **options: Any) -> tuple[bool | None, str]:
        """A slash command: whether it was carried out (None: nobody knows), and the words of its answer."""
        self.tally.given += 1
        try:
            asked = await self.user.slash(self.text, name, **options)
            text = (await asked.wait_answer(ANSWER_S)).text
        except (NotAnswered, NotSeen, UserMistake):
            self.tally.unanswered += 1
            return None, ""
        if not text.startswith(DONE[name]):
            self.tally.refused += 1
            return False, text
        self.tally.done[name] += 1
        self.tally.not_saved += NOT_SAVED in text
        return True, text

    async def _change(
        self,
        name: str,
        change: Callable[[list[int], int | None], list[int]],
        *,
        jump: int | None = None,
        new: int | None = None,
        **options: Any,
    ) -> bool:
        """Give a command that changes the queue, or the place in the music."""
        if jump is not None:
            asked_ns = time.time_ns()
            self._jumps.append(Jump(asked_ns, asked_ns + int(ANSWER_S * 1e9) + JUMP_NS, jump))
        before = [list(line) for line in (self.line, *self.lines)]
        done, text = await self.ask(name, **options)
        if jump is not None and done:
            self._jumps[-1] = Jump(asked_ns, time.time_ns() + JUMP_NS, jump)
        self._remember()
        found = _TRACK.search(text) if done else None
        named = int(found[1]) if found else None

        def changed(line: list[int], then: Sequence[int]) -> list[int]:
            return _without_past(change(line if name == "play" else list(then), named), line, then)

        lines = [changed(line, then) for line, then in zip((self.line, *self.lines), before, strict=False)]
        if done and NOT_SAVED not in text:
            self.line, *self.lines = lines
        else:  # refused because of a restart, not saved or never answered: it may have been done, or not
            self.lines = [*self.lines, *lines][-MOST_LINES:]
            self.maybe |= {new} if new is not None else set()
        return bool(done)

    # --- looking ---

    async def look(self) -> None:
        """Whether the queue is what it must be after all that was acknowledged."""
        found: list[int] | None = None
        for _ in range(LOOKS):
            done, text = await self.ask("queue")
            if done:
                found = [int(named[1]) for row in text.splitlines() if (named := _TRACK.search(row))]
                if any(self._fits(line, found) for line in (self.line, *self.lines)):
                    self._settle(found)
                    return
            await anyio.sleep(LOOKS_APART_S)
        if found is not None:
            expected = " or ".join(str(line) for line in (self.line, *self.lines))
            words = f"the queue is {found}, and should be {expected}"
            self.tally.lost += 1
            self.tally.losses.append((time.time_ns(), self.guild.name, words))
            self._settle(found)

    def _fits(self, line: list[int], found: list[int]) -> bool:
        """As it is, or as it is when the current track has ended meanwhile."""
        known = [number for number in found if number in line or number not in self.maybe]
        return known in (line, line[1:])

    def _settle(self, found: list[int]) -> None:
        self._remember()
        self.line, self.lines = list(found), []
        self.maybe -= set(found)

    def _remember(self) -> None:
        now_ns = time.time_ns()
        self._past.append((now_ns, tuple(self.line)))
        while self._past[0][0] < now_ns - REMEMBERED_NS:
            self._past.popleft()


def _without_past(after: list[int], now: Sequence[int], before: Sequence[int]) -> list[int]:
    """What a command has made of the queue, without tracks that have ended while it was answered."""
    ended = set(before[: len(before) - len(now)]) if len(now) < len(before) else set()
    return [number for number in after if number not in ended]


def _place(line: Sequence[int], named: int | None, number: int) -> int:
    """Where the track stands that an answer named, or where it was asked for."""
    return line.index(named) if named is not None and named in line else number
