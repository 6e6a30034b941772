"""All voice sessions of one shard end at the same moment: `make bench-mass` (about six minutes).

The bot is in 200 guilds of one shard; in every second one somebody listens, and every fifth one hears
numbered frames. Then every voice websocket is closed with 4006, in two cases (`--case 0`, `--case 1`: one of
them, beside what was measured of the other before):

- as Discord does it: each guild makes a new session with the credentials that it has, which needs no request
  to the main gateway;
- with the first new identify refused: each guild needs new credentials, that is one request (op 4), of which
  Discord allows 120 a minute. Then the order counts: guilds with listeners first, and none forgotten.

The listeners are the judges; the embedded Discord has counted the requests, and closes a connection that
sends too many. That a frame was lost on the way to the judge is told apart from one that met a dead session:
the kernel's drops at its sockets and the packets for no living session are counted. Written are `mass.json`
and `mass.png` into `build/bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from loopback import Loopback, LoopbackSettings
from loopback.demo.bot import bot_environment
from loopback.listening.listener import NoteKind
from loopback.listening.places import by_number
from loopback.listening.since import heard_since
from loopback.voice.protocol import DavePolicy, VoiceSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from loopback import Guild, VoiceChannel
    from loopback.listening.listener import Mark

    Places = dict[Guild, VoiceChannel]

GATEWAY_LATENCY_MS: Final = 25.0
"""Discord's own is 20 to 30 ms."""
PLAYED: Final = 5
"""Every so manieth guild hears music."""

WINDOW_S: Final = 61.0
"""After this the requests of before count no more."""
HEARD_S: Final = 200.0
LISTEN_S: Final = (15.0, 70.0)
"""After the fault of each case."""
FOLDER: Final = Path("build/bench")
RESULT: Final = FOLDER / "mass.json"
CASES: Final = {"4006": 0, "4006, first identify refused": 1}
"""What happens, and how many identifies of each guild are refused."""
DISCORDS_LIMIT: Final = 120
LINES: Final = ((True, "#c2185b", "somebody listens"), (False, "#9e9e9e", "nobody listens"))
VOICE_STATE: Final = 4


@dataclass(frozen=True, slots=True)
class Back:
    """One guild.

    :ivar back_s: when it had a new voice session (s after the fault; None: never)
    :ivar silent_s: the longest gap, lost and repeated: frames of it; None where nothing was played
    """

    listened: bool
    back_s: float | None
    silent_s: float | None
    lost: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case.

    :ivar requests: op 4 of the shard from the fault on
    :ivar busiest: the most messages of the shard in any minute
    :ivar limit_broken: connections that were closed for sending too many
    :ivar void: packets that came for no living session
    :ivar dropped: packets that the kernel dropped before the judge could read them
    """

    name: str
    guilds: list[Back]
    requests: int
    busiest: int
    limit_broken: int
    void: int
    dropped: int

    def times(self, *, listened: bool | None = None) -> list[float]:
        """When guilds were back, in order; those that never were count as infinite."""
        return sorted(
            float("inf") if one.back_s is None else one.back_s
            for one in self.guilds
            if listened in (None, one.listened)
        )


@asynccontextmanager
async def playing(discord: Loopback, channels: Places, folder: Path) -> AsyncIterator[None]:
    """The bot's process, from when it is in every guild."""
    first = next(iter(channels))
    heard = list(channels)[::PLAYED]
    places = [
        f"{channel.id}:play" if guild in heard else str(channel.id) for guild, channel in channels.items()
    ]
    with (folder / "bot.log").open("wb") as log:
        process = await anyio.open_process(
            [sys.executable, "-m", "tests.bench.mass.bot", *places],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=bot_environment(discord, first.id, folder, os.environ),
        )
    try:
        with anyio.fail_after(HEARD_S):
            for guild in channels:
                await guild.listener.wait_note(NoteKind.SESSION, HEARD_S)
            for guild in heard:
                await guild.listener.wait_frames(100, HEARD_S)
        yield
    except TimeoutError:
        print((folder / "bot.log").read_text("utf-8", "replace")[-3000:])
        raise
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.wait()


def judge(guild: Guild, mark: Mark, began_ns: int) -> Back:
    """What has become of a guild since the mark."""
    sessions = [note.at_ns for note in guild.listener.noted(NoteKind.SESSION) if note.at_ns >= began_ns]
    heard = heard_since(guild.listener, mark, places=by_number)
    return Back(
        listened=bool(guild.audience),
        back_s=(sessions[0] - began_ns) / 1e9 if sessions else None,
        silent_s=heard.longest_gap_ms / 1000 if heard.frames else None,
        lost=heard.lost,
        repeated=heard.repeated,
    )


