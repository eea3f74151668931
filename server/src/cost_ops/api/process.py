"""What one server process consists of beside its routes."""

from __future__ import annotations

from dataclasses import dataclass

from cost_ops.api.authentication import Authenticator
from cost_ops.api.committer import Committer
from cost_ops.api.door import Door
from cost_ops.api.limiter import Limiter
from cost_ops.api.metrics import Metrics
from cost_ops.api.refusals import Refusals
from cost_ops.api.repricer import Repricer
from cost_ops.bootstrap import Application


@dataclass(frozen=True, slots=True)
class Process:
    """An opened installation and the machinery that serves it."""

    application: Application
    metrics: Metrics
    authenticator: Authenticator
    door: Door
    refusals: Refusals
    committer: Committer
    repricer: Repricer


def assemble(application: Application) -> Process:
    """The machinery, not started yet."""
    metrics = Metrics()
    authenticator = Authenticator(application, metrics)
    refusals = Refusals(application, metrics)
    door = Door(application, authenticator, Limiter(application, metrics), refusals)
    return Process(application, metrics, authenticator, door, refusals, Committer(application, metrics), Repricer())
