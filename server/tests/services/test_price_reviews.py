"""Syncing several sources into a real ledger, deciding what waits, and what it does to usage."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cost_ops.bootstrap import SourceName, SyncOutcome, accept_price_review, sync_catalogue
from cost_ops.domain.access import Principal
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from cost_ops.domain.price_reviews import ReviewStatus
from cost_ops.services import price_history, price_reviews, pricing, unpriced
from cost_ops.services.price_reviews import ReviewQuery
from tests.services.conftest import Desk


class Files:
    """Price files of a provider of this test's own, so that tests on one database do not meet."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk = desk
        self.folder = folder
        self.provider = f"maker-{desk.org}"

    def litellm(self, **models: str) -> SourceName:
        entry = {"litellm_provider": self.provider, "mode": "chat", "output_cost_per_token": 0}
        content = {m: entry | {"input_cost_per_token": float(p) / 1e6} for m, p in models.items()}
        return self._write("litellm.json", content)

    def models_dev(self, **models: str) -> SourceName:
        found = {m: {"cost": {"input": float(p), "output": 0}} for m, p in models.items()}
        return self._write("models-dev.json", {self.provider: {"doc": "https://example.com", "models": found}})

    def _write(self, name: str, content: Any) -> SourceName:
        path = self.folder / name
        path.write_text(json.dumps(content))
        return SourceName(str(path))

    def sync(self, *sources: SourceName, **more: Any) -> SyncOutcome:
        return sync_catalogue(self.desk.application, self.desk.ctx, sources=sources, **more)

    def use(self, model: str, input_tokens: int) -> None:
        sent = {"provider": self.provider, "model_id": model, "input_tokens": input_tokens, "output_tokens": 0}
        self.desk.record(self.desk.submission(**sent))

    def open(self) -> list[Any]:
        return price_reviews.page(self.desk.ctx, ReviewQuery(provider=self.provider))[0]

    def price(self, model: str) -> Any:
        found = pricing.effective(
            self.desk.ctx, None, provider=self.provider, model_id=model, at=self.desk.now + timedelta(seconds=1)
        )
        return found.price.price


@pytest.fixture
def files(desk: Desk, tmp_path: Path) -> Files:
    return Files(desk, tmp_path)


def test_a_confirmed_price_is_stored_with_what_confirmed_it(files: Files) -> None:
    outcome = files.sync(files.litellm(m="2"), files.models_dev(m="2"))
    assert outcome.applied
    price = files.price("m")
    assert (price.confidence, price.detail["sources"][1]["url"]) == ("confirmed", "https://example.com")


def test_a_dry_run_writes_neither_prices_nor_reviews(files: Files) -> None:
    outcome = files.sync(files.litellm(m="2"), files.models_dev(m="3"), dry_run=True)
    assert (outcome.applied, len(outcome.plan.added_rows), len(outcome.prepared.news.raised)) == (False, 1, 1)
    assert files.open() == []
    with pytest.raises(NotFound):
        files.price("m")


def test_syncing_the_same_again_changes_nothing(files: Files) -> None:
    sources = (files.litellm(m="2", n="5"), files.models_dev(m="3", n="5"))
    files.sync(*sources)
    files.desk.now += timedelta(days=1)
    again = files.sync(*sources)
    assert (again.plan.added_rows, again.plan.ended, again.prepared.news) == ((), (), ((), (), ()))
    assert len(files.open()) == 1


def test_accepting_a_review_adds_a_dated_row_and_writes_an_audit_event(files: Files) -> None:
    files.sync(files.litellm(m="2"), files.models_dev(m="3"))
    old = files.price("m")
    files.desk.now += timedelta(days=1)
    [review] = files.open()
    decided, _ = accept_price_review(files.desk.ctx, review.review_id)
    new = files.price("m")
    assert (str(new.rates[0].price), new.effective_from, new.confidence) == ("3", files.desk.now, "confirmed")
    assert decided.price == new
    assert pricing.get(files.desk.ctx, None, old.price_id).effective_to == files.desk.now
    assert files.open() == []
    with files.desk.ctx.storage.installation() as installation:
        events, _ = installation.audit.page(action="pricing.review_accepted")
    assert (events[0].resource, events[0].detail) == (
        review.review_id,
        {"price_id": new.price_id, "provider": files.provider, "model_id": "m", "source": new.source},
    )


