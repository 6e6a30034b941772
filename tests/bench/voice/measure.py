"""What the record of the sink says: frames a second, inter-arrival errors, gaps, losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FRAME_MS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Of all streams in the window. Errors are |inter-arrival time - 20 ms|.

    :ivar fps: frames a second of a stream, over the whole window
    :ivar lost: sequence numbers that are missing
    :ivar dropped: packets that the receiver's kernel dropped: must be 0, else the run is void
    """

    streams: int
    packets: int
    fps_mean: float
    fps_worst: float
    error_p50_ms: float
    error_p99_ms: float
    error_max_ms: float
    longest_gap_ms: float
    lost: int
    dropped: int


def arrivals(record: Mapping[str, Any], window_s: float) -> Arrivals:
    """Judge a record (arrays `ssrcs`, `sequences`, `arrivals_ns`, `drops`)."""
    ssrcs: NDArray[np.uint32] = record["ssrcs"]
    order = np.lexsort((record["arrivals_ns"], ssrcs))
    ssrcs, times = ssrcs[order], record["arrivals_ns"][order]
    sequences = record["sequences"][order].astype(np.int32)
    same = ssrcs[1:] == ssrcs[:-1]
    gaps_ms = np.diff(times)[same] / 1e6
    steps = (np.diff(sequences)[same] - 1) & 0xFFFF
    errors = np.abs(gaps_ms - FRAME_MS)
    frames = np.unique(ssrcs, return_counts=True)[1]
    return Arrivals(
        streams=len(frames),
        packets=len(ssrcs),
        fps_mean=float(frames.mean() / window_s),
        fps_worst=float(frames.min() / window_s),
        error_p50_ms=float(np.percentile(errors, 50)),
        error_p99_ms=float(np.percentile(errors, 99)),
        error_max_ms=float(errors.max()),
        longest_gap_ms=float(gaps_ms.max()),
        lost=int(steps[steps < 0x8000].sum()),
        dropped=int(record["drops"]),
    )
