"""Who listens to the bot in one voice channel, and what each of them gets to hear."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from loopback.dave.participant import Opened, Participant, is_encrypted
from loopback.listening.listener import SILENCE_FRAME

if TYPE_CHECKING:
    from loopback.dave.call import Call
    from loopback.listening.listener import Frame, Listener


class Audience:
    """The call of one channel and its participants.

    The one who has been there longest and has the keys is the judge: what he hears is what the listener of
    the guild records. After the last has left, his ears serve for what is still under way.
    """

    def __init__(self, call: Call, ears: dict[int, Listener]) -> None:
        """:param ears: who records, beside the guild's listener, what he hears himself"""
        self.call = call
        self.participants: dict[int, Participant] = {}
        self._ears = ears
        self._departed: Participant | None = None

    def close(self) -> None:
        """Stop the timers of the call."""
        self.call.close()

    def join(self, user_id: int, *, supports: bool, latency_s: float) -> None:
        """A user has come into the channel."""
        participant = Participant(user_id, self.call, supports=supports, latency_s=latency_s)
        self.participants[user_id] = participant
        participant.join()

    def leave(self, user_id: int) -> None:
        """A user has left the channel."""
        participant = self.participants.pop(user_id, None)
        if participant is not None:
            participant.leave()
            self._departed = participant

    def open(self, sender_id: int, data: bytes) -> Opened:
        """Let everybody decrypt a frame of the sender; as the judge has it."""
        for participant in self.participants.values():
            participant.open(sender_id, data)
        judge = self._judge()
        if judge is None:
            encrypted = is_encrypted(data)
            return Opened(None if encrypted else data, encrypted)
        return judge.latest if self.participants else judge.open(sender_id, data)

    def record(self, frame: Frame) -> None:
        """Let those who record have the frame that was opened last, as they heard it."""
        for user_id, listener in self._ears.items():
            participant = self.participants.get(user_id)
            if participant is not None:
                opus, encrypted = participant.latest
                silence = opus == SILENCE_FRAME
                listener.record(replace(frame, opus=opus, encrypted=encrypted, silence=silence))

    def _judge(self) -> Participant | None:
        present = self.participants.values()
        able = (one for one in present if one.epoch is not None or not one.version)
        return next(able, None) or next(iter(present), self._departed)
