"""Somebody who listens in one guild, asks for music, and remembers what was promised."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio

from loopback.chaos.expecting import FRAME_NS, JUMP_NS, NEVER_NS, Expecting, Jump
from loopback.chaos.line import OFF, QUEUE, TRACK, Line
from loopback.chaos.shown import named, read_page, whole
from loopback.errors import NotAnswered, UserMistake
from loopback.waiting import NotSeen
from loopback.world.channels import VoiceChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from loopback import Guild, ScriptedUser, TextChannel
    from loopback.chaos.ledger import Entry, Ledger
    from loopback.chaos.music import Music
    from loopback.chaos.shown import Page

ANSWER_S: Final = 20.0
WAITING: Final = 3
"""Tracks that shall wait, so that the music does not end."""
MOST: Final = 7
"""Where so many wait no more are asked for in passing; media in trouble are, whatever waits."""
LOOKS: Final = 4
"""How often the queue is looked at before it is taken for wrong: tracks end, and answers overtake frames."""
LOOKS_APART_S: Final = 0.7
PAUSE_S: Final = (2.0, 6.0)
PAUSED_S: Final = (0.5, 2.0)
AGAIN_S: Final = 0.5
"""Until a command is given again that has to be carried out."""
SOUND_S: Final = (1.5, 4.0)
"""How long the music is left as it does not sound in its file."""
HEARD_S: Final = 15.0
"""A command about the sound is heard after so long, whatever fails meanwhile. For how long the processes that
make the sound wait for a processor comes on top.
"""
KILLS_AMONG: Final = 400
"""Latest faults among which the process was killed, if it was in the present silence."""
BEFORE_KILL_NS: Final = 100_000_000
CALM: Final = 400
"""Frames that the current track has left where nothing about the queue shall change by itself."""
CALL_S: Final = 45.0
"""The bot is called for so long."""

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
    "volume": ("The volume is",),
    "filter": ("The filter", "The music is as it was recorded"),
    "loop": ("Nothing is repeated", "The current track is repeated", "The whole queue is repeated"),
}
"""How the answer to a command that was carried out begins."""
READING: Final = ("queue", "join")
"""Commands after which nothing of the music is saved."""
NOT_SAVED: Final = "not saved"
Sound: TypeAlias = tuple[str, dict[str, Any], dict[str, Any]]
"""A command, its options after which the music sounds otherwise, and those after which it is as it was."""
SOUNDS: Final[tuple[Sound, ...]] = (
    ("volume", {"level": 40}, {"level": 100}),
    ("volume", {"level": 160}, {"level": 100}),
    ("filter", {"name": "bass"}, {"name": "off"}),
    ("filter", {"name": "soft"}, {"name": "off"}),
)


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


@dataclass(eq=False, kw_only=True)
class Guest(Expecting):
    """One guild's.

    :ivar turn: held by whoever is asking for something
    :ivar workers_late_ns: for how long the machine has kept the bot's workers waiting, from some moment on
    """

    guild: Guild
    text: TextChannel
    user: ScriptedUser
    music: Music
    random: Random
    tally: Tally
    ledger: Ledger
    over: anyio.Event = field(default_factory=anyio.Event)
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    workers_late_ns: Callable[[], int] = lambda: 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def jumped(self, frame: int, since_ns: int, at_ns: int, *, same: bool = False, unheard: int = 0) -> bool:
        """As it is said there; what was not saved is undone by a restart, wherever that was."""
        forgot = self._forgot(since_ns, at_ns)
        return forgot or super().jumped(frame, since_ns, at_ns, same=same, unheard=unheard)

    def led_back(self, frame: int, since_ns: int, at_ns: int) -> bool:
        """Whether a restart in that silence has undone what was not saved, and has led back to that place."""
        return self._forgot(since_ns, at_ns) and self.has_led(frame)

    def _saved(self, saved: bool) -> None:
        """As it is said there; what is saved now may be what was left when the rest had been forgotten."""
        if saved and self._forgotten_at():
            self._may_be(self.undone)
        super()._saved(saved)

    def _forgot(self, since_ns: int, at_ns: int) -> bool:
        """Whether what was not saved was undone between these, or just before."""
        return any(since_ns <= at + BEFORE_KILL_NS and at <= at_ns for at in self._forgotten_at())

    def _forgotten_at(self) -> list[int]:
        """When what was not saved was undone, ns."""
        late = self.ledger.entries[-KILLS_AMONG:]
        forgot = [one.start_ns for one in late if one.forgets and one.concerns(self.place)]
        return [at_ns for at_ns in forgot if self.is_unsaved(at_ns)]

    # --- asking ---

    async def visit(self) -> None:
        """Until it is `over`: keep the queue filled, and play around."""
        while not await self._waited(self.random.uniform(*PAUSE_S)):
            async with self.turn:
                await self._follow()
                if self.lines or self.maybe or self.undone:
                    await self.look()
                await self._choose()

    async def _waited(self, seconds: float) -> bool:
        """Do nothing for so long, or until it is over: whether it is."""
        with anyio.move_on_after(seconds):
            await self.over.wait()
        return self.over.is_set()

    async def play(self, trouble: str = "") -> bool:
        """Ask for the next track; whether that was acknowledged."""
        number = next(self._numbers) % self.music.count
        query = self.music.url(number, self.guild.id, trouble)
        return await self._change("play", lambda line, _: line.played(number), new=number, query=query)

    async def _choose(self) -> None:
        waiting, random = len(self.line.tracks) - 1, self.random
        if waiting < WAITING:
            await self.play()
            return
        calm = self.music.left_frames(self.guild.id) > CALM
        choices: list[tuple[int, Callable[[], Any]]] = [
            (4, self.look),
            (2 if waiting < MOST else 0, self.play),
            (2, self.skip),
            (3, self.seek),
            (1, self.pause),
            (1 if calm else 0, lambda: self.remove(random.randint(1, waiting))),
            (1 if calm else 0, lambda: self.move(random.randint(1, waiting), random.randint(1, waiting))),
            (1 if calm else 0, self.change_sound),
            (1, self.repeat_track),
            (1, self.repeat_queue),
        ]
        weights = [weight for weight, _ in choices]
        await random.choices([make for _, make in choices], weights)[0]()

    async def skip(self) -> None:
        """Go on with the next track."""
        with self.ledger.wish("skipped", self.guild.name):
            await self._change("skip", lambda line, named: line.skipped(named), jump=0)

    async def seek(self, second: int | None = None) -> None:
        """Go to another place in the track, not too near to its end unless that is asked for."""
        second = self.random.randrange(1, int(self.music.seconds) - 8) if second is None else second
        with self.ledger.wish("sought", self.guild.name):
            await self._change("seek", lambda line, _: line, jump=second * 50, position=f"0:{second:02}")

    async def pause(self) -> None:
        """Hold the music for a while."""
        with self.ledger.wish("paused", self.guild.name):
            done, _ = await self.ask("pause")
            await anyio.sleep(self.random.uniform(*PAUSED_S))
            if done is not False:
                await self._resume()

    async def _resume(self) -> None:
        """Until it is not paused any more, and would not be after a restart either."""
        with anyio.move_on_after(CALL_S):
            while True:
                done, text = await self.ask("resume")
                if done is False:  # it is not paused: is that saved? Every change saves the whole state
                    done, text = await self.ask("volume", level=100)
                if done and NOT_SAVED not in text:
                    return
                await anyio.sleep(AGAIN_S)

    async def remove(self, number: int) -> None:
        """Take the track with that number in the queue out of it."""
        await self._change("remove", lambda line, named: line.removed(named, number), entry=str(number))

    async def move(self, number: int, to: int) -> None:
        """Put it at another number."""
        await self._change(
            "move", lambda line, named: line.moved(named, number, to), entry=str(number), number=to
        )

    async def loop(self, mode: str) -> bool:
        """Repeat the track, the queue or nothing; whether that was acknowledged.

        It may be heard before it is answered.
        """
        self._may_be([line.looped(mode) for line in self.all_lines])
        return await self._change("loop", lambda line, _: line.looped(mode), mode=mode)

    async def repeat_track(self) -> None:
        """Hear the end of the current track, and its beginning after that."""
        if await self.loop(TRACK):
            await self.seek(int(self.music.seconds) - 3)
            await self._waited(5.0)
        await self._stop_repeating()

    async def repeat_queue(self) -> None:
        """What is skipped then is the last one of the queue."""
        if await self.loop(QUEUE):
            await self.skip()
            await self.look()
        await self._stop_repeating()

    async def _stop_repeating(self) -> None:
        with anyio.move_on_after(CALL_S):
            while not await self.loop(OFF) or self.line.loop != OFF:  # noqa: ASYNC110 - a fact of the bot
                await anyio.sleep(AGAIN_S)

    async def change_sound(self, sound: Sound | None = None) -> None:
        """Louder, softer or filtered for a while, which is soon heard, and then as it was."""
        name, other, usual = self.random.choice(SOUNDS) if sound is None else sound
        with self.ledger.wish("sounded otherwise", self.guild.name):
            asked_ns = time.time_ns()
            self.other_sound_ns = asked_ns, asked_ns + NEVER_NS
            done, text = await self.ask(name, **other)
            if done and NOT_SAVED not in text:
                await self._hear_other_sound(name, asked_ns)
            await self._waited(self.random.uniform(*SOUND_S))
            if await self._until_saved(name, **usual):
                self.other_sound_ns = asked_ns, time.time_ns() + int(HEARD_S * 1e9)

    async def _until_saved(self, name: str, /, **options: Any) -> bool:
        """Give a command until it was carried out for good: what is not saved is undone by a restart."""
        with anyio.move_on_after(CALL_S):
            while True:
                done, text = await self.ask(name, **options)
                if done and NOT_SAVED not in text:
                    return True
                await anyio.sleep(AGAIN_S)
        return False

    async def _hear_other_sound(self, name: str, asked_ns: int) -> None:
        """It was acknowledged; in a silence there is nothing to hear of it."""
        heard, began_ns, late_ns = self.music.heard(self.guild.id), time.time_ns(), self.workers_late_ns()
        with anyio.move_on_after(CALL_S):
            while time.time_ns() - began_ns < HEARD_S * 1e9 + self.workers_late_ns() - late_ns:
                if self.music.other_sound_ns(self.guild.id) >= asked_ns:
                    return
                await anyio.sleep(0.1)
        due = (time.time_ns() - began_ns) // FRAME_NS
        if self.music.heard(self.guild.id) - heard > due * 0.9:
            self._missed(f"the {name} was changed, and nobody heard it")

    async def come_back(self, away: Entry) -> None:
        """Call the bot until it is in the voice channel again, also if its process is killed meanwhile, and
        until that is saved: what is not saved is undone by a restart.

        :param away: is ended when the bot is back, however often it is called after that
        """
        with anyio.move_on_after(CALL_S):
            while True:
                done, text = await self.ask("join")
                away.end_ns = (away.end_ns or time.time_ns()) if done else None
                if done and NOT_SAVED not in text:
                    return
                await anyio.sleep(AGAIN_S)
                await self._follow()

    async def _follow(self) -> None:
        """Be where the bot is: who is not has no say while others listen."""
        bot, me = (self.guild.voice_of(one) for one in (self.guild.world.bot, self.user))
        channel = None if bot is None else self.guild.channels.get(bot.channel_id or 0)
        if isinstance(channel, VoiceChannel) and (me is None or me.channel_id != channel.id):
            await self.user.join(channel)

    async def ask(self, name: str, /, **options: Any) -> tuple[bool | None, str]:
        """A slash command: whether it was carried out (None: nobody knows), and the words of its answer."""
        self.tally.given += 1
        self.diary.note(self.guild.name, "asked", command=name, options=options)
        try:
            asked = await self.user.slash(self.text, name, **options)
            text = (await asked.wait_answer(ANSWER_S)).text
        except (NotAnswered, NotSeen, UserMistake) as error:
            self.tally.unanswered += 1
            self.diary.note(self.guild.name, "unanswered", command=name, why=repr(error))
            return None, ""
        self.diary.note(self.guild.name, "answered", command=name, text=text)
        if not text.startswith(DONE[name]):
            self.tally.refused += 1
            return False, text
        self.tally.done[name] += 1
        self.tally.not_saved += NOT_SAVED in text
        if name not in READING:
            self._saved(NOT_SAVED not in text)
        return True, text

    async def _change(
        self,
        name: str,
        change: Callable[[Line, int | None], Line],
        *,
        jump: int | None = None,
        new: int | None = None,
        **options: Any,
    ) -> bool:
        """Give a command that changes the queue, or the place in the music."""
        if jump is not None:
            asked_ns = time.time_ns()
            self._jump(Jump(asked_ns, asked_ns + int(ANSWER_S * 1e9) + JUMP_NS, jump, name == "skip"))
        before = self.all_lines
        done, text = await self.ask(name, **options)
        if jump is not None and done:
            self._jumps[-1] = replace(self._jumps[-1], until_ns=time.time_ns() + JUMP_NS)
        self._remember()
        track = named(text) if done else None
        nows = self.all_lines
        lines = [_meanwhile(change(then, track), then, now) for now, then in zip(nows, before, strict=False)]
        if done and NOT_SAVED not in text:
            self.line, *self.lines = dict.fromkeys(lines)
        else:  # refused because of a restart, not saved or never answered: it may have been done, or not
            self._may_be(lines)
            self.maybe |= {new} if new is not None else set()
        if name == "loop" and nows != before:  # a track has ended meanwhile: before that, or after?
            self._may_be(change(now, track) for now in nows)
        return bool(done)

    # --- looking ---

    async def look_last(self) -> None:
        """When all is put right: now the queue has to be told."""
        if not await self.look():
            self._missed("the queue is not told at the end")

    async def look(self) -> bool:
        """Whether the queue is what it must be after all that was acknowledged; False if it was not told.

        An answer that was long on its way shows the queue as it was before what has been heard since.
        """
        found: Line | None = None
        for _ in range(LOOKS):
            then = self.all_lines
            shown = await self._read()
            if shown is not None:
                found = _meanwhile(shown, then[0], self.line)
                if any(self._fits(line, shown) for line in (*then, *self.all_lines, *self.undone)):
                    self._settle(found)
                    return True
            await anyio.sleep(LOOKS_APART_S)
        if found is not None:
            expected = " or ".join(dict.fromkeys(map(str, self.all_lines)))
            self._missed(f"the queue is {found}, and should be {expected}")
            self._settle(found)
        return found is not None

    async def _read(self) -> Line | None:
        """The queue on all its pages; None if one was not answered, or it changed while they were turned."""
        pages: list[Page] = []
        while not pages or len(pages) < pages[0].pages:
            options = {"page": len(pages) + 1} if pages else {}
            done, text = await self.ask("queue", **options)
            if not done:
                return None
            pages.append(read_page(text))
        return whole(pages)

    def _missed(self, words: str) -> None:
        """A promise was broken."""
        self.tally.lost += 1
        self.tally.losses.append((time.time_ns(), self.guild.name, words))


def _meanwhile(after: Line, then: Line, now: Line) -> Line:
    """What a command has made of the queue as it was then; tracks may have ended while it was answered."""
    return after.entered(now.tracks[0]) if now.tracks[:1] != then.tracks[:1] and now.tracks else after
