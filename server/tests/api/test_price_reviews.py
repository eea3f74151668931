"""Syncing several sources over HTTP, the reviews, and a model's history."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.api.running import ORGANIZATION, USAGE, Server, migrated, ready_server

FIXTURES = Path(__file__).parents[3] / "contracts" / "fixtures" / "prices"


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(FIXTURES)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Server]:
    """A server that may fetch from this machine."""
    with ready_server(migrated(tmp_path), pricing__allow_private_sources=True) as running:
        yield running


def both(site: str) -> list[Any]:
    digest = hashlib.sha256((FIXTURES / "litellm.json").read_bytes()).hexdigest()
    return [{"url": f"litellm={site}/litellm.json", "sha256": digest}, f"{site}/models-dev.json"]


def sync(server: Server, **body: Any) -> dict[str, Any]:
    answer = server.post("pricing/sync", body, key="admin")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.body["data"]
    return found


def test_a_sync_compares_sources_and_says_what_it_came_to(inside: Server, site: str) -> None:
    look = sync(inside, sources=both(site), dry_run=True)
    assert (look["applied"], look["diff"]["compared"]) == (
        False,
        {"confirmed": 4, "disagreements": 1, "single_source": 7},
    )
    assert inside.get("pricing?layer=catalog").body["data"] == []
    sync(inside, sources=both(site))
    [price] = inside.get("pricing?provider=openai&model_id=gpt-4o").body["data"]
    assert (price["confidence"], price["detail"]["date_confidence"]) == ("confirmed", "assumed")
    assert [s["agrees"] for s in price["detail"]["sources"]] == [True, True]
    again = sync(inside, sources=both(site))["diff"]
    assert (again["added_rows"], again["ended"], again["reviews"]["raised"]) == ([], [], 0)


def test_a_sync_of_one_provider_looks_at_no_other(inside: Server, site: str) -> None:
    diff = sync(inside, sources=both(site), provider="Mistral", dry_run=True)["diff"]
    assert {row["provider"] for row in diff["added_rows"]} == {"mistral"}


def test_reviews_are_listed_shown_and_accepted(inside: Server, site: str) -> None:
    sync(inside, sources=both(site))
    page = inside.get("pricing/reviews", key="admin").body
    assert page["pagination"]["total_items"] == 1
    [review] = page["data"]
    assert (review["kind"], review["model_id"], review["status"]) == ("disagreement", "deepseek-chat", "open")
    assert [str(c["other"]["price"]) for c in review["changes"]] == ["0.55"]
    assert inside.get(f"pricing/reviews/{review['id']}", key="admin").body["data"] == review
    accepted = inside.post(f"pricing/reviews/{review['id']}/accept", {}, key="admin").body
    found = accepted["data"]["status"], str(accepted["price"]["output_price_per_million"])
    assert found == ("accepted", "0.55")
    assert accepted["price"]["confidence"] == "confirmed"
    twice = inside.post(f"pricing/reviews/{review['id']}/accept", {}, key="admin")
    assert (twice.status, "accepted already" in twice.error["message"]) == (409, True)
    assert inside.get("pricing/reviews", key="admin").body["data"] == []
    assert len(inside.get("pricing/reviews?status=all&kind=disagreement", key="admin").body["data"]) == 1


def test_a_review_that_is_dismissed_leaves_the_price(inside: Server, site: str) -> None:
    sync(inside, sources=both(site))
    dismissed = inside.post("pricing/reviews/1/dismiss", {}, key="admin").body["data"]
    assert dismissed["status"] == "dismissed"
    [price] = inside.get("pricing?provider=deepseek").body["data"]
    assert (price["confidence"], str(price["output_price_per_million"])) == ("provisional", "0.42")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "pricing/reviews"),
        ("GET", "pricing/reviews/review-1"),
        ("POST", "pricing/reviews/review-1/accept"),
        ("POST", "pricing/reviews/review-1/dismiss"),
        ("POST", "pricing/sync"),
    ],
)
def test_the_catalogue_is_the_installations(shared: Server, method: str, path: str) -> None:
    answer = shared.post(path, {}) if method == "POST" else shared.get(path)
    assert answer.status == 403


@pytest.mark.parametrize("path", ["review-999", "nonsense"])
def test_an_unknown_review_is_not_found(shared: Server, path: str) -> None:
    assert shared.get(f"pricing/reviews/{path}", key="admin").status == 404
    assert shared.post(f"pricing/reviews/{path}/accept", {}, key="admin").status == 404


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"sources": ["/etc/passwd"]}, "invalid_url"),
        ({"sources": ["file:///etc/passwd"]}, "invalid_url"),
        ({"sources": ["litellm=/etc/passwd"]}, "invalid_url"),
        ({"sources": ["http://127.0.0.1:1/x"]}, "private_address"),
        ({"sources": ["http://169.254.169.254/latest/meta-data"]}, "private_address"),
        ({"sources": "http://example.com"}, "invalid_type"),
        ({"sources": [7]}, "invalid_type"),
        ({"sources": [{"url": "http://example.com", "file": "x"}]}, "invalid_type"),
        ({"sources": ["http://example.com"] * 11}, "invalid_type"),
        ({"accept": 7}, "invalid_type"),
        ({"dry_run": "yes"}, "invalid_type"),
        ({"source": "/etc/passwd"}, "unknown_field"),
    ],
)
def test_a_server_reads_no_files_and_looks_at_no_private_address(
    shared: Server, body: dict[str, Any], reason: str
) -> None:
    answer = shared.post("pricing/sync", body, key="admin")
    assert (answer.status, {r for _, r in answer.reasons}) == (400, {reason})


def test_a_source_with_another_hash_changes_nothing(inside: Server, site: str) -> None:
    wrong = [{"url": f"{site}/litellm.json", "sha256": "0" * 64}]
    answer = inside.post("pricing/sync", {"sources": wrong}, key="admin")
    assert (answer.status, {r for _, r in answer.reasons}) == (400, {"hash_differs"})
    assert inside.get("pricing?layer=catalog").body["data"] == []


def test_the_history_of_a_model_is_its_prices_over_time(server: Server) -> None:
    new = {"input_price_per_million": 8, "output_price_per_million": 24, "effective_date": "2025-06-01T00:00:00Z"}
    assert server.post("pricing", {"provider": "openai", "model_id": "gpt-4", **new}).status == 201
    steps = server.get("pricing/history?model_id=gpt-4&provider=openai").body["data"]
    assert [(s["holds_from"], s["holds_to"], s["price"]["input_price_per_million"]) for s in steps] == [
        (None, "2025-06-01T00:00:00Z", 10),
        ("2025-06-01T00:00:00Z", None, 8),
    ]
    assert server.get("pricing/history?model_id=nothing").status == 404
    assert server.get("pricing/history").status == 400


def test_unpriced_usage_comes_with_an_estimate_that_is_in_no_total(server: Server) -> None:
    assert server.post("usage", USAGE | {"model_id": "gpt-4x"}).status == 201
    dearer = {"provider": "openai", "input_price_per_million": 20, "output_price_per_million": 60}
    assert server.post("pricing", dearer | {"model_id": "gpt-4o"}, key="admin").status == 201
    [found] = server.get("pricing/unpriced").body["data"]
    estimate = found["estimate"]
    assert (str(estimate["lowest"]), str(estimate["highest"]), estimate["currency"]) == ("0.025", "0.05", "USD")
    assert (estimate["basis"], set(found["similar"])) == ("the gpt models of openai", {"gpt-4", "gpt-4o"})
    totals = server.get(f"costs?organization_id={ORGANIZATION}&range=last-7-days").body["data"]
    assert (totals["unpriced"]["requests"], totals["total_cost"]) == (1, None)
