"""What a user may fill in for a command's options, and how it goes over the wire."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from loopback.errors import UserMistake
from loopback.world.channels import Channel
from loopback.world.message import Attachment
from loopback.world.model import Role, User

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.world.model import Payload


class OptionType(IntEnum):
    """Types of options (documentation, "Application Command Option Type")."""

    SUB_COMMAND = 1
    SUB_COMMAND_GROUP = 2
    STRING = 3
    INTEGER = 4
    BOOLEAN = 5
    USER = 6
    CHANNEL = 7
    ROLE = 8
    MENTIONABLE = 9
    NUMBER = 10
    ATTACHMENT = 11


GROUPS = (OptionType.SUB_COMMAND, OptionType.SUB_COMMAND_GROUP)
_LARGEST_INTEGER = 1 << 53


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST_INTEGER


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS: dict[OptionType, Callable[[Any], bool]] = {
    OptionType.STRING: lambda value: isinstance(value, str),
    OptionType.INTEGER: _is_integer,
    OptionType.BOOLEAN: lambda value: isinstance(value, bool),
    OptionType.USER: lambda value: isinstance(value, User),
    OptionType.CHANNEL: lambda value: isinstance(value, Channel),
    OptionType.ROLE: lambda value: isinstance(value, Role),
    OptionType.MENTIONABLE: lambda value: isinstance(value, User | Role),
    OptionType.NUMBER: _is_number,
    OptionType.ATTACHMENT: lambda value: isinstance(value, Attachment),
}


def check_value(option: Payload, value: Any) -> None:
    """Discord's client refuses a value of another type, beyond its bounds or not among the choices
    (UserMistake).
    """
    name, kind = option["name"], OptionType(option["type"])
    if not _FITS[kind](value):
        raise UserMistake(f"option {name!r} takes {kind.name.lower()}, not {value!r}")
    choices = option.get("choices") or []
    if choices and value not in [one["value"] for one in choices]:
        raise UserMistake(f"option {name!r} takes one of {[one['value'] for one in choices]}, not {value!r}")
    _check_bounds(option, value)


_BOUNDS: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    ("min_value", lambda value, bound: value >= bound),
    ("max_value", lambda value, bound: value <= bound),
    ("min_length", lambda value, bound: len(value) >= bound),
    ("max_length", lambda value, bound: len(value) <= bound),
    ("channel_types", lambda value, kinds: not kinds or value.kind in kinds),
)


def _check_bounds(option: Payload, value: Any) -> None:
    for key, holds in _BOUNDS:
        bound = option.get(key)
        if bound is not None and not holds(value, bound):
            raise UserMistake(f"option {option['name']!r}: {value!r} breaks {key} {bound}")


def select_options(command: Payload, path: list[str]) -> tuple[Payload, list[str]]:
    """Follow subcommand names from a command to what is invoked: (definition with options, path gone)."""
    here = command
    gone: list[str] = []
    for name in path:
        found = next(
            (one for one in here.get("options") or [] if one["name"] == name and one["type"] in GROUPS), None
        )
        if found is None:
            raise UserMistake(f"{here['name']!r} has no subcommand {name!r}")
        here, gone = found, [*gone, name]
    if any(one["type"] in GROUPS for one in here.get("options") or []):
        names = [one["name"] for one in here["options"]]
        raise UserMistake(f"{here['name']!r} needs a subcommand: one of {names}")
    return here, gone


def fill_in(definition: Payload, given: dict[str, Any], focused: str | None = None) -> list[Payload]:
    """The `options` of an interaction. With `focused` (autocomplete) nothing is required yet."""
    options = definition.get("options") or []
    known = {one["name"]: one for one in options}
    extra = given.keys() - known.keys()
    if extra:
        raise UserMistake(f"{definition['name']!r} has no option {sorted(extra)}; it has {sorted(known)}")
    missing = [name for name, one in known.items() if one.get("required") and name not in given]
    if missing and focused is None:
        raise UserMistake(f"{definition['name']!r} needs the option {missing}")
    filled = []
    for name, option in known.items():
        if name in given:
            filled.append(_filled(option, given[name], focused == name))
    return filled


def _filled(option: Payload, value: Any, focused: bool) -> Payload:
    if focused:
        return {"name": option["name"], "type": option["type"], "value": value, "focused": True}
    check_value(option, value)
    wire = str(value.id) if isinstance(value, User | Channel | Role | Attachment) else value
    return {"name": option["name"], "type": option["type"], "value": wire}
