"""The one error that the voice link raises to those who command it."""

from __future__ import annotations


class VoiceError(Exception):
    """A voice connection could not be made or kept.

    :ivar code: the voice close code behind it, None where there is none (a timeout, no permission)
    :ivar reason: one sentence for a person
    """

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(reason if code is None else f"{reason} (voice close code {code})")
        self.code = code
        self.reason = reason
