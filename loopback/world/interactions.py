"""Interactions: what a user set off, and what the bot has answered so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

from loopback.errors import NotAnswered
from loopback.waiting import NotSeen
from loopback.world.channels import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.world.channels import Channel
    from loopback.world.message import Message
    from loopback.world.model import Payload, User
    from loopback.world.world import World

T = TypeVar("T")


class InteractionKind(IntEnum):
    """Types of interactions."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class Callback(IntEnum):
    """Types of first answers."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    AUTOCOMPLETE = 8
    MODAL = 9


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class Interaction:
    """One use of a command, button or modal. `answer` is what the user reads first; edits change it in
    place.
    """

    world: World
    id: int
    token: str
    kind: InteractionKind
    user: User
    channel: Channel
    data: Payload
    created_s: float
    source: Message | None = None
    """The message whose component was used."""
    callback: Callback | None = None
    answered_s: float | None = None
    original: Message | None = None
    """The @original of the webhook: the first answer, or the source of an update."""
    answer: Message | None = None
    followups: list[Message] = field(default_factory=list)
    choices: list[Payload] = field(default_factory=list)
    modal: Payload | None = None

    def __repr__(self) -> str:
        return f"<Interaction {self.name!r} by {self.user.name}, {self.callback!r}>"

    @property
    def name(self) -> str:
        return str(self.data.get("name") or self.data.get("custom_id"))

    @property
    def messages(self) -> list[Message]:
        """What the user sees of the bot's answers now: no "is thinking", nothing deleted."""
        found = [self.original] if self.original is not None and self.original is not self.source else []
        return [one for one in [*found, *self.followups] if not one.loading and not one.deleted]

    @property
    def deadline_s(self) -> float:
        return self.created_s + self.world.settings.interaction_deadline_s

    @property
    def answer_delay_s(self) -> float | None:
        """Seconds from the use to the first answer (a deferral counts)."""
        return None if self.answered_s is None else self.answered_s - self.created_s

    def expired(self) -> bool:
        """Whether the token is worth nothing any more."""
        now = self.world.now()
        if self.callback is None:
            return now > self.deadline_s
        return now > self.created_s + self.world.settings.interaction_token_s

    async def wait_acknowledged(self, timeout_s: float = WAIT_S) -> Callback:
        """The type of the first answer. Raises NotAnswered after Discord's deadline, NotSeen after
        `timeout_s`.
        """
        left_s = self.deadline_s - self.world.now()
        try:
            return await self._until(lambda: self.callback, min(timeout_s, max(left_s, 0.0)))
        except NotSeen:
            if left_s <= timeout_s:
                raise NotAnswered(f"the application did not respond to {self.name!r}") from None
            raise

    async def wait_answer(self, timeout_s: float = WAIT_S) -> Message:
        """The first answer with content, once a deferral has been filled. Raises as wait_acknowledged."""
        started_s = self.world.now()
        await self.wait_acknowledged(timeout_s)
        left_s = timeout_s - (self.world.now() - started_s)
        return await self._until(lambda: self.answer, max(left_s, 0.0))

    async def wait_message(self, predicate: Callable[[Message], bool], timeout_s: float = WAIT_S) -> Message:
        """The first of the answers that fits, now or later, new or edited."""
        return await self._until(lambda: next(filter(predicate, self.messages), None), timeout_s)

    async def wait_modal(self, timeout_s: float = WAIT_S) -> Payload:
        """The form that the bot opened: its title, custom_id and components."""
        return await self._until(lambda: self.modal, timeout_s)

    async def wait_choices(self, timeout_s: float = WAIT_S) -> list[Payload]:
        """Suggestions of an autocompletion, each with name and value."""
        await self.wait_acknowledged(timeout_s)
        return self.choices

    async def _until(self, probe: Callable[[], T | None], timeout_s: float) -> T:
        return await self.channel.watch.until(probe, timeout_s, self._what)

    def _what(self) -> str:
        so_far = [str(one) for one in self.messages]
        return f"an answer to {self.name!r}; so far: {self.callback!r}, {so_far}"

    def metadata(self) -> Payload:
        """What messages of the bot say about the interaction they answer."""
        user = self.user.payload()
        metadata = {
            "id": str(self.id),
            "type": int(self.kind),
            "user": user,
            "authorizing_integration_owners": {"0": str(self.channel.guild_id or 0)},
        }
        if self.kind is InteractionKind.COMMAND:
            metadata |= {"name": self.name, "command_type": 1}
        short = {"id": str(self.id), "type": int(self.kind), "name": self.name, "user": user}
        return {"metadata": metadata, "short": short}
