"""Virtual time: the clock jumps to the next timer as soon as nothing can run."""

from __future__ import annotations

from typing import Any, Literal

from supervision._native import VirtualLoop


def virtual_backend(name: Literal["asyncio", "trio"]) -> tuple[str, dict[str, Any]]:
    """A backend in virtual time: return it from an ``anyio_backend`` fixture, or pass both parts to
    ``anyio.run(..., backend=name, backend_options=options)``. Make a new one for every run.

    Waiting for a thread does not hold the clock.
    """
    if name == "asyncio":
        return name, {"loop_factory": VirtualLoop}
    from trio.testing import MockClock

    return name, {"clock": MockClock(autojump_threshold=0)}
