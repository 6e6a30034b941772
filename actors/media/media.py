"""The media service: one per process. It finds tracks and makes spools, in worker processes that it owns."""

from __future__ import annotations

import json
import os
import shutil
import time
import weakref
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from . import resolver
from .access import Access
from .cache import DISK_RESERVE
from .effects import OFF
from .errors import ErrorKind, MediaError
from .escalation import Escalation, too_long
from .keeper import Keeper
from .limits import Limits
from .listing import Listing, Page, Rest
from .live_spool import LiveSpool
from .pool import Pool
from .spool import FRAMES_PER_S, Spool
from .track import Track

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from anyio.abc import TaskGroup

    from .cache import Cache

log = structlog.get_logger(__name__)


class Media:
    """Finds and prepares audio. `run` must be running for anything to happen; spools outlive it until closed.

    `work_dir` holds the spools' anonymous files, what extractions have found, and yt-dlp's cache.
    `allow_private` permits links into private networks. `cache` keeps complete spools. `resolver_module` is
    the program that finds.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        work_dir: Path,
        limits: Limits | None = None,
        cache: Cache | None = None,
        access: Access | None = None,
        resolver_module: str = resolver.MODULE,
    ) -> None:
        self._work_dir = work_dir
        self.limits = limits = limits or Limits()
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        common = {"parent": os.getpid(), "allow_private": allow_private}
        access = access or Access()
        self._playlist = access.playlist
        self._resolver = resolver.Resolver(
            common, folder=work_dir, access=access, limits=limits, module=resolver_module
        )
        maker = {**common, "file_bytes": limits.spool_bytes + (1 << 20)}
        self._makers = Pool(
            ["-m", "actors.media.spool_worker", json.dumps(maker)],
            processes=limits.makers,
            capacity=limits.jobs_per_maker,
            recycle_after=limits.recycle_maker_after,
            grace_s=limits.cancel_s,
        )
        self._keeper = None if cache is None else Keeper(cache, self._makers)
        self._spools: weakref.WeakSet[Spool] = weakref.WeakSet()
        self._tasks: TaskGroup | None = None
        self.speed: float | None = None  # how many times faster than it is heard a track was made of late

    @property
    def room_bytes(self) -> int:
        """Of the disk, that spools may still take: it is never filled by what nobody hears yet."""
        try:
            return max(0, shutil.disk_usage(self._work_dir).free - DISK_RESERVE)
        except OSError:
            return 0

    @property
    def worker_pids(self) -> list[int]:
        """Of the processes that live now; each leads a process group."""
        makers = [worker.pid for worker in self._makers.workers if worker.pid is not None]
        return [*self._resolver.pids, *makers]

    @property
    def counts(self) -> Counter[str]:
        """What happened so far: the resolver's counts, `refresh`, and escalations' steps by their name."""
        return self._resolver.counts

    @property
    def cached(self) -> dict[str, tuple[int, int]]:
        """How often something was found without work, and how often not: extractions, and spools on disk."""
        extractions = (self.counts["hit"], self.counts["miss"])
        if self._keeper is None:
            return {"extraction": extractions}
        cache = self._keeper.cache
        return {"extraction": extractions, "spool": (cache.hits, cache.misses)}

    def listen(self, on_extraction: Callable[[str, float], None]) -> None:
        """Tell the outcome (`ok` or an error's kind) and the seconds of each extraction."""
        self._resolver.on_extraction = on_extraction

    async def run(self) -> None:
        """Own the workers until cancelled. Unfinished spools go on when it runs again."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._resolver.run)
                tasks.start_soon(self._makers.run)
                self._tasks = tasks
                for spool in list(self._spools):
                    self._begin(spool)
                await anyio.sleep_forever()
        finally:
            self._tasks = None

    def close(self) -> None:
        """Free the files of all spools. For the end of the process, after `run`."""
        for spool in list(self._spools):
            spool.close()

    # -- finding

    async def resolve(self, query: str, *, requested_by: int) -> Page:
        """The track behind a link, the first page of a playlist, or the best match of a search."""
        found = await self._resolver.find(query)
        tracks = tuple(Track(requested_by=requested_by, **item) for item in found["tracks"])
        self._refuse_long(tracks)
        return Page(tracks, self._listing(found["listing"], requested_by))

    async def more(self, rest: Rest) -> Page:
        """The next page of a playlist; one without a track need not be the last. Raises MediaError."""
        found = await self._resolver.more(rest.url, rest.first, rest.last)
        tracks = tuple(Track(requested_by=rest.requested_by, **item) for item in found["tracks"])
        if found["listing"] is None:
            raise MediaError(ErrorKind.NOT_FOUND, "This link is no playlist any more.")
        return Page(tracks, Listing(rest, tuple(found["listing"]["numbers"]), found["listing"]["then"]))

    def _listing(self, stated: dict[str, Any] | None, requested_by: int) -> Listing | None:
        if stated is None:
            return None
        total = stated["total"]
        last = self._playlist if total is None else min(total, self._playlist)
        whole = Rest(stated["url"], stated["title"], requested_by, 1, last, total)
        return Listing(whole, tuple(stated["numbers"]), stated["then"])

    def _refuse_long(self, tracks: Sequence[Track]) -> None:
        if len(tracks) == 1 and not tracks[0].is_live and (tracks[0].duration_s or 0) > self.limits.track_s:
            raise too_long(self.limits)

    # -- making

    def spool(
        self,
        track: Track,
        *,
        start_s: float = 0.0,
        volume: int = 100,
        effect: str = OFF,
        resumed: bool = False,
    ) -> Spool:
        """The frames of a track from `start_s` on, at `volume` percent, with one of EFFECTS.

        Made in the background. `resumed`: it was being heard when the process ended, see `Keeper`.
        """
        start_frame = max(0, round(start_s * FRAMES_PER_S))
        volume = min(200, max(0, volume))
        spool = (
            LiveSpool(track, self._work_dir, volume=volume, effect=effect)
            if track.is_live
            else Spool(track, self._work_dir, start_frame=start_frame, volume=volume, effect=effect)
        )
        spool.resumed = resumed
        self._spools.add(spool)
        self._begin(spool)
        return spool

    def _begin(self, spool: Spool) -> None:
        if self._tasks is not None and not spool.finished:
            self._tasks.start_soon(self._make, spool)

    async def _make(self, spool: Spool) -> None:
        if spool.closed:
            return
        with anyio.CancelScope() as scope:
            spool.on_close(scope.cancel)
            try:
                await self._fetch_or_make(spool)
            except MediaError as error:
                spool.finish(error)
            else:
                spool.finish(None)
            finally:
                spool.on_close(None)

    async def _fetch_or_make(self, spool: Spool) -> None:
        if self._keeper is not None and (about := await self._keeper.fetch(spool)) is not None:
            if spool.resumed and self._tasks is not None:
                self._tasks.start_soon(self._keeper.ask_later, about)
            return
        began = time.monotonic()
        await self._escalate(spool)
        took_s = max(time.monotonic() - began, 0.001)
        log.info("spool_made", track=spool.title, frames=spool.frames, took_ms=round(1000 * took_s, 1))
        if spool.ring is None:
            speed = spool.frames / FRAMES_PER_S / took_s
            self.speed = speed if self.speed is None else (self.speed + speed) / 2
        if self._keeper is not None and self._tasks is not None:  # its keeping outlives whoever lets it go
            self._tasks.start_soon(self._keeper.keep, spool)

    async def _escalate(self, spool: Spool) -> None:
        """Of a live stream whatever was tried counts anew, as long as it was of some use."""
        while True:
            before = spool.frames
            try:
                return await Escalation(spool, self._resolver, self._makers, self.limits, self.counts).run()
            except MediaError:
                if spool.ring is None or spool.frames - before < FRAMES_PER_S:
                    raise
