"""Failures by a script: what happens to whom, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from supervision._errors import SupervisionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from supervision._system import System


@dataclass(frozen=True, slots=True)
class Kill:
    """The order to kill by ``system.kill``, actors and supervisors alike."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a script.

    :ivar after_s: seconds after the step before
    :ivar path: to whom
    :ivar order: a message, for example :class:`Crash`, or :class:`Kill`
    """

    after_s: float
    path: str
    order: object


async def run_script(system: System, script: Iterable[Step]) -> list[SupervisionError]:
    """Do it step by step; messages are told and not asked.

    :return: what the steps met with, in order: whoever a step is for may not be there any more
    """
    met: list[SupervisionError] = []
    for step in script:
        await anyio.sleep(step.after_s)
        try:
            if isinstance(step.order, Kill):
                await system.kill(step.path)
            else:
                system.lookup(step.path).tell(step.order)
        except SupervisionError as error:
            met.append(error)
    return met
