"""The door of Ostinato: `ostinato`, or `python -m bot_main`.

Exit codes: 0 stopped on purpose, 1 failed, 2 bad usage or settings, with one line that says which.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from actors.exits import BAD_USAGE, FAILED, OK, tell

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (by default the process's own) and return its exit code."""
    from actors.settings import SettingsError

    words = sys.argv[1:] if argv is None else list(argv)
    try:
        # A bot that is started again is waited for, and to read the library of all commands takes 70 ms.
        return _run() if words == ["run"] else _command_line(words)
    except SettingsError as error:
        return tell(BAD_USAGE, str(error))
    except KeyboardInterrupt:
        return OK if words[:1] == ["run"] else FAILED


def _run() -> int:
    from actors.door import run_bot
    from actors.settings import load_settings

    return run_bot(load_settings())


def _command_line(words: Sequence[str]) -> int:
    from bot_commands import command_line

    return command_line(words)


if __name__ == "__main__":
    sys.exit(main())
