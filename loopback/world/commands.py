"""Application commands as the bot synced them, global and per guild."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from loopback.errors import FormError, UserMistake
from loopback.world.option_types import OptionType

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.world.model import Payload
    from loopback.world.snowflakes import Snowflakes

CHAT_INPUT = 1
MAX_COMMANDS = 100
MAX_OPTIONS = 25
MAX_DESCRIPTION = 100
_NAME = re.compile(r"^[-_'\w]{1,32}$")
_MENU_NAME = re.compile(r"^.{1,32}$")
_OPTION_TYPES = {int(one) for one in OptionType}
_DEFAULTS: Payload = {
    "name_localizations": None,
    "description_localizations": None,
    "default_member_permissions": None,
    "dm_permission": True,
    "nsfw": False,
    "integration_types": [0],
    "contexts": None,
}


class Commands:
    """The registry: scope (None = global, else a guild's id) -> commands, each with id and version."""

    def __init__(self, ids: Snowflakes, application_id: int, changed: Callable[[], None]) -> None:
        self._ids = ids
        self._application_id = application_id
        self._changed = changed
        self._scopes: dict[int | None, list[Payload]] = {}
        self.syncs = 0

    def all(self, guild_id: int | None = None) -> list[Payload]:
        """Commands of one scope, as GET answers them."""
        return list(self._scopes.get(guild_id, []))

    def overwrite(self, guild_id: int | None, definitions: list[Any]) -> list[Payload]:
        """Bulk overwrite. Commands of the same type and name keep their id. Raises FormError."""
        for index, one in enumerate(definitions):
            check_definition(one, f"{index}")
        _unique([(one.get("type", CHAT_INPUT), one["name"]) for one in definitions])
        if len(definitions) > MAX_COMMANDS:
            raise FormError("", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_COMMANDS} or fewer in length.")
        self._scopes[guild_id] = [self._stored(guild_id, one) for one in definitions]
        self.syncs += 1
        self._changed()
        return self.all(guild_id)

    def put(self, guild_id: int | None, definition: Any) -> Payload:
        """Create, or replace the one of that type and name. Raises FormError."""
        check_definition(definition, "")
        stored = self._stored(guild_id, definition)
        others = [one for one in self.all(guild_id) if _key(one) != _key(stored)]
        self._scopes[guild_id] = [*others, stored]
        self._changed()
        return stored

    def get(self, guild_id: int | None, command_id: int) -> Payload | None:
        return next((one for one in self.all(guild_id) if one["id"] == str(command_id)), None)

    def remove(self, guild_id: int | None, command: Payload) -> None:
        self._scopes[guild_id].remove(command)
        self._changed()

    def visible(self, guild_id: int | None, name: str, kind: int = CHAT_INPUT) -> Payload:
        """What a user sees under that name: the guild's command hides a global one. Raises UserMistake."""
        for scope in (guild_id, None):
            for one in self.all(scope):
                if _key(one) == (kind, name):
                    return one
        known = sorted({one["name"] for scope in (guild_id, None) for one in self.all(scope)})
        raise UserMistake(f"no command {name!r} has been synced; there are {known}")

    def _stored(self, guild_id: int | None, definition: Payload) -> Payload:
        earlier = next((one for one in self.all(guild_id) if _key(one) == _key(definition)), None)
        stored: Payload = {
            **_DEFAULTS,
            "type": CHAT_INPUT,
            "description": "",
            "options": [],
            **definition,
            "id": earlier["id"] if earlier else str(self._ids.next()),
            "application_id": str(self._application_id),
            "version": str(self._ids.next()),
        }
        if guild_id is not None:
            stored["guild_id"] = str(guild_id)
        return stored


def _key(definition: Payload) -> tuple[int, str]:
    return definition.get("type") or CHAT_INPUT, definition["name"]


def _unique(names: list[Any]) -> None:
    if len(names) != len(set(names)):
        raise FormError("", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")


def check_definition(definition: Any, path: str) -> None:
    """Discord's rules for one command. Raises FormError with the path of the offending field."""
    if not isinstance(definition, dict):
        raise FormError(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
    kind = definition.get("type") or CHAT_INPUT
    name = str(definition.get("name", ""))
    pattern = _NAME if kind == CHAT_INPUT else _MENU_NAME
    if not pattern.match(name) or (kind == CHAT_INPUT and name != name.lower()):
        raise FormError(_join(path, "name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if kind == CHAT_INPUT:
        _check_description(definition, path)
        _check_options(definition.get("options") or [], path)


def _check_description(definition: Payload, path: str) -> None:
    if not 1 <= len(definition.get("description") or "") <= MAX_DESCRIPTION:
        message = f"Must be between 1 and {MAX_DESCRIPTION} in length."
        raise FormError(_join(path, "description"), "BASE_TYPE_BAD_LENGTH", message)


def _check_options(options: list[Payload], path: str) -> None:
    here = _join(path, "options")
    if len(options) > MAX_OPTIONS:
        raise FormError(here, "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_OPTIONS} or fewer in length.")
    _unique([one.get("name") for one in options])
    optional_seen = False
    for index, option in enumerate(options):
        place = _join(here, str(index))
        if option.get("type") not in _OPTION_TYPES:
            raise FormError(
                _join(place, "type"), "BASE_TYPE_CHOICES", "Value must be one of the option types"
            )
        check_definition({**option, "type": CHAT_INPUT}, place)
        if option.get("required") and optional_seen:
            message = "Required options must be placed before non-required options"
            raise FormError(place, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional_seen = optional_seen or not option.get("required")
        if len(option.get("choices") or []) > MAX_OPTIONS:
            raise FormError(_join(place, "choices"), "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
