"""One ranged HTTP request at a time: links checked, certificates verified, redirects followed by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import certifi
import urllib3

from .errors import ErrorKind, MediaError
from .guard import require_web_link

if TYPE_CHECKING:
    from collections.abc import Mapping

_REDIRECTS = 5
_OWN_HEADERS = {"accept-encoding", "range"}
_PRIVATE_HEADERS = {"cookie", "authorization"}  # stay with the host that they are for


@dataclass(frozen=True, slots=True)
class Address:
    """Where the bytes are: the link and what to send with each request."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Requester:
    """Makes requests to `address`, which may be replaced. `timeout_s`: to connect, and between two pieces."""

    def __init__(self, address: Address, *, timeout_s: float) -> None:
        self.address = address
        self._pool = urllib3.PoolManager(
            maxsize=1,
            cert_reqs="CERT_REQUIRED",
            ca_certs=certifi.where(),
            timeout=urllib3.Timeout(timeout_s),
        )

    def get(self, position: int, size: int) -> urllib3.BaseHTTPResponse:
        """The answer, its body unread and whatever its status, for `size` bytes from `position` on."""
        url, headers = self.address.url, self._headers(position, size)
        for _ in range(_REDIRECTS + 1):
            response = self._get(require_web_link(url), headers)
            target = response.get_redirect_location()
            if not target:
                return response
            response.close()
            url, headers = _follow(url, target, headers)
        raise MediaError(ErrorKind.UNAVAILABLE, "The link is redirected again and again.")

    def close(self) -> None:
        """End kept connections."""
        self._pool.clear()

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

    def _headers(self, position: int, size: int) -> dict[str, str]:
        given = self.address.headers.items()
        headers = {name: value for name, value in given if name.lower() not in _OWN_HEADERS}
        span = f"bytes={position}-{position + size - 1}"
        return {**headers, "Accept-Encoding": "identity", "Range": span}


def _follow(url: str, target: str, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
    following = urljoin(url, target)
    if urlsplit(following).netloc != urlsplit(url).netloc:
        headers = {name: value for name, value in headers.items() if name.lower() not in _PRIVATE_HEADERS}
    return following, headers
