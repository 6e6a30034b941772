"""The one error that the voice link raises to those who command it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.voice.causes import Fault


class VoiceError(Exception):
    """A voice connection could not be made or kept.

    :ivar code: the voice close code behind it, None where there is none (a timeout, no permission)
    :ivar reason: one sentence for a person
    :ivar fault: what kind of failure it was, where the close code does not say it
    """

    def __init__(self, code: int | None, reason: str, fault: Fault | None = None) -> None:
        super().__init__(reason if code is None else f"{reason} (voice close code {code})")
        self.code = code
        self.reason = reason
        self.fault = fault
