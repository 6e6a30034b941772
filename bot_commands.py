"""The commands of the command line, and what each takes.

What a command needs is imported in the command, so that ``--help`` answers at once.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter, validators

from actors.exits import BAD_USAGE, FAILED, OK, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.settings import Settings

_DEMO_NEEDS = ("numpy", "matplotlib")

Config = Annotated[
    Path | None,
    Parameter(help="The settings file. Otherwise ostinato.toml here, or in the user's configuration folder."),
]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ostinato")
    except PackageNotFoundError:
        return "unknown (not installed)"


app = App(
    name="ostinato",
    version=_version,
    help=(
        "A self-hosted Discord music bot that does not stop.\n\n"
        "The bot's token is read from the environment variable DISCORD_TOKEN. "
        "Start with `ostinato doctor`: it says what is missing, and what to do about it."
    ),
    help_format="markdown",
    suppress_keyboard_interrupt=False,  # its code would be 130; which it is here, main() says
)


@app.command
def run(*, config: Config = None) -> int:
    """Run the bot until Ctrl-C or SIGTERM."""
    from actors.door import run_bot

    return run_bot(_settings(config))


@app.command
def demo(
    *,
    seconds: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,
    play: str | None = None,
) -> int:
    """Play to a listener without Discord, on this machine, and report what was heard.

    Parameters
    ----------
    seconds
        End after this many seconds of music.
    play
        An audio file, or a link that yt-dlp knows. Otherwise music made by the project itself.
    """
    if missing := [name for name in _DEMO_NEEDS if importlib.util.find_spec(name) is None]:
        return tell(
            FAILED, f"the demo needs {' and '.join(missing)}; install with: pip install 'ostinato[demo]'"
        )
    from functools import partial

    import anyio

    from loopback.demo import run_demo

    return anyio.run(partial(run_demo, play=play, seconds=seconds))


@app.command
def chaos(
    *,
    report: Path,
    seed: int | None = None,
    minutes: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=10_000))] = 2.0,
    guilds: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=100))] = 3,
    against: Literal["stock"] | None = None,
) -> int:
    """Disturb the bot in every way, on this machine and without Discord, and report what listeners heard.

    Parameters
    ----------
    report
        A folder, which gets report.json, report.html and the bot's log.
    seed
        Of all decisions, to do a run again. Otherwise one is drawn, and shown.
    minutes
        For how long.
    guilds
        In how many servers the bot plays.
    against
        What else suffers the same, for comparison: stock, a plain discord.py player.
    """
    from functools import partial

    import anyio

    from loopback.chaos.door import run_chaos

    run = partial(
        run_chaos, seed=seed, minutes=minutes, guilds=guilds, folder=report, against_stock=against == "stock"
    )
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return tell(BAD_USAGE, f"--report {report}: {error.strerror}")
    return anyio.run(run)


@app.command
def tree(
    path: str | None = None,
    /,
    *,
    watch: Annotated[bool, Parameter(negative="")] = False,
    trouble: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    config: Config = None,
) -> int:
    """Show the supervision tree of the running bot.

    Parameters
    ----------
    path
        Only what lives at this path, or fits this pattern: guilds/42, or guilds/*/player
    watch
        A live view, in the manner of top.
    trouble
        Only those who wait for a restart, hold still, are busy for long, or have just failed.
    json
        Print it as JSON; the schema stands in supervision/README.md.
    """
    from actors.admin_console import show_tree, watch_tree

    if watch and json:
        return tell(BAD_USAGE, "--watch and --json exclude each other")
    socket = _settings(config).admin_socket
    if watch and not (sys.stdin.isatty() and sys.stdout.isatty()):
        return tell(BAD_USAGE, "--watch needs a terminal; without one use --json")
    return _ask_bot(
        lambda: watch_tree(socket, path, trouble) if watch else show_tree(socket, path, trouble, json)
    )


@app.command
def kill(path: str, /, *, config: Config = None) -> int:
    """Kill an actor or supervisor of the running bot; its supervisor decides what follows.

    Parameters
    ----------
    path
        As `ostinato tree` shows it, for example guilds/42/player
    """
    return _operate("kill", path, config)


@app.command
def suspend(path: str, /, *, config: Config = None) -> int:
    """Hold an actor of the running bot still: it takes no message in hand until it is resumed or restarted.

    Parameters
    ----------
    path
        As `ostinato tree` shows it, for example guilds/42/display
    """
    return _operate("suspend", path, config)


@app.command
def resume(path: str, /, *, config: Config = None) -> int:
    """Let an actor go on that was suspended.

    Parameters
    ----------
    path
        As `ostinato tree` shows it, for example guilds/42/display
    """
    return _operate("resume", path, config)


@app.command
def trace(
    path: str,
    /,
    *,
    seconds: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=600))] = 10.0,
    json: Annotated[bool, Parameter(negative="")] = False,
    config: Config = None,
) -> int:
    """Show what becomes of each message of an actor, as it happens, over its restarts.

    Parameters
    ----------
    path
        As `ostinato tree` shows it, for example guilds/42/player
    seconds
        For how long.
    json
        One line of JSON for each step.
    """
    from actors.admin_console import show_trace

    socket = _settings(config).admin_socket
    return _ask_bot(lambda: show_trace(socket, path, seconds, json))


@app.command
def health(*, config: Config = None) -> int:
    """Tell whether music flows: exit status 0 if it does, 1 if not. Needs OSTINATO_METRICS_ADDRESS."""
    from actors.settings import SettingsError
    from actors.telemetry.health_client import ask_health

    address = _settings(config).metrics_address
    if address is None:
        raise SettingsError("OSTINATO_METRICS_ADDRESS: not set, so the bot serves no health")
    well, words = ask_health(address)
    if not well:
        return tell(FAILED, words)
    sys.stdout.write(f"{words}\n")
    return OK


@app.command
def doctor(*, live: tuple[int, int] | None = None, config: Config = None) -> int:
    """Check everything that the bot needs, and say what is missing and what to do about it.

    Parameters
    ----------
    live
        Ids of a guild and of a voice channel: join, play for 30 s, and report what the voice server does.
    """
    from actors.doctor import run_doctor

    return run_doctor(_settings(config), live)


def command_line(words: Sequence[str]) -> int:
    """Do what the words say; the exit code.

    :raises SettingsError: a setting, or the file of them, is wrong
    """
    if not words:
        app.help_print([])
        return tell(BAD_USAGE, "name a command")
    try:
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return tell(BAD_USAGE, str(error))
    return code if isinstance(code, int) else OK


def _settings(config: Path | None) -> Settings:
    from actors.settings import load_settings

    return load_settings(config_path=config)


def _operate(operation: str, path: str, config: Path | None) -> int:
    """An operation on the running bot that answers with what came of it."""
    from actors.admin_console import operate

    socket = _settings(config).admin_socket
    return _ask_bot(lambda: operate(socket, operation, path))


def _ask_bot(work: Callable[[], object]) -> int:
    """Do what needs a running bot; one line says why it cannot be done."""
    from actors.admin_client import AdminError, NotRunningError

    try:
        work()
    except (AdminError, NotRunningError) as error:
        return tell(FAILED, str(error))
    return OK