def test_a_review_is_decided_once(files: Files) -> None:
    files.sync(files.litellm(m="2"), files.models_dev(m="3"))
    [review] = files.open()
    after = price_reviews.dismiss(files.desk.ctx, review.review_id)
    assert after.review.status is ReviewStatus.DISMISSED
    with pytest.raises(Conflict, match="dismissed already"):
        price_reviews.accept(files.desk.ctx, review.review_id)
    assert str(files.price("m").rates[0].price) == "2"
    files.sync(files.litellm(m="2"), files.models_dev(m="3"))
    assert files.open() == []


def test_a_jump_waits_until_it_is_accepted_by_name(files: Files) -> None:
    files.sync(files.litellm(m="2"))
    files.desk.now += timedelta(days=1)
    held = files.sync(files.litellm(m="20"))
    assert (len(held.plan.held), str(files.price("m").rates[0].price)) == (1, "2")
    [review] = files.open()
    files.sync(files.litellm(m="20"), accept=["m"])
    assert (str(files.price("m").rates[0].price), files.open()) == ("20", [])
    assert price_reviews.get(files.desk.ctx, review.review_id).status is ReviewStatus.ACCEPTED


def test_a_source_that_fails_leaves_everything_as_it_was(files: Files) -> None:
    files.sync(files.litellm(m="2"))
    broken = files.folder / "broken.json"
    broken.write_text("{")
    with pytest.raises(InvalidInput, match="is not JSON"):
        files.sync(files.litellm(m="2.2"), SourceName(str(broken)))
    assert str(files.price("m").rates[0].price) == "2"


def test_only_the_owner_sees_and_decides_reviews(files: Files) -> None:
    holder = files.desk.context(Principal(files.desk.org, "k", frozenset({"pricing:read", "pricing:write"})))
    for work in (
        lambda: price_reviews.page(holder, ReviewQuery()),
        lambda: price_reviews.get(holder, "review-1"),
        lambda: price_reviews.accept(holder, "review-1"),
        lambda: price_reviews.dismiss(holder, "review-1"),
    ):
        with pytest.raises(Forbidden):
            work()


def test_an_unknown_review_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound, match="No price review with id 'review-999999'"):
        price_reviews.get(desk.ctx, "review-999999")


def test_usage_that_waited_is_priced_when_a_sync_brings_its_price(files: Files) -> None:
    files.use("m", 1000)
    [waiting] = unpriced.models(files.desk.ctx, files.desk.org)
    assert (waiting.model.requests, waiting.model.input_tokens) == (1, 1000)
    assert files.sync(files.litellm(m="2")).priced_records == 1
    assert unpriced.models(files.desk.ctx, files.desk.org) == []


def test_unpriced_usage_has_a_band_from_its_providers_family_and_names_like_it(files: Files) -> None:
    files.sync(files.litellm(**{"star-1": "2", "star-2": "10", "moon-1": "90"}))
    files.use("star-3", 1_000_000)
    [found] = unpriced.models(files.desk.ctx, files.desk.org)
    assert found.estimate is not None
    assert (found.estimate.lowest_e10, found.estimate.highest_e10) == (2 * 10**10, 10 * 10**10)
    assert found.estimate.basis == f"the star models of {files.provider}"
    assert set(found.similar) == {"star-1", "star-2"}


def test_the_history_of_a_model_is_every_price_with_its_time(files: Files) -> None:
    files.sync(files.litellm(m="2"))
    files.desk.now += timedelta(days=10)
    files.sync(files.litellm(m="2.5"))
    steps = price_history.steps(files.desk.ctx, files.desk.org, provider=files.provider, model_id="m")
    assert [(s.bounds, str(s.price.price.rates[0].price)) for s in steps] == [
        ((None, files.desk.now), "2"),
        ((files.desk.now, None), "2.5"),
    ]


def test_a_history_without_a_provider_asks_which_where_several_have_the_model(files: Files) -> None:
    model = f"shared-{files.desk.org}"
    files.sync(files.litellm(**{model: "2"}))
    assert len(price_history.steps(files.desk.ctx, None, provider=None, model_id=model)) == 1
    files.desk.price(model, provider="another-maker", own=False)
    with pytest.raises(InvalidInput, match="several providers have a model"):
        price_history.steps(files.desk.ctx, None, provider=None, model_id=model)
    with pytest.raises(NotFound):
        price_history.steps(files.desk.ctx, None, provider=None, model_id="no-such-model")
