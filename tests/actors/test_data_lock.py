"""Two processes on one data folder: the second is refused, and nothing is left locked by a dead one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from actors.data_lock import DataFolderBusyError, hold_data_folder

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import pathlib, subprocess, sys
from actors.data_lock import hold_data_folder
with hold_data_folder(pathlib.Path(sys.argv[1])):
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def test_the_folder_is_free_again_after_its_holder(tmp_path: Path) -> None:
    with hold_data_folder(tmp_path):
        assert_busy(tmp_path)
    with hold_data_folder(tmp_path):
        pass


def assert_busy(folder: Path) -> None:
    with pytest.raises(DataFolderBusyError, match=folder.name), hold_data_folder(folder):
        pass


def test_another_process_is_refused_until_this_one_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:  # noqa: S603
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            assert_busy(tmp_path)
            holder.kill()
            holder.wait()
            with hold_data_folder(tmp_path):  # its child lives on, and holds nothing
                pass
        finally:
            os.kill(child, signal.SIGKILL)
