"""One child process in a group of its own: started, watched and reaped.

A thread starts it and waits for its end. The thread has to live as long as the child: Linux sends the
parent-death signal (see `lifeline`) when the *thread* that has started a process ends. The thread itself is
started in the low-level way, for `Thread.start` waits until the new thread has got a processor.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from _thread import start_new_thread
from pathlib import Path

import anyio
from anyio import from_thread
from anyio.lowlevel import EventLoopToken, current_token

from .spawning import spawn

# What a worker may know of the bot's environment: enough to find programs and certificates; no token, no
# proxy.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_NICE = 19  # of priorities (nice): the bot's packet clock comes first
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])


class ChildProcess:
    """Made by `start`, ended by `end`. `socket` (non-blocking) and `stderr` are the parent's ends.

    `pid` is the number of the process and of its group. `returncode` is None until `end` has reaped the
    process, and negative for a signal.
    """

    def __init__(self, ours: socket.socket, stderr: int) -> None:
        self.socket, self.stderr = ours, stderr
        self.pid = 0
        self.returncode: int | None = None
        self._started, self._over = anyio.Event(), anyio.Event()
        self._failure: OSError | None = None
        self._watched = False

    @classmethod
    async def start(cls, arguments: list[str]) -> ChildProcess:
        """The interpreter with these arguments, as soon as it runs. Not cancellable until then.

        Raises OSError: no memory, or too many processes, threads or descriptors.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                stderr, writing = os.pipe()
            except OSError:
                ours.close()
                raise
            child = cls(ours, stderr)
            try:
                await child.begin(arguments, theirs.fileno(), writing)
            except BaseException:
                await child.end()
                raise
            finally:
                os.close(writing)
        return child

    async def begin(self, arguments: list[str], stdin: int, stderr: int) -> None:
        """What `start` does when it has the child's ends, which are its own to close. Raises OSError."""
        self.socket.setblocking(False)
        os.set_blocking(self.stderr, False)
        try:
            start_new_thread(self._live, (arguments, stdin, stderr, current_token()))
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from error
        self._watched = True
        with anyio.CancelScope(shield=True):
            await self._started.wait()
        if self._failure is not None:
            raise self._failure

    def kill(self) -> None:
        """Kill the process and everything in its group, at once. Safe to call again."""
        if self.pid and self.returncode is None:  # not reaped: the group's number cannot belong to others
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    async def end(self) -> None:
        """Kill, reap and close everything. Not cancellable; a killed process is gone within milliseconds."""
        with anyio.CancelScope(shield=True):
            self.kill()
            if self._watched:
                await self._over.wait()  # that is the last thing that the thread does
            await self._reap()
        self.socket.close()
        os.close(self.stderr)

    async def _reap(self) -> None:
        while self.pid and self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)  # noqa: ASYNC222 - it does not block
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            else:  # where the thread cannot wait for its end
                await anyio.sleep(0.005)

    def _live(self, arguments: list[str], stdin: int, stderr: int, token: EventLoopToken) -> None:
        """The thread."""
        try:
            self.pid = spawn([sys.executable, "-P", *arguments], _environment(), stdin=stdin, stderr=stderr)
            os.setpriority(os.PRIO_PROCESS, self.pid, _NICE)  # what it imports first takes longest
        except OSError as error:
            self._failure = error
        from_thread.run_sync(self._started.set, token=token)
        if self.pid and sys.platform == "linux":
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        from_thread.run_sync(self._over.set, token=token)


def _environment() -> dict[str, str]:
    known = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    # Without the last one code in folders of the home and of the system would run.
    return {**known, "PYTHONPATH": _PACKAGE_ROOT, "YTDLP_NO_PLUGINS": "1"}
