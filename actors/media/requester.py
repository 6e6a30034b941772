"""One ranged HTTP request at a time: links checked, certificates verified, redirects followed by hand."""

from __future__ import annotations

import socket
import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import certifi
import urllib3

from .errors import ErrorKind, MediaError
from .guard import require_web_link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REDIRECTS = 5
_OWN_HEADERS = {"accept-encoding", "range", "if-range", "host", "content-length", "transfer-encoding"}
_PRIVATE_HEADERS = {"cookie", "authorization"}  # stay with the host that they are for


@dataclass(frozen=True, slots=True)
class Address:
    """Where the bytes are: the link and what to send with each request."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def leading_to(self, url: str) -> Address:
        """Another link that this one names. What proves who asks goes to the same server only."""
        if _origin(url) == _origin(self.url):
            return Address(url, self.headers)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _PRIVATE_HEADERS}
        return Address(url, kept)


def _origin(url: str) -> tuple[str, str]:
    """RFC 6454: a secret sent over https is not sent over http, nor to another port."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


class Requester:
    """Makes requests to `address`, which may be replaced. `timeout_s`: to connect, and between two pieces."""

    def __init__(self, address: Address, *, timeout_s: float) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._sockets = weakref.WeakSet[socket.socket]()
        self._aborted = False
        self._pool = urllib3.PoolManager(
            maxsize=1,
            cert_reqs="CERT_REQUIRED",
            ca_certs=certifi.where(),
            timeout=urllib3.Timeout(timeout_s),
        )
        self._pool.pool_classes_by_scheme = _pools(self._opened)

    def get(self, position: int, size: int, unchanged: str | None = None) -> urllib3.BaseHTTPResponse:
        """The answer, its body unread and whatever its status, for `size` bytes from `position` on.

        :param unchanged: the tag of the file that they must be of (RFC 9110, 13.1.5), else all of it comes
        """
        address = self.address
        for _ in range(_REDIRECTS + 1):
            response = self._get(require_web_link(address.url), _headers(address, position, size, unchanged))
            target = response.get_redirect_location()
            if not target:
                return response
            response.close()
            address = address.leading_to(urljoin(address.url, target))
        raise MediaError(ErrorKind.UNAVAILABLE, "The link is redirected again and again.")

    def close(self) -> None:
        """End kept connections."""
        self._pool.clear()

    def abort(self) -> None:
        """End whatever a request waits for, from any thread.

        The timeout is one between two pieces, so a server that sends its headers byte by byte holds a request
        for hours.
        """
        with self._lock:
            self._aborted = True
            for sock in list(self._sockets):
                _shut_down(sock)

    def _opened(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.add(sock)
            if self._aborted:
                _shut_down(sock)

    def _get(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        return self._pool.request(
            "GET",
            url,
            headers=headers,
            preload_content=False,
            decode_content=False,
            redirect=False,
            retries=False,
        )


def _headers(address: Address, position: int, size: int, unchanged: str | None) -> dict[str, str]:
    given = address.headers.items()
    headers = {name: value for name, value in given if name.lower() not in _OWN_HEADERS}
    headers |= {"Accept-Encoding": "identity", "Range": f"bytes={position}-{position + size - 1}"}
    return headers if unchanged is None else {**headers, "If-Range": unchanged}


def _shut_down(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which another thread is amidst
    except OSError:
        pass  # closed, or never connected


def _pools(opened: Callable[[socket.socket], None]) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Pools whose connections tell of their sockets."""

    class Plain(urllib3.connection.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    class Secure(urllib3.connection.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            assert self.sock is not None  # noqa: S101 - it has just been connected
            opened(self.sock)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
