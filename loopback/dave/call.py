"""The delivery service of one voice channel: who may be added, whose commit wins, when keys change.

Sections named in brackets are of the DAVE whitepaper. Nothing here knows a websocket: a member is told what
concerns it through its :class:`Port`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from loopback.dave.group import Group, RefusedError
from loopback.dave.structures import Commit, KeyPackage, read_key_package, split_commit_welcome, welcome_for
from loopback.dave.transitions import INITIAL_TRANSITION, Transitions
from loopback.dave.wire import MalformedError, number, vector
from loopback.voice.protocol import Op

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopback.dave.sender import ExternalSender, Proposal

VERSION: Final = 1
_APPEND, _REVOKE = b"\0", b"\1"


class Port(Protocol):
    """The way to a member."""

    def tell(self, op: Op, data: dict[str, Any] | bytes) -> None:
        """Send one message: the data of a JSON one, or the body of a binary one."""
        ...


@dataclass(slots=True, eq=False)
class Member:
    """Somebody in the channel. ``key_package`` is what a pending member waits with to be added."""

    user_id: int
    port: Port
    supports: bool
    key_package: KeyPackage | None = None


class Call:
    """Members of one channel and their group. :meth:`close` must be called in the end.

    ``version`` is 1 while everybody in the channel supports it, else 0 ([Initial Transitory Phase]).
    """

    def __init__(self, sender: ExternalSender, channel_id: int, *, first_at_once: bool = True) -> None:
        """:param first_at_once: the first group is in force when it is announced (transition 0)"""
        self.channel_id = channel_id
        self.members: dict[int, Member] = {}
        self.version = VERSION
        self.group = Group(sender, channel_id)
        self.refused: list[str] = []
        """Why commits and key packages were not accepted; losers of a race are among them."""
        self.invalid: list[int] = []
        """Users who reported a commit or welcome that they could not process (op 31)."""
        self._sender = sender
        self._first_at_once = first_at_once
        self._transitions = Transitions(self._execute)
        self._upgrading = False

    def close(self) -> None:
        """Forget everybody and stop the timers."""
        self.members.clear()
        self._transitions.drop()

    # --- coming and going ---

    def version_for(self, *, supports: bool) -> int:
        """The version that somebody who comes now is told (op 4)."""
        return self.version if supports else 0

    def join(self, user_id: int, port: Port, *, supports: bool) -> None:
        """Somebody has come, and knows the version by now. A former presence of the same user has ended."""
        if user_id in self.members:
            self.leave(user_id, self.members[user_id].port)
        self.members[user_id] = member = Member(user_id, port, supports)
        if not supports and self.version:
            self._downgrade()
        elif supports and self.version:
            member.port.tell(Op.DAVE_MLS_EXTERNAL_SENDER, self._sender.package)

    def leave(self, user_id: int, port: Port) -> None:
        """Somebody has gone, unless he has come again by another way meanwhile."""
        member = self.members.get(user_id)
        if member is None or member.port is not port:
            return
        del self.members[user_id]
        self._transitions.gone(user_id)
        if not self.members:
            self.version = VERSION
            self._new_group()
        elif self.version:
            self._give_up(user_id)
        elif all(one.supports for one in self.members.values()):
            self._upgrade()

    def _give_up(self, user_id: int) -> None:
        """Get somebody who has gone out of the group."""
        proposal = self.group.proposed(user_id, added=True)
        if proposal is not None:
            self._revoke(proposal)
        if user_id not in self.group:
            return
        if len(self.members) == 1:
            self._reset_sole()
        elif self._grouped():
            self._propose_remove(user_id)
        else:
            self._start_over()

    def _reset_sole(self) -> None:
        """[Sole member reset]"""
        (member,) = self.members.values()
        self._new_group()
        self._prepare_epoch(member)
        data = {"protocol_version": self.version, "transition_id": INITIAL_TRANSITION}
        member.port.tell(Op.DAVE_PREPARE_TRANSITION, data)

    def _start_over(self) -> None:
        """Nobody is left who could go on with the group: those who wait make one of their own."""
        self._new_group()
        for member in self.members.values():
            self._prepare_epoch(member)

    def _new_group(self) -> None:
        self.group = Group(self._sender, self.channel_id)
        for member in self.members.values():
            member.key_package = None

    def _prepare_epoch(self, member: Member) -> None:
        member.port.tell(Op.DAVE_PREPARE_EPOCH, {"protocol_version": self.version, "epoch": 1})
        member.port.tell(Op.DAVE_MLS_EXTERNAL_SENDER, self._sender.package)

    # --- versions ---

    def _downgrade(self) -> None:
        """[Downgrade to Transport-Only Encryption]"""
        self.version = 0
        self._upgrading = False
        self._new_group()
        self._transitions.drop()
        speakers = [member for member in self.members.values() if member.supports]
        transition = self._transitions.begin(member.user_id for member in speakers)
        for member in speakers:
            data = {"protocol_version": 0, "transition_id": transition}
            member.port.tell(Op.DAVE_PREPARE_TRANSITION, data)

    def _upgrade(self) -> None:
        """[Upgrade from Transport-Only Encryption]; who is alone has nobody to make a group with."""
        self.version = VERSION
        self._transitions.drop()
        if len(self.members) == 1:
            self._reset_sole()
        else:
            self._upgrading = True
            self._start_over()

    # --- what members send ---

    def take_key_package(self, user_id: int, body: bytes) -> None:
        """Op 26: somebody asks to be added."""
        member = self.members.get(user_id)
        if member is None or not self.version:
            return
        try:
            key_package = read_key_package(body)
        except MalformedError as error:
            self.refused.append(f"key package of {user_id}: {error}")
            return
        if key_package.user_id != user_id:
            self.refused.append(f"key package of {user_id} is for {key_package.user_id}")
            return
        member.key_package = key_package
        if self.group.established:
            self._add_to_group(key_package)
        else:
            self._add_to_pending(member, key_package)

    def _add_to_group(self, key_package: KeyPackage) -> None:
        """[Member Add]; who is in the group with another key package is removed by the same commit."""
        former = self.group.proposed(key_package.user_id, added=True)
        if former is not None:
            self._revoke(former)
        if key_package.user_id in self.group:
            if not self._grouped(besides=key_package.user_id):
                self._start_over()
                return
            self._propose_remove(key_package.user_id)
        self._propose([self.group.add(key_package)], self._grouped())

    def _add_to_pending(self, member: Member, key_package: KeyPackage) -> None:
        """[Initial Group Creation]: each hears of all the others, and of nobody twice."""
        former = self.group.proposed(member.user_id, added=True)
        if former is not None:
            self._revoke(former)
        self._propose(self.group.due(member.user_id), [member])
        others = [one for one in self._pending() if one is not member]
        self._propose([self.group.add(key_package)], others)

    def take_commit(self, user_id: int, body: bytes) -> None:
        """Op 28: the first valid commit of an epoch wins ([Commit Ordering])."""
        if user_id not in self.members or not self.version:
            return
        try:
            commit, welcome = split_commit_welcome(body)
            covered = self.group.check(user_id, commit)
            adds = [one.added for one in covered if one.added is not None]
            welcomes = {added.user_id: welcome_for(welcome, added) for added in adds}
        except (MalformedError, RefusedError) as error:
            self.refused.append(f"commit of {user_id}: {error}")
            return
        self._announce(user_id, commit, covered, welcomes)

    def _announce(
        self, user_id: int, commit: Commit, covered: list[Proposal], welcomes: dict[int, bytes]
    ) -> None:
        """[Commit Handling], [Welcome Handling]"""
        initial = not self.group.established
        self.group.apply(user_id, covered)
        staying = [self.members[one] for one in self.group.members if one in self.members]
        immediate = initial and not self._upgrading and self._first_at_once
        users = (member.user_id for member in staying)
        transition = INITIAL_TRANSITION if immediate else self._transitions.begin(users)
        self._upgrading = False
        for member in staying:
            member.key_package = None
            head = number(transition, 2)
            if member.user_id in welcomes:
                member.port.tell(Op.DAVE_MLS_WELCOME, head + welcomes[member.user_id])
            else:
                member.port.tell(Op.DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION, head + commit.message)

    def take_ready(self, user_id: int, transition: int) -> None:
        """Op 23: a member has done its part of a transition."""
        self._transitions.ready(user_id, transition)

    def take_invalid(self, user_id: int, transition: int) -> None:
        """Op 31: a member could not process what it got; it is removed, and added again by its next key
        package ([Recovery from Invalid Commit or Welcome]).
        """
        if user_id not in self.members:
            return
        self.invalid.append(user_id)
        self._transitions.ready(user_id, transition)
        if not self.version or user_id not in self.group:
            return
        if self._grouped(besides=user_id):
            self._propose_remove(user_id)
        else:
            self._start_over()

    # --- proposals ---

    def _propose_remove(self, user_id: int) -> None:
        if self.group.proposed(user_id, added=False) is None:
            self._propose([self.group.remove(user_id)], self._grouped(besides=user_id))

    def _propose(self, proposals: list[Proposal], members: Iterable[Member]) -> None:
        body = _APPEND + vector(b"".join(proposal.message for proposal in proposals))
        for member in members if proposals else ():
            member.port.tell(Op.DAVE_MLS_PROPOSALS, body)

    def _revoke(self, proposal: Proposal) -> None:
        self.group.revoke(proposal)
        body = _REVOKE + vector(vector(proposal.reference))
        for member in self._grouped() if self.group.established else self._pending():
            if member.user_id != proposal.user_id:
                member.port.tell(Op.DAVE_MLS_PROPOSALS, body)

    def _pending(self) -> list[Member]:
        """Who waits to be added, and can make a group of his own."""
        return [one for one in self.members.values() if one.key_package is not None]

    def _grouped(self, *, besides: int | None = None) -> list[Member]:
        """Who is in the group, stays in it, and is here."""
        return [
            self.members[user_id]
            for user_id in self.group.members
            if user_id in self.members
            and user_id != besides
            and self.group.proposed(user_id, added=False) is None
        ]

    def _execute(self, user_id: int, transition: int) -> None:
        member = self.members.get(user_id)
        if member is not None:
            member.port.tell(Op.DAVE_EXECUTE_TRANSITION, {"transition_id": transition})
