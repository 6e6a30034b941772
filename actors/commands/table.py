"""The commands as a table: the code is tested against it, and so is the README's table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One row. `arguments` as a person types them, `who` may use it, `what` it does."""

    name: str
    arguments: str
    who: str
    what: str


LISTENERS = "listeners"
"""Those in the bot's voice channel; anybody while nobody else listens."""

ANYBODY = "anybody"
ADMINISTRATORS = "administrators"

COMMANDS: tuple[Command, ...] = (
    Command(
        "play", "<query>", LISTENERS, "Play a link, a playlist, or the best match of a search; joins you"
    ),
    Command("skip", "", LISTENERS, "Go on with the next track"),
    Command("pause", "", LISTENERS, "Hold the music at the present position"),
    Command("resume", "", LISTENERS, "Go on after a pause"),
    Command("stop", "", LISTENERS, "Stop the music and empty the queue"),
    Command("leave", "", LISTENERS, "Stop the music, empty the queue and leave the voice channel"),
    Command("join", "", LISTENERS, "Come to your voice channel"),
    Command("queue", "[page]", ANYBODY, "Show what waits, ten entries a page"),
    Command("nowplaying", "", ANYBODY, "Show the current track and its position"),
    Command("seek", "<mm:ss>", LISTENERS, "Go to a position in the current track"),
    Command("volume", "<0-200>", LISTENERS, "Set the volume in percent"),
    Command("filter", "<off|bass|treble|soft|normalise>", LISTENERS, "Change the sound, from now on"),
    Command("loop", "<off|track|queue>", LISTENERS, "Repeat nothing, the current track, or the whole queue"),
    Command("shuffle", "", LISTENERS, "Put what waits into a random order"),
    Command(
        "remove", "<entry>", LISTENERS, "Take an entry out of the queue, by its number or its id as shown"
    ),
    Command("move", "<entry> <number>", LISTENERS, "Put a waiting entry at another number"),
    Command(
        "voicestatus",
        "",
        ANYBODY,
        "Show the voice connection: state, latency, incidents, next attempt",
    ),
    Command("reconnect", "", ADMINISTRATORS, "Make a new voice connection at once, whatever cooldown runs"),
    Command("tree", "", ANYBODY, "Show how the actors of this server are; administrators may restart them"),
)


def described(name: str) -> str:
    """What a command does, for Discord's list of slash commands."""
    return next(command.what for command in COMMANDS if command.name == name)


def commands_table(prefix: str = "!") -> str:
    """The rows of README's table of commands, as markdown."""
    rows = (f"| `{_usage(command)}` | {command.who} | {command.what} |" for command in COMMANDS)
    head = f"| Command (slash `/`, text `{prefix}`) | Who | What it does |"
    return "\n".join([head, "|---|---|---|", *rows])


def _usage(command: Command) -> str:
    return f"{command.name} {command.arguments}".strip().replace("|", "\\|")
