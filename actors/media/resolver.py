"""The bot's side of finding: asks the workers that run yt-dlp, remembers their answers, keeps to a budget."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from .budget import Budget
from .errors import ErrorKind, MediaError
from .extraction_order import Order
from .extractions import Extractions
from .extractions_file import ExtractionsFile
from .flights import Flights
from .pool import Pool
from .ytdlp_params import ALWAYS, merged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .access import Access
    from .limits import Limits

    Found = dict[str, Any]
    Stream = dict[str, Any]

MODULE = "actors.media.resolver_worker"

log = structlog.get_logger(__name__)


class Resolver:
    """Finds tracks and streams while `run` runs. `counts`: hit, miss, extraction, joined, limited."""

    def __init__(
        self, common: dict[str, Any], *, folder: Path, access: Access, limits: Limits, module: str = MODULE
    ) -> None:
        settings = {
            **common,
            "cache_dir": str(folder / "yt-dlp"),
            "cookies": None if access.cookies is None else str(access.cookies),
        }
        self._limits = limits
        self._playlist = access.playlist
        self._pool = Pool(
            ["-m", module, json.dumps(settings)],
            processes=limits.resolvers,
            capacity=1,
            recycle_after=limits.recycle_resolver_after,
            grace_s=0.0,  # an extraction cannot be interrupted: to end it, its process is killed
        )
        # Arguments may hold secrets: they go through the pipe, for a command line is everybody's to read.
        self._clients = [
            merged(ALWAYS, access.arguments),
            merged(ALWAYS, access.arguments, access.fallback),
        ]
        self._known = Extractions()
        self._budget = Budget(access.per_hour)
        self._file = ExtractionsFile(folder / "extractions", self._known, self._budget)
        self._finding = Flights["Found"]()
        self._streaming = Flights["Stream | None"]()
        self.counts = Counter[str]()
        self.on_extraction: Callable[[str, float], None] = _ignore  # is told `ok` or the error's kind, and s

    @property
    def pids(self) -> list[int]:
        """Of the workers that live now."""
        return [worker.pid for worker in self._pool.workers if worker.pid is not None]

    async def run(self) -> None:
        """Own the workers and the file of what is known, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._file.run)
            tasks.start_soon(self._pool.run)

    async def find(self, query: str) -> Found:
        """What is behind a link or a search: `tracks` (fields of Track without the asker) and `listing`.

        Of a list it is the first page. Raises MediaError.
        """
        await self._file.read_in.wait()
        known = self._known.found(query)
        self._count("miss" if known is None else "hit")
        return await self._finding.of(query, lambda: self._find(query)) if known is None else known

    async def more(self, url: str, first: int, bound: int) -> Found:
        """The page of a list that begins with entry `first`, up to `bound` at most. Raises MediaError."""
        return await self._finding.of((url, first, bound), lambda: self._page(url, first, bound, due=True))

    async def _find(self, query: str) -> Found:
        found = await self._page(query, 1, self._playlist, due=False)
        for item in found["tracks"]:
            if (stream := item.pop("stream", None)) is not None:
                self._known.keep_stream(item["url"], _as_asked(stream, 0, 0))
        self._known.keep_found(query, found)
        return found

    async def _page(self, query: str, first: int, bound: int, *, due: bool) -> Found:
        last = min(first + self._limits.page - 1, bound)
        request = {"query": query, "clients": self._clients, "first": first, "last": last}
        return await self._extract(request, due=due)

    async def stream(
        self, url: str, *, formats: int = 0, client: int = 0, refused: str | None = None
    ) -> Stream | None:
        """The stream of one track, perhaps one that is known already. Raises MediaError.

        :param formats: which choice of formats, `client`: which arguments for the site's extractor
        :param refused: a stream's address that is of no use any more
        :returns: None if the site's extractor would do the same as with the first arguments
        """
        await self._file.read_in.wait()
        known = self._known_as(url, formats, client, refused)
        self._count("miss" if known is None else "hit")
        if known is not None:
            return known
        key = (url, formats, client)
        return await self._streaming.of(key, lambda: self._stream(url, formats, client, refused))

    def _known_as(self, url: str, formats: int, client: int, refused: str | None) -> Stream | None:
        known = self._known.stream(url)
        if known is None or known["url"] == refused:
            return None
        fits = (known["formats"], known["client"]) == (formats, client)
        return known if fits or refused is None else None

    async def _stream(self, url: str, formats: int, client: int, refused: str | None) -> Stream | None:
        known = self._known_as(url, formats, client, refused)
        if known is not None:  # whoever asked before did not wait for it
            return known
        request = {
            "url": url,
            "formats": formats,
            "arguments": self._clients[client],
            "instead_of": self._clients[0],
        }

        def keep(answer: dict[str, Any]) -> None:
            if answer["stream"] is not None:
                self._known.keep_stream(url, _as_asked(answer["stream"], formats, client))

        found = (await self._extract(request, due=True, keep=keep))["stream"]
        return None if found is None else _as_asked(found, formats, client)

    async def _extract(
        self, request: dict[str, Any], *, due: bool, keep: Callable[[dict[str, Any]], None] | None = None
    ) -> dict[str, Any]:
        """One extraction; repeated once if its process died, for the fault may be that process's own.

        :param keep: is given the answer, also one that comes when nobody waits for it any more
        """
        taken = self._take(due=due)

        def settle(answer: dict[str, Any]) -> None:
            if _asked_no_site(answer):
                self._budget.give_back(taken)
            if keep is not None:
                keep(answer)

        order = Order(request, settle, unwanted_s=0.0 if keep is None else self._limits.unwanted_s)
        try:
            return await self._carry_out(order)
        finally:
            if not order.begun:
                self._budget.give_back(taken)

    async def _carry_out(self, order: Order) -> dict[str, Any]:
        for last in (False, True):
            try:
                return await self._ask(order)
            except MediaError as error:
                if last or error.kind is not ErrorKind.WORKER_DIED:
                    raise
        raise AssertionError  # the loop returns or raises

    def _take(self, *, due: bool) -> float:
        try:
            taken = self._budget.take(due=due)
        except MediaError:
            self._count("limited")
            log.warning("extraction_limited", per_hour=self._budget.per_hour, due=due)
            raise
        self._count("extraction")
        return taken

    async def _ask(self, order: Order) -> dict[str, Any]:
        began, outcome = time.monotonic(), "ok"
        try:
            with anyio.fail_after(self._limits.resolve_s):
                async with self._pool.job(order.request) as conversation:
                    return await order.answer(conversation)
        except MediaError as error:
            outcome = error.kind.value
            raise
        except TimeoutError:
            outcome = ErrorKind.TIMEOUT.value
            raise MediaError(ErrorKind.TIMEOUT, "The site took too long to answer.") from None
        finally:
            took_s = time.monotonic() - began
            log.info("extraction", outcome=outcome, took_ms=round(1000 * took_s, 1))
            self.on_extraction(outcome, took_s)

    def _count(self, what: str) -> None:
        self.counts[what] += 1
        self.counts["joined"] = self._finding.joined + self._streaming.joined


def _as_asked(stream: dict[str, Any], formats: int, client: int) -> Stream:
    """With how it was asked for."""
    return stream | {"formats": formats, "client": client}


def _asked_no_site(answer: dict[str, Any]) -> bool:
    """A plain file behind a link, or a question that turned out to change nothing."""
    if "stream" in answer:
        return answer["stream"] is None or bool(answer["stream"]["direct"])
    return (
        all((item.get("stream") or {}).get("direct") for item in answer["tracks"]) and not answer["listing"]
    )


def _ignore(_outcome: str, _took_s: float) -> None:
    """Nobody listens."""
