"""The worker's side: reads jobs from the bot's socket, runs each in a thread, sends messages back.

The connection is a socket pair at file descriptor 0, for both directions: descriptors of spool files can be
handed over with a job, and standard output stays free, so a library that prints cannot damage a message.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from . import lifeline
from .errors import ErrorKind, MediaError
from .wire import Decoder, encode

_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # no child may inherit a spool, not even by a race
Handler = Callable[["Job"], dict[str, Any]]


class Job:
    """One job in this worker. `fd` is a descriptor that came with it; it is closed when the job ends.

    `command_id`: of the command that it follows from, as in the bot's log; None if from none.
    """

    def __init__(self, connection: Connection, message: dict[str, Any], fd: int | None) -> None:
        self._connection = connection
        self._replies: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.id: int = message["id"]
        self.request: dict[str, Any] = message["request"]
        self.command_id: str | None = message["command_id"]
        self.fd = fd
        self.cancelled = threading.Event()
        self.on_cancel: Callable[[], None] = lambda: None  # called in another thread than the job's

    def send(self, message: dict[str, Any]) -> None:
        """A message to the one who started the job."""
        self._connection.send({"id": self.id, "message": message})

    def ask(self, message: dict[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """A message that the bot answers; raises MediaError (TIMEOUT) or the bot's error."""
        self.send(message)
        try:
            reply = self._replies.get(timeout=timeout_s)
        except queue.Empty:
            raise MediaError(ErrorKind.TIMEOUT, "The bot did not answer its worker.") from None
        if "error" in reply:
            raise MediaError.from_dict(reply["error"])
        return reply

    def accept(self, reply: dict[str, Any]) -> None:
        """The bot's answer to `ask`."""
        self._replies.put(reply)

    def cancel(self) -> None:
        """Nobody wants the result any more: wake the job wherever it waits."""
        self.cancelled.set()
        self.accept({"error": MediaError(ErrorKind.CANCELLED, "Nobody wants this any more.").to_dict()})
        self.on_cancel()

    def check_cancelled(self) -> None:
        """Raises MediaError (CANCELLED) if nobody wants the result any more."""
        if self.cancelled.is_set():
            raise MediaError(ErrorKind.CANCELLED, "Nobody wants this any more.")


class Connection:
    """The socket to the bot; sending is safe from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = threading.Lock()
        self._decoder = Decoder()
        self._fds: list[int] = []

    def send(self, message: dict[str, Any]) -> None:
        data = encode(message)
        try:
            with self._lock:
                self._socket.sendall(data)
        except OSError:
            lifeline.end_group()

    def receive(self) -> list[tuple[dict[str, Any], int | None]]:
        """The next messages, each with its descriptor; empty at the end of the connection."""
        while True:
            data, fds, _, _ = socket.recv_fds(self._socket, 65536, 8, _CLOEXEC)
            for fd in fds:
                os.set_inheritable(fd, False)  # where the flag does not exist
            self._fds += fds
            if not data:
                return []
            if messages := [self._with_fd(message) for message in self._decoder.feed(data)]:
                return messages

    def _with_fd(self, message: dict[str, Any]) -> tuple[dict[str, Any], int | None]:
        return message, self._fds.pop(0) if message.get("fd") else None


def serve(handler: Handler, connection: Connection) -> None:
    """Run jobs until the bot goes away; then end this process and all that it started."""
    jobs: dict[int, Job] = {}
    while messages := connection.receive():
        for message, fd in messages:
            _dispatch(handler, connection, jobs, message, fd)
    lifeline.end_group()


def _dispatch(
    handler: Handler, connection: Connection, jobs: dict[int, Job], message: dict[str, Any], fd: int | None
) -> None:
    known = jobs.get(message["id"])
    if "request" in message:
        job = jobs[message["id"]] = Job(connection, message, fd)
        threading.Thread(target=_run, args=(handler, connection, jobs, job), daemon=True).start()
    elif known is not None and "reply" in message:
        known.accept(message["reply"])
    elif known is not None:
        known.cancel()


def _run(handler: Handler, connection: Connection, jobs: dict[int, Job], job: Job) -> None:
    try:
        ending = {"result": handler(job)}
    except MediaError as error:
        ending = {"error": error.to_dict()}
    except BaseException as error:  # whatever a library throws becomes data; the process can go on
        sys.stderr.write(f"a job of command {job.command_id} failed\n")
        traceback.print_exc(limit=-12)
        text = f"Something went wrong while this was read ({type(error).__name__})."
        ending = {"error": MediaError(ErrorKind.INTERNAL, text).to_dict()}
    finally:
        jobs.pop(job.id, None)
        if job.fd is not None:
            os.close(job.fd)
    _conclude(connection, job, ending)


def _conclude(connection: Connection, job: Job, ending: dict[str, Any]) -> None:
    try:
        connection.send({"id": job.id, "end": ending})
    except Exception:  # it cannot be told; but that the job has ended must be, or somebody waits for it
        traceback.print_exc(limit=-4)
        error = MediaError(ErrorKind.UNAVAILABLE, "What the site says of itself is too much.")
        connection.send({"id": job.id, "end": {"error": error.to_dict()}})


def connect() -> Connection:
    """Take the connection over from descriptor 0, where nobody else then reads; print to stderr only."""
    sock = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return Connection(sock)
