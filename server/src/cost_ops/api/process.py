"""What one server process consists of beside its routes."""

from __future__ import annotations

from dataclasses import dataclass

from cost_ops.api.authentication import Authenticator
from cost_ops.api.background import Background, MakeBackground
from cost_ops.api.committer import Committer
from cost_ops.api.decider import Decider
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
    decider: Decider
    background: Background | None = None
    """What runs beside answering, if anything does."""


def assemble(application: Application, background: MakeBackground | None = None) -> Process:
    """The machinery, not started yet."""
    beside = None if background is None else background(application)
    metrics = Metrics()
    authenticator = Authenticator(application, metrics)
    refusals = Refusals(application, metrics)
    door = Door(application, authenticator, Limiter(application, metrics), refusals)
    committer, decider = Committer(application, metrics), Decider(application, metrics)
    return Process(application, metrics, authenticator, door, refusals, committer, Repricer(), decider, beside)
