"""Checks of what the bot is made of: the packages and the program that audio and media need."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sysconfig
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

from actors.doctor.report import Finding, fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_DENO = (2, 3, 0)
"""The least that yt-dlp's solver of YouTube's challenges accepts."""
STALE_YT_DLP_DAYS = 60
DENO_TIMEOUT_S = 10.0


def check_parts() -> Iterator[Finding]:
    """All checks of packages and programs, one after the other."""
    yield check_opus()
    yield check_encryption()
    yield check_yt_dlp()
    yield check_ejs()
    yield check_deno()


def check_opus() -> Finding:
    """The encoder that makes 20 ms Opus frames; it comes inside PyAV."""
    try:
        av = importlib.import_module("av")
        av.codec.Codec("libopus", "w")
    except (ImportError, ValueError) as error:
        return fail(
            "opus",
            f"no libopus encoder in PyAV: {error}",
            "install the wheel: pip install --force-reinstall av",
        )
    return ok("opus", f"libopus encoder of PyAV {av.__version__}")


def check_encryption() -> Finding:
    """Both ciphers of Discord's voice transport, tried on a packet."""
    try:
        bindings = importlib.import_module("nacl.bindings")
        aead = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead")
        key, packet = bytes(32), b"packet"
        sealed = aead.AESGCM(key).encrypt(bytes(12), packet, b"")
        aead.AESGCM(key).decrypt(bytes(12), sealed, b"")
        bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(packet, b"", bytes(24), key)
    except Exception as error:  # whatever keeps a cipher from working is the finding
        todo = "install PyNaCl and cryptography from their wheels"
        return fail("voice encryption", f"{type(error).__name__}: {error}", todo)
    return ok("voice encryption", "AES-256-GCM and XChaCha20-Poly1305")


def check_yt_dlp() -> Finding:
    """yt-dlp, and its age: sites change faster than once in two months."""
    version = _version("yt-dlp")
    if version is None:
        return fail("yt-dlp", "not installed", "pip install yt-dlp")
    age_days = _age_days(version)
    if age_days is not None and age_days > STALE_YT_DLP_DAYS:
        return warn(
            "yt-dlp",
            f"{version} is {age_days} days old",
            "pip install --upgrade yt-dlp yt-dlp-ejs",
        )
    return ok("yt-dlp", version)


def check_ejs() -> Finding:
    """The solver scripts: yt-dlp ignores, without a word, a version that it does not ask for."""
    found, wanted = _version("yt-dlp-ejs"), _wanted_ejs()
    todo = f"pip install yt-dlp-ejs=={wanted}" if wanted else "pip install yt-dlp-ejs"
    if found is None:
        return warn("yt-dlp-ejs", "not installed: most of YouTube will not play", todo)
    if wanted and found.split(".")[:2] != wanted.split(".")[:2]:
        return warn("yt-dlp-ejs", f"{found}, but yt-dlp asks for {wanted}", todo)
    return ok("yt-dlp-ejs", found)


def check_deno() -> Finding:
    """The JavaScript runtime of the solver, looked for where yt-dlp looks."""
    folders = (sysconfig.get_path("scripts"), os.environ.get("PATH", ""))
    program = shutil.which("deno", path=os.pathsep.join(folders))
    if program is None:
        return warn("deno", "not found: most of YouTube will not play", "pip install deno")
    try:
        answer = subprocess.run(  # noqa: S603 - a program of our own environment, with fixed words
            [program, "--version"], capture_output=True, text=True, timeout=DENO_TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return warn("deno", f"{program} does not run: {error}", "pip install --force-reinstall deno")
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", answer)
    if version is None or tuple(map(int, version.groups())) < MIN_DENO:
        return warn("deno", f"{answer.strip()} is too old for yt-dlp", "pip install --upgrade deno")
    return ok("deno", version[0])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _wanted_ejs() -> str:
    """The version that yt-dlp's metadata asks for, or nothing if it asks for none."""
    for requirement in metadata.requires("yt-dlp") or [] if _version("yt-dlp") else []:
        if matched := re.match(r"yt[-_]dlp[-_]ejs\s*\(?==\s*([\w.]+)", requirement):
            return matched[1]
    return ""


def _age_days(version: str) -> int | None:
    numbers = re.match(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", version)
    if numbers is None:
        return None
    year, month, day = map(int, numbers.groups())
    return (datetime.now(UTC) - datetime(year, month, day, tzinfo=UTC)).days
