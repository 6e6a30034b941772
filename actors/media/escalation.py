"""What is tried until a track is whole, one step after the other, and what is said if all of it was in vain.

Within an attempt the byte source repeats ranges by itself, and asks for a new address when the present one is
refused. An attempt goes on at the frame where the one before ended, and one that got on is repeated as it
was: a connection that breaks again and again is no reason to give up a format. Each step that is taken is
logged, counted, and named in the message that people see if the track is skipped after all.

A full disk is no fault of the track, and skipping it would only bring the same to the next one, until the
queue is empty. So room is waited for, and what was made plays on meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio
import structlog

from .cache_file import Origin
from .errors import ErrorKind, MediaError
from .spool import FRAMES_PER_S

if TYPE_CHECKING:
    from collections import Counter

    from .limits import Limits
    from .pool import Pool
    from .resolver import Resolver
    from .spool import Spool
    from .worker import Conversation

#: Frames that an attempt has made, so that it is worth repeating as it was.
GOT_ON: Final = FRAMES_PER_S
#: Attempts for one spool in all, whatever progress they make.
ATTEMPTS: Final = 16
#: s before the next attempt, by how many in a row made no progress.
PAUSES_S: Final = (0.0, 0.0, 0.25, 0.5, 1.0)
#: s between two looks whether the disk has room again, and for how long altogether.
NO_ROOM_PAUSE_S: Final = 1.0
NO_ROOM_S: Final = 60.0
_WORTH_REPEATING: Final = {ErrorKind.CHANGED, ErrorKind.TIMEOUT, ErrorKind.WORKER_DIED, ErrorKind.UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Step:
    """`says`: in messages. Then the choice of formats, and of the arguments for the site's extractor."""

    name: str
    says: str
    formats: int = 0
    client: int = 0


STEPS: Final = (
    Step("as_known", "the link"),
    Step("extract_again", "a fresh link"),
    Step("other_format", "another format", formats=1),
    Step("other_client", "another way to ask the site", client=1),
)
_FIRST_FORMAT: Final = 2
_FIRST_CLIENT: Final = 3

log = structlog.get_logger(__name__)


