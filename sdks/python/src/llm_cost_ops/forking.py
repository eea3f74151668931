"""What is told in a forked child that it is one: it has no threads but its own, and its parent's files are not its."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """Something with locks, threads or files."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""


_ALL: weakref.WeakSet[Forked] = weakref.WeakSet()


def tell_in_child(of: Forked) -> None:
    """Call `after_fork` of this in every child, as long as it is there."""
    _ALL.add(of)


def _after_fork() -> None:
    for one in list(_ALL):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
