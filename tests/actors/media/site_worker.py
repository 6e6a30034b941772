"""The resolver's worker with one more site: yt-dlp's whole way is taken without the internet.

`/watch/NAME` of the test's server is a track; its page `/api/NAME` is told which client asks, and states what
yt-dlp calls an info dictionary. `/list/NAME` is a playlist in pages, `/api/NAME?page=N`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import OnDemandPagedList

from actors.media import resolver_worker

PAGE = 10  # entries of a playlist


class StubSiteIE(InfoExtractor):  # type: ignore[misc]  # yt-dlp has no types
    """Named by its class: its arguments are those of `stubsite`."""

    _VALID_URL = r"http://127\.0\.0\.1:\d+/watch/(?P<id>[\w-]+)"

    def _real_extract(self, url: str) -> Any:
        name = self._match_id(url)
        (client,) = self._configuration_arg("client", ["usual"])
        return self._download_json(urljoin(url, f"/api/{name}"), name, query={"client": client})


class StubListIE(InfoExtractor):  # type: ignore[misc]  # yt-dlp has no types
    """A playlist whose pages are fetched as they are needed."""

    _VALID_URL = r"http://127\.0\.0\.1:\d+/list/(?P<id>[\w-]+)"

    def _real_extract(self, url: str) -> Any:
        name = self._match_id(url)

        def page(number: int) -> Any:
            where = urljoin(url, f"/api/{name}")
            for entry in self._download_json(where, name, query={"page": number}):
                if not entry:  # one without an address
                    yield {"_type": "url", "url": "", "title": "gone"}
                    continue
                yield self.url_result(urljoin(url, f"/watch/{entry}"), StubSiteIE, entry, entry)

        return self.playlist_result(OnDemandPagedList(page, PAGE), name, name)


if __name__ == "__main__":
    resolver_worker.main([StubSiteIE, StubListIE])
