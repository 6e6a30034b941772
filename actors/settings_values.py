"""How the text of an environment variable, or a value of ``ostinato.toml``, becomes a setting's value.

Every parser takes the raw value and the folder that relative paths start from, and raises
``InvalidValueError`` with the reason in words. The environment has only text; the file has TOML's types,
and a wrong type there is an error instead of a guess.
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    ExtractorArgs = Mapping[str, Mapping[str, tuple[str, ...]]]

MAX_PREFIX_CHARS = 10
MAX_SOCKET_PATH_BYTES = 100
"""A Unix socket's address holds 108 bytes on Linux and 104 on macOS, the closing NUL included (unix(7))."""

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


class InvalidValueError(ValueError):
    """A value that is no value of its setting; the message gives the reason without the setting's name."""


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address: a host name or an IP address, and a port from 1 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def text(raw: object, _base: Path) -> str:
    """Text as it comes, without the white space around it."""
    if not isinstance(raw, str):
        raise InvalidValueError(f"expected text, got {_kind(raw)}")
    return raw.strip()


def token(raw: object, base: Path) -> str:
    """A bot token. The value never goes into the error: an error ends up in logs and in bug reports."""
    if not isinstance(raw, str) or re.search(r"\s|[^\x21-\x7e]", value := text(raw, base)):
        raise InvalidValueError("not a bot token: it is one word of letters, digits, '.', '-' and '_'")
    return value


def prefix(raw: object, base: Path) -> str:
    """What a text command starts with."""
    value = text(raw, base)
    if not value or len(value) > MAX_PREFIX_CHARS or re.search(r"\s", value):
        raise InvalidValueError(f"expected 1 to {MAX_PREFIX_CHARS} characters without a space, got {value!r}")
    return value


def flag(raw: object, base: Path) -> bool:
    """True or false."""
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and (word := text(raw, base).lower()) in _YES | _NO:
        return word in _YES
    raise InvalidValueError(
        f"expected one of {', '.join(sorted(_YES))} or {', '.join(sorted(_NO))}, got {raw!r}"
    )


def address(raw: object, base: Path) -> Address:
    """``host:port``, or ``[IPv6]:port``."""
    value = text(raw, base)
    matched = re.fullmatch(
        r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:/\[\]@]+)):(?P<port>[0-9]{1,5})", value
    )
    if matched is None or not 1 <= int(matched["port"]) <= 65535:
        raise InvalidValueError(f"expected host:port with a port from 1 to 65535, got {value!r}")
    return Address(matched["v6"] or matched["host"], int(matched["port"]))


def path(raw: object, base: Path) -> Path:
    """A path, absolute; ``~`` is the user's home folder."""
    value = text(raw, base)
    if not value or "\0" in value:
        raise InvalidValueError(f"expected a path, got {value!r}")
    try:
        return (base / Path(value).expanduser()).absolute()
    except RuntimeError as error:  # "~name" of a user who does not exist
        raise InvalidValueError(f"no home folder for {value!r}") from error


def certificates(raw: object, base: Path) -> Path:
    """A readable PEM file with at least one certificate."""
    file = path(raw, base)
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError as error:
        raise InvalidValueError(f"{str(file)!r} holds no PEM certificates") from error
    except OSError as error:
        raise InvalidValueError(f"cannot read {str(file)!r}: {error.strerror}") from error
    return file


def socket_path(raw: object, base: Path) -> Path:
    """A path short enough for a Unix socket."""
    file = path(raw, base)
    if (size := len(bytes(file))) > MAX_SOCKET_PATH_BYTES:
        raise InvalidValueError(
            f"the path {str(file)!r} has {size} bytes, a socket's path may have {MAX_SOCKET_PATH_BYTES}; "
            "name a shorter one"
        )
    return file


