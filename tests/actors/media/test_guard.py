"""Which addresses and links are let through."""

from __future__ import annotations

import subprocess
import sys

import pytest

from actors.media import ErrorKind, MediaError
from actors.media.guard import AddressRefusedError, check, is_link, is_public, refusal, require_web_link

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1",  # noqa: S104 - not bound
    "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
    "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::1", "localhost", "example.com", "127.1", "2130706433",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)
    for event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        with pytest.raises(AddressRefusedError):
            check(event, (None, (address, 80)))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)
    check("socket.connect", (None, (address, 443)))


def test_other_sockets_and_events() -> None:
    check("socket.sendmsg", (None, None))
    check("open", ("/etc/hosts", "r", 0))
    for address in ("/run/docker.sock", b"\0abstract", (1, 2)):
        with pytest.raises(AddressRefusedError):
            check("socket.connect", (None, address))


def test_the_hook_meets_every_library_and_names_too() -> None:
    script = """
import socket, urllib.request
from actors.media import guard
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
guard.install()
for attempt in (lambda: socket.create_connection(("localhost", port)),
                lambda: socket.socket().connect(("localhost", port)),
                lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
                lambda: urllib.request.urlopen(f"http://2130706433:{port}/")):
    try:
        attempt()
    except OSError as error:
        assert guard.refusal(error) is not None, error
    else:
        raise SystemExit("a connection was made")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)  # noqa: S603 - the text above


def test_a_name_that_changes_its_address_is_judged_when_it_is_connected_to() -> None:
    """DNS rebinding: the first answer is public, the next one is not; what counts is where it connects to."""
    script = """
import socket
from actors.media import guard
from actors.media.errors import ErrorKind, MediaError
from actors.media.requester import Address
from actors.media.source import HttpSource
server = socket.create_server(("127.0.0.1", 0))
port, answers = server.getsockname()[1], ["8.8.8.8", "127.0.0.1"]

def rebinding(host, port, *more, **others):
    address = answers.pop(0) if len(answers) > 1 else answers[0]
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

socket.getaddrinfo = rebinding
assert guard.is_public(socket.getaddrinfo("rebinding.invalid", port)[0][4][0])
guard.install()
try:
    HttpSource(Address(f"http://rebinding.invalid:{port}/x")).open()
except MediaError as error:
    assert error.kind is ErrorKind.PRIVATE_ADDRESS, error
else:
    raise SystemExit("it was fetched")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)  # noqa: S603 - the text above


def test_no_program_but_the_script_runtime_is_started() -> None:
    script = """
import os, subprocess
from actors.media import guard
guard.install_programs()
for attempt in (lambda: subprocess.run(["ffmpeg", "-version"]), lambda: subprocess.run("true", shell=True),
                lambda: subprocess.run(["deno"], executable="/bin/true"), lambda: os.system("true"),
                lambda: os.posix_spawn("/bin/true", ["deno"], {}), lambda: os.execv("/bin/true", ["deno"]),
                os.fork):
    try:
        attempt()
    except guard.ProgramRefusedError:
        continue
    raise SystemExit("a program was started")
try:
    subprocess.run(["/nowhere/deno"])
except FileNotFoundError:
    pass
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)  # noqa: S603 - the text above


def test_refusals_are_found_behind_other_errors() -> None:
    try:
        try:
            raise AddressRefusedError("no")
        except OSError as error:
            raise ValueError("a library's") from error
    except ValueError as outer:
        found = refusal(outer)
    assert found is not None
    assert (found.kind, found.retryable) == (ErrorKind.PRIVATE_ADDRESS, False)
    assert refusal(OSError("other")) is None


@pytest.mark.parametrize(
    "text", ["https://a.example/x", "http://a", "file:///etc/passwd", " https://a.example "]
)
def test_links(text: str) -> None:
    assert is_link(text)


@pytest.mark.parametrize(
    "text", ["Artist: Song", "a song", "", "://", "what? http://", "C:/music", "ytsearch5:x"]
)
def test_words_to_search_for(text: str) -> None:
    assert not is_link(text)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.example/x", "http://", "http://[::1", "data:x", "//a/b"]
)
def test_only_web_links_pass(url: str) -> None:
    with pytest.raises(MediaError) as caught:
        require_web_link(url)
    assert caught.value.kind is ErrorKind.UNSUPPORTED_LINK
