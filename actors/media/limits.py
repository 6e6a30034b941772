"""The bounds of the media service, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Every figure is a bound that something enforces; defaults suit a small server."""

    track_s: float = 6 * 3600.0  # longest track; longer ones are refused, or end there
    spool_bytes: int = 512 << 20  # of one spool: six hours of Opus at 128 kbit/s are 350 MB
    page: int = 50  # entries of a playlist that are fetched at a time
    resolve_s: float = 30.0  # one extraction
    unwanted_s: float = 5.0  # one that nobody waits for any more: it may still end, and is kept
    open_s: float = 30.0  # from the start of a spool's job to its first frame
    stall_s: float = 60.0  # without a new frame
    wait_available_s: float = 30.0  # for a stream that a site releases later (YouTube's pre-roll)
    resolvers: int = 2  # processes
    makers: int = 2  # processes; each makes several spools at once
    jobs_per_maker: int = 16
    recycle_resolver_after: int = 200  # jobs
    recycle_maker_after: int = 100
    cancel_s: float = 10.0  # for a cancelled job to end, before its process is killed
