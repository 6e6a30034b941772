"""How long a failed child waits before it is started again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tenacity import RetryCallState, wait_random_exponential

if TYPE_CHECKING:
    from collections.abc import Callable


#: Not wait_exponential_jitter: that one has no spread left at its cap.
_FULL_JITTER = wait_random_exponential(multiplier=0.05, max=30)


@dataclass(frozen=True, slots=True)
class Backoff:
    """The delays between restarts.

    Only tenacity's wait objects are used; its retry loops own the control flow and keep exceptions.

    :ivar wait: a tenacity wait object; attempt 1 is the second failure in a row when ``immediate``
    :ivar reset_after_s: seconds of healthy life after which the count starts again
    :ivar immediate: the first restart comes without delay
    """

    wait: Callable[[RetryCallState], float] = _FULL_JITTER
    reset_after_s: float = 30.0
    immediate: bool = True

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row (1 or more)."""
        attempt = failures - 1 if self.immediate else failures
        if attempt < 1:
            return 0.0
        nothing: Any = None  # wait objects read the attempt's number only
        state = RetryCallState(nothing, None, (), {})
        state.attempt_number = attempt
        return max(0.0, float(self.wait(state)))