async def inflict(discord: Loopback, channels: Places, name: str, refused: int, listen_s: float) -> Outcome:
    """Close everything, listen, and count."""
    if refused:
        discord.faults.everywhere.voice.refuse_identifies([4006] * refused)
    marks = {guild: guild.listener.mark() for guild in channels}
    void, dropped = discord.voice.strays, _dropped(channels)
    fault = discord.faults.everywhere.voice.close(4006)
    await anyio.sleep(listen_s)
    shard = discord.gateway.live_sessions[0].shard_id
    guilds = [judge(guild, mark, fault.began_ns) for guild, mark in marks.items()]
    sends = discord.gateway.sends
    requests = len(sends.of(shard_id=shard, op=VOICE_STATE, since_ns=fault.began_ns))
    return Outcome(
        name,
        guilds,
        requests,
        sends.busiest(shard_id=shard),
        sends.exceeded,
        discord.voice.strays - void,
        _dropped(channels) - dropped,
    )


def _dropped(channels: Places) -> int:
    return next(iter(channels)).listener.kernel_drops or 0


async def measure(guild_count: int, cases: Sequence[int], console: Console) -> list[Outcome]:
    """The cases one after the other, in the same guilds."""
    voice = VoiceSettings(dave=DavePolicy.OFF)
    async with Loopback(LoopbackSettings(gateway_latency_ms=GATEWAY_LATENCY_MS, voice=voice)) as discord:
        channels = {}
        for number in range(guild_count):
            guild = discord.add_guild(f"Guild {number}")
            channels[guild] = guild.add_voice_channel("Music")
        listener = discord.add_user("listener")
        for guild in list(channels)[::2]:
            guild.add_member(listener)
            await listener.join(channels[guild])
        console.print(f"{guild_count} guilds join, under the limit ...")
        outcomes = []
        with tempfile.TemporaryDirectory(prefix="ostinato-mass-") as folder:
            async with playing(discord, channels, Path(folder)):
                for case in cases:
                    await anyio.sleep(WINDOW_S)
                    name = list(CASES)[case]
                    console.print(f"{name} ...")
                    outcomes.append(await inflict(discord, channels, name, CASES[name], LISTEN_S[case]))
        return outcomes


def table(outcomes: Sequence[Outcome]) -> Table:
    """One row a case."""
    made = Table(title="voice sessions of one shard that end at the same moment")
    heads = (
        "case", "100 back", "last back", "with listeners", "lost", "repeated", "longest gap", "into the void",
        "dropped", "op 4", "busiest minute",
    )  # fmt: skip
    for head in heads:
        made.add_column(head, justify="left" if head == "case" else "right")
    for one in outcomes:
        times = one.times()
        made.add_row(
            one.name,
            f"{times[min(99, len(times) - 1)]:.2f} s",
            f"{times[-1]:.2f} s",
            f"{one.times(listened=True)[-1]:.2f} s",
            str(sum(each.lost for each in one.guilds)),
            str(sum(each.repeated for each in one.guilds)),
            f"{max((each.silent_s or 0.0 for each in one.guilds), default=0.0):.2f} s",
            str(one.void),
            str(one.dropped),
            str(one.requests),
            f"{one.busiest} of {DISCORDS_LIMIT}" + (" BROKEN" if one.limit_broken else ""),
        )
    return made


def draw(path: Path, outcomes: Sequence[Outcome]) -> None:
    """How many guilds are back, over time; a panel a case."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for one, axes in zip(outcomes, figure.subplots(1, len(outcomes), squeeze=False)[0], strict=True):
        for listened, color, label in (
            (True, "#c2185b", "somebody listens"),
            (False, "#9e9e9e", "nobody listens"),
        ):
            times = [at for at in one.times(listened=listened) if at != float("inf")]
            axes.step([0.0, *times], range(len(times) + 1), where="post", color=color, label=label)
        axes.set_title(one.name)
        axes.set_xlabel("s after the fault")
        axes.set_ylabel("guilds with a voice session again")
        axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mass")
    parser.add_argument("--guilds", type=int, default=200, help="guilds of the shard (default 200)")
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this one, beside the other")
    options = parser.parse_args()
    console = Console()
    known = {} if options.case is None else read(RESULT)
    cases = range(len(CASES)) if options.case is None else [options.case]
    known |= {one.name: one for one in anyio.run(measure, options.guilds, cases, console)}
    outcomes = [known[name] for name in CASES if name in known]
    console.print(table(outcomes))
    FOLDER.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n", "utf-8")
    draw(RESULT.with_suffix(".png"), outcomes)


def read(path: Path) -> dict[str, Outcome]:
    """The cases that were measured before."""
    if not path.exists():
        return {}
    entries = json.loads(path.read_text("utf-8"))
    outcomes = [Outcome(**{**entry, "guilds": [Back(**one) for one in entry["guilds"]]}) for entry in entries]
    return {one.name: one for one in outcomes}


if __name__ == "__main__":
    main()
