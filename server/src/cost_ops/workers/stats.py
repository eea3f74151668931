"""What a worker counts, for Prometheus, in a registry of its own. No tenant's name is ever a label."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cost_ops.domain.jobs import Backlog

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800)


class Stats:
    """Counts of one process; what is said of the queue is the same for all of them."""

    def __init__(self) -> None:
        """All is nothing yet."""
        self.registry = CollectorRegistry()
        self.ended: dict[str, int] = {}
        """Jobs by outcome."""

        self._jobs = Counter(
            "cost_ops_jobs_total", "Jobs by kind and outcome", ["kind", "outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "cost_ops_job_seconds", "Seconds that a job takes", ["kind"], buckets=_SECONDS, registry=self.registry
        )
        self._due = Gauge("cost_ops_jobs_due", "Jobs that are due and not taken", registry=self.registry)
        self._lag = Gauge("cost_ops_job_lag_seconds", "How long the oldest due job has waited", registry=self.registry)
        self._running = Gauge("cost_ops_jobs_running", "Jobs that some worker does now", registry=self.registry)
        self._dead = Gauge("cost_ops_jobs_dead", "Jobs that failed for good", registry=self.registry)
        self._pumps = Counter("cost_ops_pump_errors_total", "Failures of pumps", ["pump"], registry=self.registry)

    def job(self, kind: str, outcome: str, seconds: float) -> None:
        """A job came to an end here: done, failed, dead, given back, or lost to another worker."""
        self.ended[outcome] = self.ended.get(outcome, 0) + 1
        self._jobs.labels(kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)

    def pump_failed(self, name: str) -> None:
        """A step of a pump failed."""
        self._pumps.labels(name).inc()

    def queue(self, backlog: Backlog, now: datetime) -> None:
        """How the queue stands."""
        self._due.set(backlog.due)
        self._lag.set(backlog.lag(now).total_seconds())
        self._running.set(backlog.running)
        self._dead.set(backlog.dead)

    def text(self) -> bytes:
        """All numbers in the exposition format."""
        return generate_latest(self.registry)
