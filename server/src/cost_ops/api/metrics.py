"""Numbers for Prometheus, in a registry of our own. No tenant's name is ever a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

disable_created_metrics()  # type: ignore[no-untyped-call]

_GROUP_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """What one process counts."""

    def __init__(self) -> None:
        """A registry of its own, so that two applications in one process do not mix."""
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "cost_ops_http_requests_total", "Requests by route and status", ["route", "status"], registry=self.registry
        )
        self._records = Counter(
            "cost_ops_ingest_records_total", "Usage records by outcome", ["outcome"], registry=self.registry
        )
        self._by_request: dict[tuple[str, int], Counter] = {}
        self.recorded = self._records.labels("recorded")
        self.replayed = self._records.labels("replayed")
        self.refused = self._records.labels("refused")
        self.queue_depth = Gauge(
            "cost_ops_ingest_queue_records", "Records that wait for a commit", registry=self.registry
        )
        self.group_size = Histogram(
            "cost_ops_commit_group_records", "Records in one commit", buckets=_GROUP_SIZES, registry=self.registry
        )
        self.group_seconds = Histogram(
            "cost_ops_commit_seconds", "Seconds that one commit takes", buckets=_SECONDS, registry=self.registry
        )
        self._keys = Counter(
            "cost_ops_key_checks_total", "API key checks by outcome", ["outcome"], registry=self.registry
        )
        self.key_remembered = self._keys.labels("remembered")
        self.key_refreshed = self._keys.labels("refreshed")
        self.key_derived = self._keys.labels("derived")
        self.key_refused = self._keys.labels("refused")
        self._permits = Counter(
            "cost_ops_limit_takes_total", "Blocks of permits by outcome", ["outcome"], registry=self.registry
        )
        self.permits_taken = self._permits.labels("taken")
        self.permits_failed = self._permits.labels("failed")

        self.decision_seconds = Histogram(
            "cost_ops_reserve_seconds",
            "Seconds from a reservation's arrival at its queue to its decision",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.unchecked = Counter(
            "cost_ops_reserve_unchecked_total",
            "Reservations let through unchecked while the database was away",
            registry=self.registry,
        )

    def request(self, route: str, status: int) -> None:
        """Count one answered request; `route` is a path template, never a path."""
        counter = self._by_request.get((route, status))
        if counter is None:
            counter = self._by_request[(route, status)] = self._requests.labels(route, str(status))
        counter.inc()

    def text(self) -> bytes:
        """All numbers in the exposition format."""
        return generate_latest(self.registry)
