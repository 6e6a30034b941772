"""One child process in a group of its own: started, watched and reaped without a thread.

`anyio.open_process` would do, but on Python 3.11 asyncio watches each child with a thread, and it reaps a
child before its group can be killed safely by number. A `pidfd` (Linux) tells of the end like any readable
file.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import anyio

# What a worker may know of the bot's environment: enough to find programs and certificates; no token, no
# proxy.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_NICE = 19  # of priorities (nice): the bot's packet clock comes first
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])


class ChildProcess:
    """`arguments` of the interpreter; `socket` (non-blocking) and `stderr` are the parent's ends."""

    def __init__(self, arguments: list[str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._process = _start(arguments, theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self.socket = ours
        assert self._process.stderr is not None  # noqa: S101 - it is a pipe: for the type checker
        self.stderr = self._process.stderr
        os.set_blocking(self.stderr.fileno(), False)
        self._pidfd = os.pidfd_open(self.pid) if sys.platform == "linux" else None

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None until `end` has reaped the process; negative for a signal."""
        return self._process.returncode

    def kill(self) -> None:
        """Kill the process and everything in its group, at once. Safe to call again."""
        if self._process.returncode is None:  # not reaped: the number of the group cannot belong to others
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    async def end(self) -> None:
        """Kill, reap and close everything. Not cancellable; a killed process is gone within milliseconds."""
        with anyio.CancelScope(shield=True):
            self.kill()
            await self._wait()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self.socket.close()
        self.stderr.close()

    async def _wait(self) -> None:
        if self._pidfd is not None and self._process.returncode is None:
            await anyio.wait_readable(self._pidfd)
        while self._process.poll() is None:  # noqa: ASYNC110 - without a pidfd nothing tells of the end
            await anyio.sleep(0.005)


def _start(arguments: list[str], connection: socket.socket) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment["PYTHONPATH"] = _PACKAGE_ROOT
    environment["YTDLP_NO_PLUGINS"] = "1"  # else code in folders of the home and of the system would run
    process = subprocess.Popen(  # noqa: S603 - the interpreter itself, with arguments of our own
        [sys.executable, "-P", *arguments],
        stdin=connection.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        process_group=0,  # no session: Linux weighs those alike (autogroups), whatever their nice value
        env=environment,
    )
    os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)  # what it imports first takes longest
    return process