def cookies(raw: object, base: Path) -> Path:
    """A file of cookies (Netscape's format: seven fields, tabs between them) that nobody else may read."""
    file = path(raw, base)
    try:
        lines = file.read_text("utf-8", errors="replace").splitlines()
        shared = os.name == "posix" and file.stat().st_mode & 0o077
    except OSError as error:
        raise InvalidValueError(f"cannot read {str(file)!r}: {error.strerror}") from error
    if shared:
        raise InvalidValueError(f"others may read {str(file)!r}; run: chmod 600 {file}")
    entries = [line.removeprefix("#HttpOnly_") for line in lines]
    if not any(len(entry.split("\t")) == 7 for entry in entries if not entry.startswith("#")):
        raise InvalidValueError(f"{str(file)!r} holds no cookies in Netscape's format")
    return file


def extractor_args(raw: object, base: Path) -> ExtractorArgs:
    """``SITE:NAME=VALUE,VALUE;NAME=VALUE`` as yt-dlp writes it; several in a list, or with blanks between.

    The text never goes into the error: it may hold a secret.
    """
    entries = text(raw, base).split() if isinstance(raw, str) else raw
    if not isinstance(entries, list):
        raise InvalidValueError(f"expected a list of texts, got {_kind(raw)}")
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for number, entry in enumerate(entries, start=1):
        site, arguments = _arguments(entry, number)
        found.setdefault(site, {}).update(arguments)
    return found


def _arguments(entry: object, number: int) -> tuple[str, dict[str, tuple[str, ...]]]:
    matched = re.fullmatch(
        r"([\w-]+):(\w[^=;]*=[^;]+(?:;\w[^=;]*=[^;]+)*)", entry if isinstance(entry, str) else ""
    )
    if matched is None:
        raise InvalidValueError(
            f"expected SITE:NAME=VALUE,VALUE;NAME=VALUE, got something else as number {number}"
        )
    pairs = (pair.partition("=") for pair in matched[2].split(";"))
    return matched[1].lower(), {
        name.strip().lower().replace("-", "_"): tuple(
            value.replace(r"\,", ",").strip() for value in re.split(r"(?<!\\),", values)
        )
        for name, _, values in pairs
    }


def ids(raw: object, base: Path) -> tuple[int, ...]:
    """Discord ids: a list of whole numbers or of their texts, or one text with commas between them."""
    entries = re.split(r"[,\s]+", text(raw, base)) if isinstance(raw, str) else raw
    if not isinstance(entries, list):
        raise InvalidValueError(f"expected a list of ids, got {_kind(raw)}")
    return tuple(dict.fromkeys(_id(entry) for entry in entries if entry != ""))


def one_id(raw: object, base: Path) -> int:
    """One Discord id."""
    return _id(raw.strip() if isinstance(raw, str) else raw)


def web_address(raw: object, base: Path) -> str:
    """A web address that is never shown, as whoever knows a webhook can post there."""
    value = text(raw, base)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", value):
        raise InvalidValueError("expected a web address that begins with https://")
    return value


def whole(least: int, most: int) -> Callable[[object, Path], int]:
    """A parser for a whole number between two, both included."""

    def number(raw: object, _base: Path) -> int:
        digits = str(raw).strip() if isinstance(raw, int | str) and not isinstance(raw, bool) else ""
        if not re.fullmatch(r"[0-9]{1,9}", digits) or not least <= int(digits) <= most:
            raise InvalidValueError(f"expected a whole number from {least} to {most}, got {raw!r}")
        return int(digits)

    return number


def one_of(*choices: str) -> Callable[[object, Path], str]:
    """A parser for one of a few words."""

    def choose(raw: object, base: Path) -> str:
        if (value := text(raw, base).lower()) not in choices:
            raise InvalidValueError(f"expected one of {', '.join(choices)}, got {value!r}")
        return value

    return choose


def _id(entry: object) -> int:
    digits = str(entry) if isinstance(entry, int | str) and not isinstance(entry, bool) else ""
    if not re.fullmatch(r"[0-9]{1,19}", digits) or not 0 < int(digits) < 2**63:
        raise InvalidValueError(f"expected Discord ids (whole numbers), got {entry!r}")
    return int(digits)


def _kind(raw: object) -> str:
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(raw), type(raw).__name__)
