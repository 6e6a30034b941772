"""The place where one answer arrives: owned by who waits, written once."""

from __future__ import annotations

from typing import Any

from ._gate import Gate


class Slot(Gate):
    """First writer wins, later ones vanish; a slot whose owner has gone is abandoned."""

    __slots__ = ("_error", "_value", "abandoned")

    def __init__(self) -> None:
        self.is_open = False
        self._waiters = None
        self._value: Any = None
        self._error: Exception | None = None
        self.abandoned = False

    def succeed(self, value: object) -> None:
        if not self.is_open:
            self._value = value
            self.open()

    def fail(self, error: Exception) -> None:
        if not self.is_open:
            self._error = error
            self.open()

    @property
    def is_refused(self) -> bool:
        """Whether an error waits to be raised."""
        return self._error is not None

    def result(self) -> Any:
        """The answer, once; or raises the error. The slot lets go of both."""
        error, self._error = self._error, None
        value, self._value = self._value, None
        if error is None:
            return value
        try:
            raise error
        finally:
            del error  # else this frame and the traceback hold each other


class Ask(Slot):
    """A request in a mailbox, with the slot of who asked.

    :ivar taken: it has left the mailbox for the actor's hand
    """

    __slots__ = ("message", "taken")

    def __init__(self, message: object) -> None:
        # written out: three constructors in a row would be a tenth of the whole ask
        self.is_open = self.abandoned = self.taken = False
        self._waiters = self._value = self._error = None
        self.message = message
