"""What an actor may ask of the kernel about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from ._actor_process import ActorProcess
    from ._ref import Ref
    from ._system import System

Ts = TypeVarTuple("Ts")


class Context:
    """One incarnation's view. Made by the kernel, found as ``self.ctx``."""

    __slots__ = ("_process",)

    def __init__(self, process: ActorProcess) -> None:
        self._process = process

    @property
    def path(self) -> str:
        """From the root, for example ``guilds/42/player``."""
        return self._process.cell.path

    @property
    def id(self) -> str:
        """Among its siblings."""
        return self._process.cell.spec.id

    @property
    def incarnation(self) -> int:
        """1 for the first, one more after each restart."""
        return self._process.incarnation

    @property
    def snapshot(self) -> object:
        """What the incarnation before left by :meth:`Actor.snapshot`; None if nothing."""
        return self._process.snapshot

    @property
    def system(self) -> System:
        """The system this actor lives in."""
        return self._process.system

    @property
    def ref(self) -> Ref:
        """Of this actor itself, stable over restarts."""
        return self.lookup(self.path)

    def sibling(self, child_id: str) -> Ref:
        """Of another child of the same supervisor."""
        parent, _, _ = self.path.rpartition("/")
        return self.lookup(f"{parent}/{child_id}" if parent else child_id)

    def lookup(self, path: str) -> Ref:
        """Of whoever lives at that path whenever it is used."""
        return self._process.system.lookup(path)

    def start_soon(self, func: Callable[[Unpack[Ts]], Awaitable[object]], *args: *Ts) -> None:
        """Run a background task that belongs to this incarnation.

        Its exception crashes the actor; it is cancelled before ``on_stop``.

        :raises ActorStopped: if this incarnation is stopping
        """
        self._process.start_job(func, args)

    def start_timer(self, key: Hashable, delay_s: float, message: object) -> None:
        """Send a message to this actor after a delay; the same key replaces, a restart clears.

        It does not pass through the mailbox, so it cannot meet a full one.
        """
        self._process.start_timer(key, delay_s, message)

    def cancel_timer(self, key: Hashable) -> None:
        """After this the message does not arrive, even if its time had come."""
        self._process.timers.cancel(key)

    def watch(self, ref: Ref) -> None:
        """Receive one :class:`Terminated` when it ends for good (not for its restarts); at once if it
        is not there. A restart of this actor clears its watches.
        """
        self._process.watch(ref.path)

    def unwatch(self, ref: Ref) -> None:
        """After this no :class:`Terminated` of it arrives."""
        self._process.unwatch(ref.path)

    def stash(self) -> None:
        """Put the message in hand aside, until :meth:`unstash_all`. Who asked waits on, until its timeout.

        What the handler returns then answers nobody. A restart gives all that is aside back.

        :raises StashFull: as many are there as :attr:`MailboxSpec.stash` allows
        :raises RuntimeError: there is none in hand, or it is a timer's or a notice of this incarnation
        """
        self._process.stash()

    def unstash_all(self) -> None:
        """All that is aside is handled next, in the order in which it came, before the mailbox."""
        self._process.box.unstash_all()

    def stop(self) -> None:
        """End normally after the current message."""
        self._process.stop_self()
