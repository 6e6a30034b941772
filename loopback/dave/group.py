"""The MLS group of a channel as the delivery service sees it: epoch, leaves, proposals that await a
commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.dave.wire import number

if TYPE_CHECKING:
    from loopback.dave.sender import ExternalSender, Proposal
    from loopback.dave.structures import Commit, KeyPackage


class RefusedError(ValueError):
    """The commit does not fit the group: stale, or it leaves out or invents a proposal."""


class Group:
    """One group. It is established by its first commit; before that each member has a group of its own.

    ``leaves`` has the user at each leaf, None for a blank one (RFC 9420, section 7.8).
    """

    def __init__(self, sender: ExternalSender, channel_id: int) -> None:
        self._sender = sender
        self.id = number(channel_id, 8)
        self.epoch = 0
        self.leaves: list[int | None] = []
        self.proposals: list[Proposal] = []
        """Of this epoch, in the order in which they were made."""

    def __contains__(self, user_id: int) -> bool:
        return user_id in self.leaves

    @property
    def established(self) -> bool:
        return self.epoch > 0

    @property
    def members(self) -> list[int]:
        """Users at a leaf, in the order of the leaves."""
        return [user_id for user_id in self.leaves if user_id is not None]

    def add(self, key_package: KeyPackage) -> Proposal:
        """Propose to add a user."""
        return self._propose(self._sender.add(self.id, self.epoch, key_package))

    def remove(self, user_id: int) -> Proposal:
        """Propose to remove a member."""
        leaf = self.leaves.index(user_id)
        return self._propose(self._sender.remove(self.id, self.epoch, leaf, user_id))

    def proposed(self, user_id: int, *, added: bool) -> Proposal | None:
        """The proposal about a user that awaits a commit."""
        about = (one for one in self.proposals if one.user_id == user_id)
        return next((one for one in about if (one.added is not None) is added), None)

    def revoke(self, proposal: Proposal) -> None:
        """Forget a proposal; who has it must be told."""
        self.proposals.remove(proposal)

    def due(self, user_id: int) -> list[Proposal]:
        """What a commit of this user must cover: nobody adds himself to a group of his own."""
        if self.established:
            return list(self.proposals)
        return [one for one in self.proposals if one.user_id != user_id]

    def check(self, user_id: int, commit: Commit) -> list[Proposal]:
        """The proposals that the commit covers, in its order. Raises :class:`RefusedError`."""
        if (commit.group_id, commit.epoch) != (self.id, self.epoch):
            raise RefusedError(f"for epoch {commit.epoch}, this is {self.epoch}")
        if self.established and self._at(commit.sender) != user_id:
            raise RefusedError(f"leaf {commit.sender} is not user {user_id}")
        due = {proposal.reference: proposal for proposal in self.due(user_id)}
        if not due or set(commit.references) != set(due):
            raise RefusedError(f"{len(commit.references)} proposals are committed, {len(due)} are due")
        return [due[name] for name in commit.references]

    def apply(self, user_id: int, covered: list[Proposal]) -> None:
        """Go on to the next epoch: removes first, then adds into the leftmost blank leaves."""
        if not self.established:
            self.leaves = [user_id]
        removed = {one.user_id for one in covered if one.added is None}
        self.leaves = [None if user in removed else user for user in self.leaves]
        for proposal in covered:
            if proposal.added is not None:
                self._place(proposal.user_id)
        while self.leaves and self.leaves[-1] is None:
            self.leaves.pop()
        self.epoch += 1
        self.proposals.clear()

    def _propose(self, proposal: Proposal) -> Proposal:
        self.proposals.append(proposal)
        return proposal

    def _place(self, user_id: int) -> None:
        if None in self.leaves:
            self.leaves[self.leaves.index(None)] = user_id
        else:
            self.leaves.append(user_id)

    def _at(self, leaf: int) -> int | None:
        return self.leaves[leaf] if leaf < len(self.leaves) else None
