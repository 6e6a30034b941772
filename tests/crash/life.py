"""One life of the bot: it is started, people give commands, it is killed, and what it left is judged."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import anyio

from loopback.listening.places import NOWHERE, by_position_code
from tests.crash.model import Command, Known, after, possible, read

if TYPE_CHECKING:
    import itertools
    from collections.abc import Callable, Sequence
    from random import Random

    from loopback.listening.listener import Frame
    from loopback.world.interactions import Interaction
    from tests.crash.house import House, Place

ANSWER_S: Final = 30.0
EARLY: Final = 0.1
"""So many lives end before the bot has come up, most of them while it reads its state."""

LONGEST_S: Final = 1.5
"""For so long commands are given at most, from the first answer on."""

SEEK_ROOM_S: Final = 20.0
"""The witness goes back to the beginning when its track is about to end."""

READ_FRAMES: Final = 40
FRAME_S: Final = 0.02

ANSWERS: Final = {
    "play": ("Playing", "Queued"),
    "skip": ("Skipped",),
    "pause": ("Paused",),
    "resume": ("The music goes on",),
    "stop": ("Stopped",),
    "leave": ("Left",),
    "join": ("Here I am",),
    "seek": ("The track goes on",),
    "volume": ("The volume is",),
    "loop": ("Nothing is repeated", "The current track", "The whole queue"),
    "shuffle": ("2", "3", "4", "5", "6", "7", "8", "9", "1"),
    "remove": ("Removed",),
    "move": ("**",),
}
"""How the answer to a command that was carried out begins."""

NOT_SAVED: Final = "not saved"


@dataclass(eq=False)
class Speaker:
    """Somebody who gives one random command after the other in one place, and remembers what was promised."""

    house: House
    place: Place
    random: Random
    numbers: itertools.count[int]
    known: Known = field(default_factory=Known)
    pending: tuple[Command, Interaction] | None = None
    acknowledged: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    answered: anyio.Event = field(default_factory=anyio.Event)

    async def speak(self) -> None:
        """Until cancelled."""
        while True:
            command = self._choose()
            interaction = await self.place.user.slash(self.place.text, command.name, **command.options)
            self.pending = command, interaction
            await interaction.wait_answer(ANSWER_S)
            self.settle()
            self.answered.set()

    def settle(self) -> None:
        """Take note of the answer to the last command, if one has come."""
        if self.pending is None or self.pending[1].answer is None:
            return
        (command, interaction), self.pending = self.pending, None
        text = interaction.answer.text if interaction.answer is not None else ""
        if NOT_SAVED in text:
            raise AssertionError(f"the disk was not full: {text}")
        if text.startswith(ANSWERS[command.name]):
            self.known = after(self.known, command)
            self.acknowledged[command.name] = self.acknowledged.get(command.name, 0) + 1
        else:
            self.refused.append(f"{command.name}: {text}")
            self.known = replace(self.known, inside=None)  # a play or join that was refused may be on the way

    def _choose(self) -> Command:
        known, random = self.known, self.random
        waiting = len(known.entries) - 1
        choices: list[tuple[int, Callable[[], Command]]] = [
            (2, lambda: Command("volume", {"level": random.randint(0, 200)})),
            (2, lambda: Command("loop", {"mode": random.choice(["off", "track", "queue"])})),
            (1, lambda: Command("join", {})),
            (6 if waiting < 6 else 0, self._play),
            (1 if known.inside else 0, lambda: Command("stop", {})),
            (1 if known.inside else 0, lambda: Command("leave", {})),
        ]
        if waiting >= 0:
            choices.append((2, lambda: Command("resume" if known.paused else "pause", {})))
            choices.append((1, lambda: Command("seek", {"position": f"0:{random.randint(1, 9):02}"})))
        if waiting >= 0 and known.ordered:
            choices.append((3, lambda: Command("skip", {})))
        if waiting >= 2:
            choices.append((1, lambda: Command("shuffle", {})))
        if waiting >= 1 and known.ordered:
            choices.append((2, lambda: Command("remove", {"entry": self._entry()})))
            number = random.randint(1, waiting)
            choices.append((2, lambda: Command("move", {"entry": self._entry(), "number": number})))
        weights = [weight for weight, _ in choices]
        return random.choices([make for _, make in choices], weights)[0]()

    def _entry(self) -> str:
        return str(self.random.randint(1, len(self.known.entries) - 1))

    def _play(self) -> Command:
        number = next(self.numbers)
        return Command("play", {"query": self.house.url(number)}, number)

    def judge(self, found: Known) -> str | None:
        """What is wrong with the state on disk, None if nothing is; from now on it counts as known."""
        pending = self.pending[0] if self.pending is not None else None
        expected = list(possible(self.known, pending))
        known, self.known, self.pending = self.known, found, None
        if any(each.fits(found) for each in expected):
            return None
        return f"{self.place.guild.name}: knew {known}, was asked {pending}, found {found}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One life.

    :ivar wrong: states on disk that break a promise
    :ivar sound: the file is
    :ivar off_s: where the music went on in the next life, less where it had stopped; None if not judged
    :ivar again_s: from the start of this process to its first frame of music, None if it was killed before
    """

    wrong: tuple[str, ...] = ()
    sound: bool = True
    off_s: float | None = None
    again_s: float | None = None


