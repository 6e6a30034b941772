"""Settings: where they come from, which wins, and that a mistake is one clear line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from actors.settings import SETTINGS, Address, Settings, SettingsError, load_settings, settings_table
from actors.settings_values import MAX_SOCKET_PATH_BYTES, InvalidValueError, address, ids

COOKIES = "# Netscape HTTP Cookie File\n#HttpOnly_.a.invalid\tTRUE\t/\tTRUE\t0\tname\tvalue\n"
TOKEN = "made-up-token-of-a-test"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and empty user folders beside it; the working folder is given."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return work


def write(file: Path, content: str, mode: int = 0o600) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(mode)
    return file


def refusal(env: dict[str, str] | None = None, config: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(env or {}, config)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults(tmp_path: Path) -> None:
    data = tmp_path / "data" / "ostinato"
    assert load_settings({}) == Settings(data_dir=data, admin_socket=data / "admin.sock")


def test_every_field_is_a_setting_and_every_setting_a_field() -> None:
    assert {s.name for s in SETTINGS} == {f.name for f in dataclasses.fields(Settings)} - {"config_file"}
    assert len({s.env for s in SETTINGS}) == len(SETTINGS)


def test_everything_from_the_environment(folders: Path) -> None:
    import certifi

    env = {
        "DISCORD_TOKEN": f" {TOKEN}\n",
        "OSTINATO_DATA_DIR": "state",
        "OSTINATO_PREFIX": "?",
        "OSTINATO_GUILD_SYNC": "1, 2,1",
        "OSTINATO_ALLOW_PRIVATE_MEDIA": "1",
        "OSTINATO_CACHE_MB": "0",
        "OSTINATO_ADMIN_SOCKET": "a.sock",
        "OSTINATO_LOG_FORMAT": "JSON",
        "OSTINATO_LOG_LEVEL": "debug",
        "OSTINATO_DISCORD_ADDRESS": "127.0.0.1:8443",
        "OSTINATO_DISCORD_CA": certifi.where(),
        "OSTINATO_YTDLP_COOKIES": "cookies.txt",
        "OSTINATO_YTDLP_EXTRACTOR_ARGS": r"YouTube:player-client=web,tv;po-token=a\,b youtube:a=b x:y=z",
        "OSTINATO_YTDLP_FALLBACK_ARGS": "youtube:player_client=ios",
        "OSTINATO_YTDLP_PER_HOUR": "99",
        "PATH": "/bin",
    }
    cookies = write(folders / "cookies.txt", COOKIES)
    assert load_settings(env) == Settings(
        token=TOKEN, data_dir=folders / "state", prefix="?", guild_sync=(1, 2), allow_private_media=True,
        cache_mb=0, admin_socket=folders / "a.sock", log_format="json", log_level="debug",
        discord_address=Address("127.0.0.1", 8443), discord_ca=Path(certifi.where()),
        ytdlp_cookies=cookies, ytdlp_per_hour=99,
        ytdlp_fallback_args={"youtube": {"player_client": ("ios",)}},
        ytdlp_extractor_args={
            "youtube": {"player_client": ("web", "tv"), "po_token": ("a,b",), "a": ("b",)},
            "x": {"y": ("z",)},
        },
    )  # fmt: skip


def test_everything_from_a_file_with_tomls_types(folders: Path) -> None:
    file = write(
        folders / "conf" / "my.toml",
        'token = "abc"\nguild_sync = [5, "6"]\nallow_private_media = true\ndata_dir = "d"\n',
    )
    found = load_settings({}, Path("conf/my.toml"))
    assert (found.token, found.guild_sync, found.allow_private_media) == ("abc", (5, 6), True)
    assert (found.data_dir, found.config_file) == (folders / "conf" / "d", file)


def test_the_environment_wins_unless_it_is_empty(folders: Path) -> None:
    write(folders / "ostinato.toml", 'prefix = "f"\nlog_level = "error"')
    found = load_settings({"OSTINATO_PREFIX": "e", "OSTINATO_LOG_LEVEL": " "})
    assert (found.prefix, found.log_level) == ("e", "error")


def test_the_working_folders_file_comes_before_the_users(folders: Path, tmp_path: Path) -> None:
    users = write(tmp_path / "config" / "ostinato" / "ostinato.toml", 'prefix = "u"')
    assert load_settings({}).config_file == users
    write(folders / "ostinato.toml", 'prefix = "w"')
    assert load_settings({}).prefix == "w"


def test_a_named_file_must_exist() -> None:
    assert refusal(config=Path("missing.toml")) == "--config: there is no file 'missing.toml'"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_token_in_a_file_for_others_is_refused(folders: Path, mode: int) -> None:
    file = write(folders / "ostinato.toml", f'token = "{TOKEN}"', mode)
    message = refusal()
    assert f"chmod 600 {file}" in message
    assert TOKEN not in message
    write(file, 'prefix = "?"', mode)
    assert load_settings({}).prefix == "?"


def test_the_token_is_in_no_representation_and_in_no_error() -> None:
    assert TOKEN not in repr(load_settings({"DISCORD_TOKEN": TOKEN}))
    assert TOKEN not in refusal({"DISCORD_TOKEN": f"Bot {TOKEN}"})


def test_only_run_needs_a_token() -> None:
    with pytest.raises(SettingsError, match=r"^DISCORD_TOKEN: "):
        load_settings({}).require_token()
    assert load_settings({"DISCORD_TOKEN": TOKEN}).require_token() == TOKEN


@pytest.mark.parametrize(
    ("given", "closest"),
    [
        ("OSTINATO_PREFX", "OSTINATO_PREFIX"),
        ("OSTINATO_TOKEN", "DISCORD_TOKEN"),
        ("OSTINATO_LOGFORMAT", "OSTINATO_LOG_FORMAT"),
        ("OSTINATO_DISCORD_ADDR", "OSTINATO_DISCORD_ADDRESS"),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_closest(given: str, closest: str) -> None:
    assert refusal({given: "x"}) == f"{given}: unknown setting; did you mean {closest}?"


def test_an_unknown_name_in_the_file_is_an_error_too(folders: Path) -> None:
    file = write(folders / "ostinato.toml", "[voice]\nbitrate = 1\n")
    assert refusal().startswith(f"{file}: voice: unknown setting; known are token, ")
    write(file, 'data-dir = "x"')
    assert refusal().endswith("did you mean data_dir?")


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"OSTINATO_ALLOW_PRIVATE_MEDIA": "maybe"}, "expected one of 1, on, true, yes or 0, false, no, off"),
        ({"OSTINATO_DISCORD_ADDRESS": "localhost"}, "expected host:port"),
        ({"OSTINATO_DISCORD_ADDRESS": "localhost:0"}, "1 to 65535"),
        ({"OSTINATO_DISCORD_CA": "no.pem"}, "cannot read"),
        ({"OSTINATO_LOG_FORMAT": "xml"}, "expected one of json, text, got 'xml'"),
        ({"OSTINATO_PREFIX": "a b"}, "without a space"),
        ({"OSTINATO_CACHE_MB": "-1"}, "a whole number from 0 to"),
        ({"OSTINATO_CACHE_MB": "1.5"}, "a whole number"),
        ({"OSTINATO_GUILD_SYNC": "12, twelve"}, "'twelve'"),
        ({"OSTINATO_YTDLP_COOKIES": "none.txt"}, "cannot read"),
        ({"OSTINATO_YTDLP_EXTRACTOR_ARGS": "youtube"}, "expected SITE:NAME=VALUE"),
        ({"OSTINATO_YTDLP_FALLBACK_ARGS": "youtube:a=b x:y"}, "number 2"),
        ({"OSTINATO_YTDLP_PER_HOUR": "5"}, "a whole number from 10 to 10000, got '5'"),
        ({"OSTINATO_DATA_DIR": "~nobody-has-this-name/x"}, "no home folder"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(env: dict[str, str], words: str) -> None:
    (name,) = env
    message = refusal(env)
    assert message.startswith(f"{name}: ")
    assert words in message


def test_a_wrong_type_in_the_file_is_no_guess(folders: Path) -> None:
    file = folders / "ostinato.toml"
    for content, words in (
        ("prefix = 1", "expected text, got a number"),
        ("guild_sync = 5", "expected a list of ids, got a number"),
        ("guild_sync = [true]", "expected Discord ids"),
        ("allow_private_media = 1", "got 1"),
        ("prefix = ", "not valid TOML"),
    ):
        write(file, content)
        assert words in refusal()


def test_a_file_without_certificates_is_refused(folders: Path) -> None:
    write(folders / "ca.pem", "not a certificate")
    assert "holds no PEM certificates" in refusal({"OSTINATO_DISCORD_CA": "ca.pem"})


def test_cookies_that_others_may_read_or_that_are_none_are_refused(folders: Path) -> None:
    for content, mode, words in (
        (COOKIES, 0o644, "chmod 600"),
        ('[{"name": "x"}]', 0o600, "holds no cookies"),
    ):
        write(folders / "c.txt", content, mode)
        assert words in refusal({"OSTINATO_YTDLP_COOKIES": "c.txt"})


def test_arguments_of_extractors_are_in_no_representation_and_in_no_error() -> None:
    assert "SECRET" not in repr(load_settings({"OSTINATO_YTDLP_EXTRACTOR_ARGS": "youtube:po_token=SECRET"}))
    assert "SECRET" not in refusal({"OSTINATO_YTDLP_EXTRACTOR_ARGS": "youtube:SECRET"})


def test_a_long_data_folder_asks_for_a_short_socket(folders: Path) -> None:
    deep = "d" * MAX_SOCKET_PATH_BYTES
    assert refusal({"OSTINATO_DATA_DIR": deep}).startswith("OSTINATO_ADMIN_SOCKET: the path ")
    short = load_settings({"OSTINATO_DATA_DIR": deep, "OSTINATO_ADMIN_SOCKET": "/run/o.sock"})
    assert short.admin_socket == Path("/run/o.sock")


def test_the_table_for_the_readme_has_a_row_for_each_setting() -> None:
    rows = settings_table().splitlines()
    assert len(rows) == 2 + len(SETTINGS)
    assert {row.count("|") for row in rows} == {5}


@given(st.sampled_from(["localhost", "10.0.0.1", "::1", "fe80::1:2"]), st.integers(1, 65535))
def test_an_address_reads_back(host: str, port: int) -> None:
    assert address(str(Address(host, port)), Path()) == Address(host, port)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_clear_no(text: str) -> None:
    try:
        found = address(text, Path())
    except InvalidValueError:
        return
    assert 1 <= found.port <= 65535
    assert found.host


@given(st.lists(st.integers(1, 2**63 - 1), max_size=5))
def test_ids_read_the_same_from_text_and_from_a_list(wanted: list[int]) -> None:
    assert (
        ids(",".join(map(str, wanted)), Path()) == ids(list(wanted), Path()) == tuple(dict.fromkeys(wanted))
    )
