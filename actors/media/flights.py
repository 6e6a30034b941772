"""One piece of work for all who ask for the same at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

from .errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

T = TypeVar("T")


class _Flight:
    def __init__(self) -> None:
        self.over = anyio.Event()
        self.outcome: tuple[Any] | MediaError | None = None


class Flights(Generic[T]):
    """`of(key, work)` runs `work` once however many ask. If the first is cancelled, the next begins anew."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}
        self.joined = 0  # callers that found the work under way

    async def of(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The result of the work; a MediaError of it goes to all who asked."""
        while (flight := self._flights.get(key)) is not None:
            self.joined += 1
            await flight.over.wait()
            if isinstance(flight.outcome, MediaError):
                raise MediaError.from_dict(flight.outcome.to_dict())
            if flight.outcome is not None:
                return flight.outcome[0]  # type: ignore[no-any-return]  # what `work` gave
        return await self._lead(key, work)

    async def _lead(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights[key] = _Flight()
        try:
            result = await work()
            flight.outcome = (result,)
        except MediaError as error:
            flight.outcome = error
            raise
        else:
            return result
        finally:
            del self._flights[key]
            flight.over.set()
