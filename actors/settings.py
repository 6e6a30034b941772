"""Settings: from the environment, and from ``ostinato.toml``; the environment wins.

The file is ``--config``'s, else ``ostinato.toml`` in the working folder, else the one in the user's
configuration folder. Relative paths in it start at its own folder, those of the environment at the working
folder. An empty environment variable counts as not set.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import platformdirs

from actors import settings_values as values
from actors.queue import CAPACITY, PER_USER
from actors.settings_values import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["SETTINGS", "Address", "Setting", "Settings", "SettingsError", "load_settings", "settings_table"]

CONFIG_NAME = "ostinato.toml"
ENV_PREFIX = "OSTINATO_"
_T = TypeVar("_T")


class SettingsError(Exception):
    """A setting is wrong; the message is one line that says which, and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked. Paths are absolute. The token never shows in the representation."""

    token: str = field(default="", repr=False)
    """The bot's token; empty when none was given: only ``run`` needs one (``require_token``)."""
    data_dir: Path
    discord_address: Address | None = None
    discord_ca: Path | None = None
    allow_private_media: bool = False
    cache_mb: int = 2048
    """For complete spools on disk, in units of 2^20 bytes; 0: none."""
    ytdlp_cookies: Path | None = None
    ytdlp_extractor_args: values.ExtractorArgs = field(default_factory=dict, repr=False)
    """Site's extractor -> argument -> values; may hold secrets."""
    ytdlp_fallback_args: values.ExtractorArgs | None = field(default=None, repr=False)
    """None: the media room's own."""
    ytdlp_per_hour: int = 250
    prefix: str = "!"
    admin_socket: Path
    log_format: str | None = None
    """``json`` or ``text``; None: text on a terminal, json elsewhere."""
    log_level: str = "info"
    guild_sync: tuple[int, ...] = ()
    queue_limit: int = CAPACITY
    queue_limit_per_user: int = PER_USER
    playlist_limit: int = 500
    metrics_address: Address | None = None
    alert_webhook: str | None = field(default=None, repr=False)
    """Whoever knows it can post there: a secret."""
    alert_channel: int | None = None
    alert_4006_per_5min: int = 20
    alert_success_percent: int = 80
    alert_unheard_s: int = 30
    alert_gateway_away_s: int = 60
    config_file: Path | None = None
    """The file that was read, for messages; not a setting."""

    def require_token(self) -> str:
        """The token, or a ``SettingsError`` that says how to give one."""
        if not self.token:
            raise SettingsError(
                "DISCORD_TOKEN: no token given; set it to the token of your bot's page at Discord"
            )
        return self.token


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table of settings: its field in ``Settings``, how it is read, what README says of it."""

    name: str
    parse: Callable[[object, Path], Any]
    default: str
    what: str

    @property
    def env(self) -> str:
        """The name of its environment variable."""
        return "DISCORD_TOKEN" if self.name == "token" else ENV_PREFIX + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("token", values.token, "", "The bot's token. In the file only if nobody else may read the file"),
    Setting("data_dir", values.path, "the platform's user data folder", "Folder of all state"),
    Setting("prefix", values.prefix, "`!`", "What a text command starts with"),
    Setting("guild_sync", values.ids, "", "Ids of guilds that get slash commands at once; none: globally"),
    Setting("queue_limit", values.whole(1, 5000), f"`{CAPACITY}`",
            "Tracks that may wait in one guild, 5000 at most"),
    Setting("queue_limit_per_user", values.whole(1, 5000), f"`{PER_USER}`",
            "How many of these one user may have added"),
    Setting("playlist_limit", values.whole(1, 5000), "`500`",
            "Entries taken of one playlist, 5000 at most: fifty at once, the others as the queue runs short"),
    Setting("allow_private_media", values.flag, "`false`", "Play media from private addresses too"),
    Setting("cache_mb", values.whole(0, 1 << 20), "`2048`",
            "Space for tracks that were played, so that they play again without the network; 0: none"),
    Setting("ytdlp_cookies", values.cookies, "",
            "Cookies for sites, a file in Netscape's format that nobody else may read"),
    Setting("ytdlp_extractor_args", values.extractor_args, "",
            "Arguments for yt-dlp's extractors, as in its `--extractor-args`, with blanks between sites"),
    Setting("ytdlp_fallback_args", values.extractor_args, "`youtube:player_client=tv,web_embedded`",
            "Arguments that are laid over those when a site or its media server refuses"),
    Setting("ytdlp_per_hour", values.whole(10, 10_000), "`250`",
            "How often sites are asked in an hour at most; YouTube locks guests out at about 300"),
    Setting("admin_socket", values.socket_path, "`admin.sock` in the data folder",
            "Unix socket of `ostinato tree`, `kill` and their kin; a path of 100 bytes at most"),
    Setting("log_format", values.one_of("json", "text"), "`text` on a terminal, else `json`",
            "Form of the log lines: `json` or `text`"),
    Setting("log_level", values.one_of("debug", "info", "warning", "error"), "`info`",
            "Least level that is logged: `debug`, `info`, `warning` or `error`"),
    Setting("metrics_address", values.address, "",
            "`host:port` that serves `/metrics`, `/healthz` and `/readyz`"),
    Setting("alert_webhook", values.web_address, "",
            "Webhook that is told of alerts (Discord's form); a secret"),
    Setting("alert_channel", values.one_id, "", "Id of a text channel that is told of alerts"),
    Setting("alert_4006_per_5min", values.whole(1, 100_000), "`20`",
            "Alert when more voice sessions than this become invalid within 5 minutes"),
    Setting("alert_success_percent", values.whole(1, 100), "`80`",
            "Alert when a smaller share of voice incidents ends well"),
    Setting("alert_unheard_s", values.whole(5, 86_400), "`30`",
            "Alert when a guild that should hear music has heard none for so many seconds"),
    Setting("alert_gateway_away_s", values.whole(10, 86_400), "`60`",
            "Alert when Discord's gateway has been away for so many seconds"),
    Setting("discord_address", values.address, "",
            "`host:port` that all TLS connections to Discord go to instead, for tests"),
    Setting("discord_ca", values.certificates, "",
            "PEM file of a certificate authority to trust besides the system's"),
)  # fmt: skip


def load_settings(env: Mapping[str, str] | None = None, config_path: Path | None = None) -> Settings:
    """Read, check and merge; raises ``SettingsError`` with one line at the first thing that is wrong."""
    env = os.environ if env is None else env
    file = _config_file(config_path)
    known: dict[str, Any] = {"config_file": file} | _from_file(file) | _from_env(env)
    known.setdefault("data_dir", platformdirs.user_data_path("ostinato", appauthor=False))
    if "admin_socket" not in known:
        known["admin_socket"] = _checked(
            "OSTINATO_ADMIN_SOCKET", values.socket_path, str(known["data_dir"] / "admin.sock")
        )
    return Settings(**known)


def settings_table() -> str:
    """The rows of README's table of settings, as markdown."""
    rows = (f"| `{s.env}` | `{s.name}` | {s.default or 'none'} | {s.what} |" for s in SETTINGS)
    return "\n".join(
        ["| Environment | In ostinato.toml | Default | What it does |", "|---|---|---|---|", *rows]
    )


