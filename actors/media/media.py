"""The media service: one per process. It finds tracks and makes spools, in worker processes that it owns."""

from __future__ import annotations

import json
import os
import time
import weakref
from typing import TYPE_CHECKING, Any

import anyio

from .cache_file import Origin
from .errors import ErrorKind, MediaError
from .extractions import Extractions
from .keeper import Keeper
from .limits import Limits
from .pool import Pool
from .spool import FRAMES_PER_S, Spool
from .track import Track

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import TaskGroup

    from .cache import Cache
    from .worker import Conversation

# What is tried, one after the other, until a track is whole: whether the address must be a new one, and of
# which set of formats. Each attempt goes on at the frame where the one before ended.
_ATTEMPTS = ((False, 0), (True, 0), (True, 1), (True, 1))


class Media:
    """Finds and prepares audio. `run` must be running for anything to happen; spools outlive it until closed.

    `work_dir` holds the spools' anonymous files and yt-dlp's cache. `allow_private` permits links into
    private networks. `cache` keeps complete spools.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        work_dir: Path,
        limits: Limits | None = None,
        cache: Cache | None = None,
    ) -> None:
        self._work_dir = work_dir
        self.limits = limits = limits or Limits()
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        common = {"parent": os.getpid(), "allow_private": allow_private}
        resolver = {
            **common,
            "cache_dir": str(work_dir / "yt-dlp"),
            "playlist": limits.playlist,
        }
        maker = {**common, "file_bytes": limits.spool_bytes + (1 << 20)}
        self._resolvers = Pool(
            ["-m", "actors.media.resolver_worker", json.dumps(resolver)],
            processes=limits.resolvers,
            capacity=1,
            recycle_after=limits.recycle_resolver_after,
            grace_s=0.0,  # an extraction cannot be interrupted: its process is killed
        )
        self._makers = Pool(
            ["-m", "actors.media.spool_worker", json.dumps(maker)],
            processes=limits.makers,
            capacity=limits.jobs_per_maker,
            recycle_after=limits.recycle_maker_after,
            grace_s=limits.cancel_s,
        )
        self._keeper = None if cache is None else Keeper(cache, self._makers)
        self._extractions = Extractions()
        self._spools: weakref.WeakSet[Spool] = weakref.WeakSet()
        self._tasks: TaskGroup | None = None

    @property
    def worker_pids(self) -> list[int]:
        """Of the processes that live now; each leads a process group."""
        workers = [*self._resolvers.workers, *self._makers.workers]
        return [worker.pid for worker in workers if worker.pid is not None]

    async def run(self) -> None:
        """Own the workers until cancelled. Unfinished spools go on when it runs again."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._resolvers.run)
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

    async def resolve(self, query: str, *, requested_by: int) -> list[Track]:
        """The track behind a link, the first ones of a playlist, or the best match of a search."""
        found = self._extractions.found(query)
        if found is None:
            found = (await self._ask_resolver({"query": query}))["found"]
            for item in found:
                stream = item.pop("stream", None)
                if stream is not None:
                    self._extractions.keep_stream(item["url"], stream)
            self._extractions.keep_found(query, found)
        tracks = [Track(requested_by=requested_by, **item) for item in found]
        self._refuse_long(tracks)
        return tracks

    def _refuse_long(self, tracks: list[Track]) -> None:
        if len(tracks) == 1 and not tracks[0].is_live and (tracks[0].duration_s or 0) > self.limits.track_s:
            raise _too_long(self.limits)

    async def _ask_resolver(self, request: dict[str, Any]) -> dict[str, Any]:
        """One extraction; repeated once if its process died, for the fault may be that process's own."""
        for last in (False, True):
            try:
                return await self._ask_once(request)
            except MediaError as error:
                if last or error.kind is not ErrorKind.WORKER_DIED:
                    raise
        raise AssertionError  # the loop returns or raises

    async def _ask_once(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with anyio.fail_after(self.limits.resolve_s):
                async with self._resolvers.job(request) as conversation:
                    answer: dict[str, Any] = await conversation.result()
                    return answer
        except TimeoutError:
            raise MediaError(ErrorKind.TIMEOUT, "The site took too long to answer.") from None

    async def _stream(self, track: Track, *, fresh: bool, variant: int) -> dict[str, Any]:
        known = None if fresh else self._extractions.stream(track.url)
        if known is not None:
            return known
        answer = await self._ask_resolver({"url": track.url, "variant": variant})
        stream: dict[str, Any] = answer["stream"]
        self._extractions.keep_stream(track.url, stream)
        return stream

    # -- making

    def spool(self, track: Track, *, start_s: float = 0.0, volume: int = 100) -> Spool:
        """The frames of a track from `start_s` on, at `volume` percent; made in the background."""
        start_frame = max(0, round(start_s * FRAMES_PER_S))
        spool = Spool(track, self._work_dir, start_frame=start_frame, volume=min(200, max(0, volume)))
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
        if self._keeper is None:
            await self._escalate(spool)
        elif not await self._keeper.fetch(spool):
            await self._escalate(spool)
            if self._tasks is not None:  # whoever lets the spool go does not end its keeping
                self._tasks.start_soon(self._keeper.keep, spool)

    async def _escalate(self, spool: Spool) -> None:
        for number, (fresh, variant) in enumerate(_ATTEMPTS, start=1):
            try:
                await self._attempt(spool, fresh=fresh, variant=variant)
            except MediaError as error:
                if not error.retryable or number == len(_ATTEMPTS):
                    raise
            else:
                return

    async def _attempt(self, spool: Spool, *, fresh: bool, variant: int) -> None:
        stream = await self._stream(spool.track, fresh=fresh, variant=variant)
        if not stream["is_live"] and (stream["duration_s"] or 0) > self.limits.track_s:
            raise _too_long(self.limits)
        await self._wait_available(stream)
        async with self._makers.job(self._request(spool, stream), fd=spool.fileno) as conversation:
            await self._follow(spool, conversation, variant)

    async def _wait_available(self, stream: dict[str, Any]) -> None:
        wait_s = (stream["available_at"] or 0) - time.time()
        if wait_s > self.limits.wait_available_s:
            raise MediaError(ErrorKind.UNAVAILABLE, "This has not begun yet.")
        await anyio.sleep(max(0.0, wait_s))

    def _request(self, spool: Spool, stream: dict[str, Any]) -> dict[str, Any]:
        return {
            "stream": stream,
            "start_frame": spool.start_frame + spool.frames,
            "frames": spool.frames,
            "bytes": spool.bytes,
            "volume": spool.volume,
            "max_frames": int(self.limits.track_s * FRAMES_PER_S),
            "max_bytes": self.limits.spool_bytes,
            "max_s": self.limits.track_s,
        }

    async def _follow(self, spool: Spool, conversation: Conversation, variant: int) -> None:
        limit_s = self.limits.open_s
        while True:
            try:
                with anyio.fail_after(limit_s):
                    item = await conversation.receive()
            except TimeoutError:
                raise MediaError(ErrorKind.TIMEOUT, "The media server sends nothing.") from None
            if "result" in item:
                spool.origin = Origin(*item["result"]["origin"])
                return
            message = item["message"]
            if "frames" in message:
                spool.grow(message["frames"], message["bytes"], message["marks"])
                limit_s = self.limits.stall_s
            elif "refresh" in message:
                await self._refresh(spool, conversation, variant)
            else:
                spool.describe(title=message["title"], duration_s=message["duration_s"])

    async def _refresh(self, spool: Spool, conversation: Conversation, variant: int) -> None:
        try:
            conversation.reply({"stream": await self._stream(spool.track, fresh=True, variant=variant)})
        except MediaError as error:
            conversation.reply({"error": error.to_dict()})


def _too_long(limits: Limits) -> MediaError:
    return MediaError(ErrorKind.TOO_LONG, f"The track is longer than {limits.track_s / 3600:g} hours.")
