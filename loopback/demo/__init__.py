"""The demo: an embedded Discord, the bot as a process, a listener who judges."""

from .run import run_demo as run_demo

__all__ = ["run_demo"]
