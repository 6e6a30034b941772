"""The bot's side of one worker process: several conversations over one socket, and an end without remains."""

from __future__ import annotations

import os
import socket
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from structlog.contextvars import get_contextvars

from .errors import ErrorKind, MediaError
from .process import ChildProcess
from .wire import Decoder, WireError, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskStatus

_STDERR_KEPT = 8192  # bytes: the last words of a worker, for error reports
_BUFFERED = 256  # messages of one conversation that wait for their reader

_numbers = count(1)
log = structlog.get_logger(__name__)


class Conversation:
    """One job in a worker: its messages, and at last its result. Ended by `Worker.leave`."""

    def __init__(self, worker: Worker, number: int) -> None:
        self._worker = worker
        self.number = number
        self.over = anyio.Event()
        self._send, self._receive = anyio.create_memory_object_stream[dict[str, Any]](_BUFFERED)

    @property
    def ended(self) -> bool:
        """Whether the worker is done with it."""
        return self.over.is_set()

    async def receive(self) -> dict[str, Any]:
        """The next {"message": ...} or, at last, {"result": ...}; raises MediaError if the job failed."""
        try:
            item = await self._receive.receive()
        except anyio.EndOfStream:
            raise self._worker.death() from None
        if "error" in item:
            raise MediaError.from_dict(item["error"])
        return item

    async def result(self) -> Any:
        """The result of a job that sends nothing else."""
        while "result" not in (item := await self.receive()):
            pass
        return item["result"]

    def reply(self, message: dict[str, Any]) -> None:
        """Answer a question of the job."""
        self._worker.post({"id": self.number, "reply": message})

    async def put(self, item: dict[str, Any]) -> None:
        try:
            await self._send.send(item)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # nobody listens any more

    def close_sending(self) -> None:
        self._send.close()

    def close(self) -> None:
        self._receive.close()
        self._send.close()


class Worker:
    """A worker process `python -m module argument`. `run` owns it: the process is gone when `run` returns."""

    def __init__(self, arguments: list[str], *, on_change: Callable[[], None] = lambda: None) -> None:
        self._arguments = arguments
        self._on_change = on_change
        self._process: ChildProcess | None = None
        self._conversations: dict[int, Conversation] = {}
        self._last_words = bytearray()
        self._began = time.monotonic()
        self.alive = True
        self.taken = 0  # jobs so far

    @property
    def busy(self) -> int:
        """Jobs that have not ended, cancelled ones included."""
        return len(self._conversations)

    @property
    def pid(self) -> int | None:
        """The number of the process and of its group."""
        return self._process.pid if self._process else None

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def last_words(self) -> str:
        """The end of what the worker wrote to its standard error."""
        return self._last_words.decode(errors="replace")

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Start the process and carry its messages until it ends; cancelling ends it."""
        process = self._process = await ChildProcess.start(self._arguments)
        ended_by_itself = False
        task_status.started()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._drain, process)
                await self._read(process)
                tasks.cancel_scope.cancel()
            ended_by_itself = self.alive
        finally:
            self.alive = False
            self._keep_last_words(process)
            await process.end()
            self._fail_all()
            self._on_change()
            if ended_by_itself:
                log.warning(
                    "media_worker_died",
                    worker=self._arguments[:2],
                    returncode=process.returncode,
                    last_words=self.last_words[-1000:],
                )

    def open(self, request: dict[str, Any], fd: int | None = None) -> Conversation:
        """Begin a job; `fd` is duplicated into the worker."""
        conversation = Conversation(self, next(_numbers))
        self._conversations[conversation.number] = conversation
        self.taken += 1
        command_id = get_contextvars().get("command_id")  # of the command that this follows from, if from any
        job = {"id": conversation.number, "request": request, "command_id": command_id, "fd": fd is not None}
        self.post(job, fd)
        if not self.alive:
            self._end(conversation)
        return conversation

    async def leave(self, conversation: Conversation, *, grace_s: float) -> None:
        """Nobody waits for this job any more: tell it, and kill the worker if it does not end in time."""
        if not conversation.ended and self.alive:
            self.post({"id": conversation.number, "cancel": True})
            with anyio.move_on_after(grace_s):
                await conversation.over.wait()
        if not conversation.ended:
            self.kill()

    def kill(self) -> None:
        """End the worker with all that it started; its jobs end with an error."""
        self.alive = False
        if self._process is not None:
            self._process.kill()

    def death(self) -> MediaError:
        """What the conversations of a worker that is gone are told."""
        return MediaError(ErrorKind.WORKER_DIED, "The program that reads media ended unexpectedly.")

    def post(self, message: dict[str, Any], fd: int | None = None) -> None:
        """Send without waiting. A worker always reads, so one whose buffer is full hangs and is killed."""
        if self._process is None or not self.alive:
            return
        data = encode(message)
        try:
            sent = socket.send_fds(self._process.socket, [data], [] if fd is None else [fd])
        except OSError:
            sent = -1
        if sent != len(data):
            self.kill()

    async def _read(self, process: ChildProcess) -> None:
        decoder = Decoder()
        while True:
            await anyio.wait_readable(process.socket)
            try:
                data = process.socket.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                return
            if not data:
                return
            try:
                for message in decoder.feed(data):
                    await self._take(message)
            except WireError:
                return

    async def _take(self, message: dict[str, Any]) -> None:
        conversation = self._conversations.get(message["id"])
        if conversation is None:
            return
        if "end" not in message:
            await conversation.put({"message": message["message"]})
            return
        await conversation.put(message["end"])
        self._end(conversation)

    def _end(self, conversation: Conversation) -> None:
        conversation.over.set()
        conversation.close_sending()
        self._conversations.pop(conversation.number, None)
        self._on_change()

    def _fail_all(self) -> None:
        for conversation in list(self._conversations.values()):
            self._end(conversation)

    async def _drain(self, process: ChildProcess) -> None:
        while True:
            await anyio.wait_readable(process.stderr)
            if not self._keep_last_words(process):
                return

    def _keep_last_words(self, process: ChildProcess) -> bool:
        try:
            data = os.read(process.stderr, 65536)
        except BlockingIOError:
            return True
        self._last_words += data
        del self._last_words[:-_STDERR_KEPT]
        return bool(data)