def _config_file(wanted: Path | None) -> Path | None:
    if wanted is not None:
        if not wanted.is_file():
            raise SettingsError(f"--config: there is no file {str(wanted)!r}")
        return wanted.absolute()
    folders = (Path.cwd(), platformdirs.user_config_path("ostinato", appauthor=False))
    return next((folder / CONFIG_NAME for folder in folders if (folder / CONFIG_NAME).is_file()), None)


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not valid TOML: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    by_name = {setting.name: setting for setting in SETTINGS}
    _refuse_unknown(content, by_name, f"{file}: ")
    if "token" in content:
        _refuse_readable(file)
    return {n: _checked(f"{file}: {n}", by_name[n].parse, raw, file.parent) for n, raw in content.items()}


def _from_env(env: Mapping[str, str]) -> dict[str, Any]:
    by_env = {setting.env: setting for setting in SETTINGS}
    _refuse_unknown((name for name in env if name.startswith(ENV_PREFIX)), by_env, "")
    given = ((by_env[name], raw) for name, raw in env.items() if name in by_env and raw.strip())
    return {setting.name: _checked(setting.env, setting.parse, raw) for setting, raw in given}


def _checked(where: str, parse: Callable[[object, Path], _T], raw: object, base: Path | None = None) -> _T:
    try:
        return parse(raw, base or Path.cwd())
    except values.InvalidValueError as error:
        raise SettingsError(f"{where}: {error}") from error


def _refuse_unknown(given: Iterable[str], known: Mapping[str, Setting], where: str) -> None:
    for unknown in (name for name in given if name not in known):
        names = {setting.name: name for name, setting in known.items()}
        close = difflib.get_close_matches(unknown.removeprefix(ENV_PREFIX).lower(), names, n=1)
        hint = f"did you mean {names[close[0]]}?" if close else f"known are {', '.join(known)}"
        raise SettingsError(f"{where}{unknown}: unknown setting; {hint}")


def _refuse_readable(file: Path) -> None:
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise SettingsError(f"{file}: holds the token, but others may read the file; run: chmod 600 {file}")
