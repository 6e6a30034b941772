"""Which network addresses a worker may reach, and which programs it may start.

Links come from users, and sites redirect: without a guard a link to a router's page or to a cloud's metadata
service would be fetched from inside the operator's network. The guard is an audit hook (PEP 578): it sees the
address of every connection that Python code of the process makes, after names were resolved and redirects
followed, whatever library makes it. Code that opens sockets in C is not seen; libavformat therefore gets all
its bytes through Python (see `source.py`).
"""

from __future__ import annotations

import ipaddress
import os
import sys
from urllib.parse import urlsplit

from .errors import ErrorKind, MediaError, causes

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_TUNNELS = (
    ipaddress.ip_network("2002::/16"),  # 6to4, RFC 3056
    ipaddress.ip_network("2001::/32"),  # Teredo, RFC 4380
    ipaddress.ip_network("64:ff9b:1::/48"),  # RFC 8215, local use
)
_EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_STARTS = {"subprocess.Popen", "os.exec", "os.posix_spawn"}
_PROGRAMS = {"deno"}  # yt-dlp runs scripts of sites in it, without any permission


class AddressRefusedError(PermissionError):
    """A connection to an address of a private network was refused."""


def is_public(address: str) -> bool:
    """Whether a numeric address is of the public internet. What is no numeric address is not."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        return _is_public_6(ip)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _is_public_6(ip: ipaddress.IPv6Address) -> bool:
    if ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    if any(ip in network for network in _TUNNELS) or ip.is_site_local:
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


class ProgramRefusedError(PermissionError):
    """Another program than a JavaScript runtime was to be started."""


def check(event: str, arguments: tuple[object, ...]) -> None:
    """The hook itself: raises AddressRefusedError for a connection that must not be made."""
    if event not in _EVENTS:
        return
    address = arguments[1] if len(arguments) > 1 else None
    if address is None:  # sendmsg on a connected socket: connect was checked
        return
    host = address[0] if isinstance(address, tuple) and address else address
    if not (isinstance(host, str) and isinstance(address, tuple) and is_public(host)):
        raise AddressRefusedError(f"the address {host!r} is not a public one")


def install() -> None:
    """Guard this process until it ends; an audit hook cannot be taken out again."""
    sys.addaudithook(check)


def check_program(event: str, arguments: tuple[object, ...]) -> None:
    """The hook itself: raises ProgramRefusedError for a program that must not be started.

    A link can bring yt-dlp to start ffmpeg or PhantomJS where they are installed. They make connections of
    their own, which no audit hook sees.
    """
    if event in {"os.system", "os.fork", "os.forkpty"}:
        raise ProgramRefusedError(f"{event} is not allowed")
    if event not in _STARTS or not arguments:
        return
    program = arguments[0]
    if not isinstance(program, (str, bytes, os.PathLike)) or _name(program) not in _PROGRAMS:
        raise ProgramRefusedError(f"the program {program!r} is not started")


def _name(program: str | bytes | os.PathLike[str]) -> str:
    return os.path.basename(os.fsdecode(program))  # noqa: PTH119 - a name, whatever its type


def install_programs() -> None:
    """Refuse other programs in this process until it ends."""
    sys.addaudithook(check_program)


def is_link(text: str) -> bool:
    """Whether a user's text is meant as a link; `Artist: Song` is not."""
    scheme, separator, rest = text.strip().partition("://")
    return bool(separator and rest) and scheme.replace("+", "").replace("-", "").replace(".", "").isalnum()


def require_web_link(url: str) -> str:
    """The link itself if it is http or https with a host, else MediaError (UNSUPPORTED_LINK)."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        fine = False
    if not fine:
        raise MediaError(
            ErrorKind.UNSUPPORTED_LINK, "Only links that begin with http:// or https:// can be played."
        )
    return url


def refusal(error: BaseException) -> MediaError | None:
    """The MediaError to report if the guard's refusal is among what led to this error."""
    if any(isinstance(cause, AddressRefusedError) for cause in causes(error)):
        return MediaError(ErrorKind.PRIVATE_ADDRESS, "Links into private networks are not played.")
    return None
