"""The runner as the server runs it: made by name, as the server's processes are started afresh."""

from __future__ import annotations

from cost_ops.bootstrap import Application
from cost_ops.workers.runner import Runner


def make_runner(application: Application) -> Runner:
    """A runner for an opened installation."""
    return Runner(application)
