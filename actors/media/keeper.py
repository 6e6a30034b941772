"""Fetches spools from the cache, and puts complete ones into it, by the processes that make spools.

What is kept under a page of a site is that page's sound until it is old. A file behind a direct link may be
replaced at any time: it is asked for its entity tag, date and size before the kept one is played again. If
its server does not answer in time, the kept one is good enough; if it refuses, the file was taken away, and
so is the kept one. What was being heard when the process ended goes on at once, from the very bytes that it
began with, as it would have without the restart; its server is asked later, for whoever plays it next.

Only what begins at the beginning is kept: nobody asks again for the 17.34 s at which somebody changed the
volume. From such a file every later position can be played.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from .cache_file import About, Origin, Sound, about_to_plain
from .errors import ErrorKind, MediaError
from .turns import LAST, Turn

if TYPE_CHECKING:
    from .cache import Cache
    from .pool import Pool
    from .spool import Spool

LOOK_S: Final = 1.5
"""For a server to say whether its file is the same: what is kept is played to whoever waits no longer."""
LATER_S: Final = 5.0
"""After which the server of what goes on after a restart is asked: the start has better to do."""
FRESH_S: Final = 300.0
"""For so long after the last look a file counts as the same."""
OLD_S: Final = 30 * 86400.0
"""After this what is kept under a page is made anew."""
_REFUSALS: Final = {ErrorKind.GONE, ErrorKind.PRIVATE_ADDRESS, ErrorKind.UNSUPPORTED_LINK}
_ROOM: Final = 1 << 18  # for the description

log = structlog.get_logger(__name__)


class Keeper:
    """`fetch` before a spool is made, `keep` after it is complete."""

    def __init__(self, cache: Cache, makers: Pool) -> None:
        self.cache = cache
        self._makers = makers
        self._looked: dict[Sound, float] = {}

    async def fetch(self, spool: Spool) -> About | None:
        """Fill an empty spool from the cache; None if it must be made."""
        sound = sound_of(spool)
        if sound is None or spool.frames:
            return None
        if not self.cache.holds(sound):
            self.cache.misses += 1
            return None
        found = await anyio.to_thread.run_sync(self.cache.read, sound)
        if found is None:
            self.cache.damaged += 1
            self.cache.forget(sound)
            return None
        file, kept = found
        with file:
            if not spool.resumed and not await self._still_good(kept.about):
                self.cache.forget(sound)
                return None
            spool.adopt(file.fileno(), kept)
        self.cache.hits += 1
        self.cache.used(sound)
        return kept.about

    async def ask_later(self, about: About) -> None:
        """Throw away what was played unasked, if it should not be played again."""
        await anyio.sleep(LATER_S)
        if not await self._still_good(about):
            log.info("cached_track_changed", track=about.sound.url)
            self.cache.forget(about.sound)

    async def _still_good(self, about: About) -> bool:
        if not about.origin.direct:
            return time.time() - about.made_at < OLD_S
        now = time.monotonic()
        if now - self._looked.get(about.sound, -FRESH_S) < FRESH_S:
            return True
        return await self._same(about)

    async def _same(self, about: About) -> bool:
        try:
            with anyio.fail_after(LOOK_S):
                async with self._makers.job({"look": about.sound.url}) as conversation:
                    origin = Origin(*(await conversation.result())["origin"])
        except TimeoutError:
            return True
        except MediaError as error:
            return error.kind not in _REFUSALS
        if origin == about.origin:
            self._remember(about.sound)
        return origin == about.origin

    def _remember(self, sound: Sound) -> None:
        now = time.monotonic()
        self._looked = {each: at for each, at in self._looked.items() if now - at < FRESH_S}
        self._looked[sound] = now

    async def keep(self, spool: Spool) -> None:
        """Put a complete spool into the cache, if there is room; a failure costs nothing else."""
        sound, origin = sound_of(spool), spool.origin
        if sound is None or spool.start_frame or origin is None or not origin.known or spool.closed:
            return
        if not self.cache.make_room(spool.bytes + _ROOM):
            return
        about = about_to_plain(About(sound, origin, spool.title, spool.duration_s))
        content = {"frames": spool.frames, "size": spool.bytes, "marks": spool.marks}
        request = {"keep": {"path": str(self.cache.path(sound)), "about": about, **content}}
        try:
            turn = Turn(rank=LAST)  # nobody waits for it
            async with self._makers.job(request, fd=spool.fileno, turn=turn) as conversation:
                self.cache.keep(sound, (await conversation.result())["size"])
        except MediaError as error:
            log.info("not_cached", track=sound.url, error=str(error))
            return
        self._remember(sound)


def sound_of(spool: Spool) -> Sound | None:
    """What the spool is the sound of; None for a live stream, of which nothing is kept."""
    return None if spool.track.is_live else Sound(spool.track.url, spool.volume, spool.effect)