@dataclass(eq=False)
class Witness:
    """The place where nothing is commanded: where the music stops and goes on is heard there."""

    house: House
    place: Place
    stopped_at: int | None = None  # the frame of the track after the last one that was heard
    judged: bool = False

    async def begin(self) -> None:
        """Have the music played, for ever."""
        for name, options in (("play", {"query": self.house.url(0)}), ("loop", {"mode": "track"})):
            asked = await self.place.user.slash(self.place.text, name, **options)
            await asked.wait_answer(ANSWER_S)
        await self.place.guild.listener.wait_frames(50, ANSWER_S)
        self.judged = True

    async def go_back_if_late(self) -> None:
        """Before the track ends, which would be told from nothing."""
        at = self.stopped_at
        if at is not None and at * FRAME_S > self.house.seconds - SEEK_ROOM_S:
            self.judged = False
            asked = await self.place.user.slash(self.place.text, "seek", position="0:01")
            await asked.wait_answer(ANSWER_S)

    def look(self) -> float | None:
        """After a life: how far off it went on (s), if it was heard at all."""
        frames = [frame for frame in self.place.guild.listener.frames if not frame.silence]
        self.place.guild.listener.clear()
        first, last = _first(frames), _last(frames)
        before = self.stopped_at if self.judged else None
        if last is not None:
            self.stopped_at, self.judged = last + 1, True
        return None if first is None or before is None else round((first - before) * FRAME_S, 3)

    def again_s(self) -> float | None:
        """From the start of the process to the first frame of music."""
        music = (frame for frame in self.place.guild.listener.frames if not frame.silence)
        first = next(music, None)
        return None if first is None else (first.arrival_ns - self.house.started_ns) / 1e9


def _first(frames: Sequence[Frame]) -> int | None:
    """The place of the first frame, told from the first that can be read."""
    places = by_position_code(frames[:READ_FRAMES])
    return next((place[1] - index for index, place in enumerate(places) if place != NOWHERE), None)


def _last(frames: Sequence[Frame]) -> int | None:
    """The place of the last frame, told from the last that can be read."""
    tail = frames[-READ_FRAMES:]
    places = list(enumerate(by_position_code(tail)))
    return next((place[1] + len(tail) - 1 - at for at, place in reversed(places) if place != NOWHERE), None)


@dataclass(eq=False)
class Lives:
    """Life after life in one house."""

    house: House
    random: Random
    speakers: Sequence[Speaker]
    witness: Witness
    outcomes: list[Outcome] = field(default_factory=list)

    async def begin(self) -> None:
        """The first life, in which the witness's music begins; it is killed like all others."""
        await self.house.start()
        await self.house.until_ready()
        await self.witness.begin()
        await self._end()

    async def live(self) -> Outcome:
        """One more life, and what is found after it."""
        await self.house.start()
        if self.random.random() < EARLY:
            await anyio.sleep(self.random.uniform(0.05, 1.0))
        else:
            await self.house.until_ready()
            await self.witness.go_back_if_late()
            async with anyio.create_task_group() as tasks:
                for speaker in self.speakers:
                    speaker.answered = anyio.Event()
                    tasks.start_soon(speaker.speak)
                await self.random.choice(self.speakers).answered.wait()
                await anyio.sleep(self.random.uniform(0.0, LONGEST_S))
                await self.house.kill()
                tasks.cancel_scope.cancel()
        return await self._end()

    async def _end(self) -> Outcome:
        await self.house.kill()
        again_s = self.witness.again_s()
        off_s = await anyio.to_thread.run_sync(self.witness.look)
        disk = await anyio.to_thread.run_sync(read, self.house.data)
        wrong = []
        for speaker in self.speakers:
            speaker.settle()
            wrong.append(speaker.judge(disk.guilds.get(speaker.place.guild.id, Known())))
        outcome = Outcome(tuple(filter(None, wrong)), disk.sound, off_s, again_s)
        self.outcomes.append(outcome)
        return outcome

    def parts_s(self) -> dict[str, list[float]]:
        """Of every start that the bot has told itself: how long each part took (s)."""
        parts: dict[str, list[float]] = {}
        for line in self.house.log_lines('"music_again"'):
            said: dict[str, Any] = json.loads(line)
            for name, value in said.items():
                if name.endswith("_s"):
                    parts.setdefault(name, []).append(value)
        return parts