class Escalation:
    """The work on one spool. `run` ends when it is whole, or raises the MediaError that nothing helped."""

    def __init__(
        self, spool: Spool, resolver: Resolver, makers: Pool, limits: Limits, counts: Counter[str]
    ) -> None:
        self._spool = spool
        self._resolver = resolver
        self._makers = makers
        self._limits = limits
        self._counts = counts
        self._stream: dict[str, Any] | None = None  # the latest
        self._refused: str | None = None  # its address, once that is of no use
        self._extracted = False  # whether the present attempt has got as far as its stream
        self._mixed = False  # its frames come from more than one file: nobody can tell whether it is current
        self._tried: list[str] = []

    async def run(self) -> None:
        """Make the spool whole."""
        index, idle = 0, 0
        failure = MediaError(ErrorKind.INTERNAL, "Nothing was tried.")
        for _ in range(ATTEMPTS):
            before = self._spool.frames
            try:
                if await self._attempt_with_room(STEPS[index]):
                    return
                index += 1
            except MediaError as error:
                failure = error
                got_on = self._spool.frames - before >= GOT_ON and error.kind in _WORTH_REPEATING
                idle = 0 if got_on else idle + 1
                following = index if got_on else self._after(index, error)
                self._mixed |= error.kind is ErrorKind.CHANGED and self._spool.frames > 0
                self._refused = None if got_on or self._stream is None else self._stream["url"]
                self._tell(STEPS[index], error, following)
                index = following
            if index >= len(STEPS):
                break
            await anyio.sleep(PAUSES_S[min(idle, len(PAUSES_S) - 1)])
        raise self._in_vain(failure)

    def _after(self, index: int, error: MediaError) -> int:
        """The step that may help against this error; beyond the last one for none."""
        if error.retryable:
            return index + 1
        if error.kind not in {ErrorKind.NOT_AUDIO, ErrorKind.UNAVAILABLE}:
            return len(STEPS)
        # A site that refuses, or offers nothing that can be played, may tell another client more.
        return max(index + 1, _FIRST_FORMAT if self._extracted else _FIRST_CLIENT)

    async def _attempt_with_room(self, step: Step) -> bool:
        """An attempt, again and again while the disk is full: each goes on at the frame where that ended."""
        until = time.monotonic() + NO_ROOM_S
        while True:
            try:
                return await self._attempt(step)
            except MediaError as error:
                if error.kind is not ErrorKind.DISK or time.monotonic() > until:
                    raise
                log.warning("media_waits_for_room", track=self._spool.title, frames=self._spool.frames)
            await anyio.sleep(NO_ROOM_PAUSE_S)

    async def _attempt(self, step: Step) -> bool:
        """False if the step changes nothing for this track. Raises MediaError."""
        self._extracted = False
        stream = await self._stream_for(step)
        if stream is None:
            return False
        self._stream, self._extracted = stream, True
        self._mixed |= self._spool.frames > 0 and step.formats + step.client > 0
        self._tried.append(step.says)
        self._counts[step.name] += 1
        if not stream["is_live"] and (stream["duration_s"] or 0) > self._limits.track_s:
            raise too_long(self._limits)
        await self._until_available(stream)
        spool = self._spool
        async with self._makers.job(self._request(stream), fd=spool.fileno, turn=spool.turn) as conversation:
            await self._follow(conversation)
        return True

    async def _stream_for(self, step: Step) -> dict[str, Any] | None:
        previous = self._stream
        if previous is not None and previous["direct"] and (step.formats or step.client):
            return None  # a plain file: it has one form, and no site to ask otherwise
        stream = await self._resolver.stream(
            self._spool.track.url, formats=step.formats, client=step.client, refused=self._refused
        )
        if stream is None or previous is None or not step.formats:
            return stream
        repeated = (previous["formats"], previous["client"]) == (step.formats, step.client)
        return stream if repeated or stream["format_id"] != previous["format_id"] else None

    async def _until_available(self, stream: dict[str, Any]) -> None:
        """Sites release a stream some seconds after they hand out its address (YouTube's advertisements)."""
        wait_s = (stream["available_at"] or 0) - time.time()
        if wait_s > self._limits.wait_available_s:
            raise MediaError(ErrorKind.UNAVAILABLE, "This has not begun yet.")
        await anyio.sleep(max(0.0, wait_s))

    def _request(self, stream: dict[str, Any]) -> dict[str, Any]:
        spool = self._spool
        return {
            "stream": stream,
            "start_frame": spool.start_frame + spool.frames,
            "frames": spool.frames,
            "bytes": spool.bytes,
            "volume": spool.volume,
            "effect": spool.effect,
            "max_frames": int(self._limits.track_s * FRAMES_PER_S),
            "max_bytes": self._limits.spool_bytes,
            "max_s": self._limits.track_s,
            "ring": spool.ring,
        }

    async def _follow(self, conversation: Conversation) -> None:
        limit_s = self._limits.open_s
        while True:
            try:
                with anyio.fail_after(limit_s):
                    item = await conversation.receive()
            except TimeoutError:
                raise MediaError(ErrorKind.TIMEOUT, "The media server sends nothing.") from None
            if "result" in item:
                self._conclude(item["result"])
                return
            message = item["message"]
            if "frames" in message:
                self._spool.grow(message["frames"], message["bytes"], message["marks"])
                limit_s = self._limits.stall_s
            elif "refresh" in message:
                await self._refresh(conversation, message["refresh"])
            else:
                self._spool.describe(title=message["title"], duration_s=message["duration_s"])

    def _conclude(self, result: dict[str, Any]) -> None:
        self._spool.origin = None if self._mixed else Origin(*result["origin"])
        if result["short_s"]:  # no cut: somebody has stored a part of a file
            log.warning("media_shorter_than_stated", track=self._spool.title, short_s=result["short_s"])

    async def _refresh(self, conversation: Conversation, status: int) -> None:
        """The maker's address was refused in the middle: another one of the same."""
        self._counts["refresh"] += 1
        log.info("media_address_refused", track=self._spool.title, status=status, frames=self._spool.frames)
        try:
            self._stream = await self._renewed()
            conversation.reply({"stream": self._stream})
        except MediaError as error:
            conversation.reply({"error": error.to_dict()})

    async def _renewed(self) -> dict[str, Any]:
        assert self._stream is not None  # noqa: S101 - an attempt has one
        old = self._stream
        stream = await self._resolver.stream(
            self._spool.track.url, formats=old["formats"], client=old["client"], refused=old["url"]
        )
        if stream is None or stream["format_id"] != old["format_id"]:
            raise MediaError(ErrorKind.CHANGED, "The site offers another file than before.")
        await self._until_available(stream)
        return stream

    def _tell(self, step: Step, error: MediaError, following: int) -> None:
        log.warning(
            "media_attempt_failed",
            track=self._spool.title,
            step=step.name,
            kind=error.kind.value,
            error=error.message,
            frames=self._spool.frames,
            next_step=STEPS[following].name if following < len(STEPS) else None,
        )

    def _in_vain(self, error: MediaError) -> MediaError:
        """The error, with what was tried against it."""
        others = list(dict.fromkeys(self._tried))[1:]
        if not others or error.kind is ErrorKind.CANCELLED:
            return error
        text = f"{error.message} Also tried: {', '.join(others)}."
        return MediaError(error.kind, text, retryable=error.retryable)


def too_long(limits: Limits) -> MediaError:
    """The refusal of a track beyond the bound."""
    return MediaError(ErrorKind.TOO_LONG, f"The track is longer than {limits.track_s / 3600:g} hours.")
