"""The catalogue: syncing it from sources, and the prices that wait for a person. With an admin key only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Routes
from cost_ops.api.pages import pagination
from cost_ops.api.parameters import Parameter, one_of, text
from cost_ops.api.parameters_known import PAGE, PAGE_SIZE
from cost_ops.api.schemas.price_reviews import (
    ACCEPTANCE,
    NO_FIELDS,
    SYNC,
    ReviewAccepted,
    ReviewOne,
    ReviewPage,
    SyncAnswer,
    SyncData,
    review_view,
)
from cost_ops.api.schemas.pricing import price_view
from cost_ops.bootstrap import SourceName, accept_price_review, sync_catalogue
from cost_ops.domain.access import ADMIN
from cost_ops.domain.price_reviews import ReviewKind, ReviewStatus
from cost_ops.services import price_reviews
from cost_ops.services.price_reviews import ReviewQuery

routes = Routes("Pricing")
_MAX_SOURCES = 10
_ALL = "all"
_STATUSES = [*(str(status) for status in ReviewStatus), _ALL]
_KINDS = [str(kind) for kind in ReviewKind]
STATUS = Parameter(
    "status",
    "only reviews of this status",
    {"type": "string", "enum": _STATUSES, "default": "open"},
    one_of(_STATUSES),
)
KIND = Parameter("kind", "only reviews of this kind", {"type": "string", "enum": _KINDS}, one_of(_KINDS))
PROVIDER = Parameter("provider", "only this provider", {"type": "string", "minLength": 1, "maxLength": 256}, text)


@routes.add(
    "POST",
    "/api/v1/pricing/sync",
    summary="Import the newest prices of one or several sources; adds dated rows, edits and deletes nothing",
    answer=SyncAnswer,
    permission=ADMIN,
    body=BodyOf(
        SYNC,
        {
            "look": {"dry_run": True},
            "compare": {"sources": ["genai-prices", "litellm=https://example.com/prices.json"], "dry_run": True},
        },
    ),
    errors=(409,),
)
def sync(call: Call) -> SyncAnswer:
    """Sync from what the server has installed, or fetches. No file of the server's machine is ever read."""
    fields = Fields(call.body, tuple(SYNC["properties"]), what="a sync")
    sources, accept = _sources(fields), _accept(fields)
    provider, dry_run = fields.text("provider"), fields.truth("dry_run")
    fields.done()
    outcome = sync_catalogue(
        call.application,
        call.ctx,
        sources=sources,
        accept=accept,
        provider=provider,
        dry_run=dry_run,
        over_http=True,
    )
    return SyncAnswer(SyncData(outcome.applied, outcome.priced_records, outcome.to_json()))


def _sources(fields: Fields) -> list[SourceName]:
    given = fields.values.get("sources", [])
    if not isinstance(given, list) or len(given) > _MAX_SOURCES:
        fields.add("sources", "invalid_type", f"sources must be a list of at most {_MAX_SOURCES} URLs")
        return []
    return [source for i, item in enumerate(given) if (source := _source(fields, f"sources[{i}]", item))]


def _source(fields: Fields, name: str, item: Any) -> SourceName | None:
    url, sha256 = (item.get("url"), item.get("sha256")) if isinstance(item, Mapping) else (item, None)
    unknown = isinstance(item, Mapping) and not item.keys() <= {"url", "sha256"}
    if unknown or not isinstance(url, str) or not url or not isinstance(sha256, str | None):
        fields.add(name, "invalid_type", f'{name} must be a URL or {{"url": …, "sha256": …}}')
        return None
    return SourceName(url, sha256)


def _accept(fields: Fields) -> bool | Collection[str]:
    value = fields.values.get("accept", False)
    if isinstance(value, bool):
        return value
    return frozenset(fields.texts("accept") or ())


@routes.add(
    "GET",
    "/api/v1/pricing/reviews",
    summary="Prices that wait for a decision: sources disagree, or a change is too large",
    answer=ReviewPage,
    permission=ADMIN,
    parameters=(STATUS, KIND, PROVIDER, PAGE, PAGE_SIZE),
)
def list_reviews(call: Call) -> ReviewPage:
    """A page of reviews, open ones unless another status is asked for."""
    given = call.given
    status, kind = given.get("status", "open"), given.get("kind")
    page, page_size = given.get("page", 1), given.get("page_size", 20)
    query = ReviewQuery(
        status=None if status == _ALL else ReviewStatus(status),
        kind=ReviewKind(kind) if kind else None,
        provider=given.get("provider"),
        page=page,
        page_size=page_size,
    )
    found, total = price_reviews.page(call.ctx, query)
    about = pagination(page=page, page_size=page_size, total=total, has_next=page * page_size < total)
    return ReviewPage([review_view(review) for review in found], about)


@routes.add(
    "GET", "/api/v1/pricing/reviews/{review_id}", summary="One price review", answer=ReviewOne, permission=ADMIN
)
def get_review(call: Call) -> ReviewOne:
    """A review by its id."""
    return ReviewOne(review_view(price_reviews.get(call.ctx, call.path["review_id"])))


@routes.add(
    "POST",
    "/api/v1/pricing/reviews/{review_id}/accept",
    summary="Apply what waits as a new dated price; the one that holds ends there",
    answer=ReviewAccepted,
    permission=ADMIN,
    body=BodyOf(ACCEPTANCE, {"what waits": {}, "another": {"opinion": 3}}),
    errors=(409,),
)
def accept_review(call: Call) -> ReviewAccepted:
    """Apply a waiting price, and price what waited for one."""
    fields = Fields(call.body, ("opinion",), what="accepting a review")
    opinion = fields.whole("opinion", 1, 100)
    fields.done()
    decided, priced = accept_price_review(call.ctx, call.path["review_id"], opinion)
    price = price_view(decided.price, call.money) if decided.price is not None else None
    return ReviewAccepted(review_view(decided.review), price, priced)


@routes.add(
    "POST",
    "/api/v1/pricing/reviews/{review_id}/dismiss",
    summary="Leave the price as it is; not asked again while the sources say the same",
    answer=ReviewOne,
    permission=ADMIN,
    body=BodyOf(NO_FIELDS, {"no fields": {}}),
    errors=(409,),
)
def dismiss_review(call: Call) -> ReviewOne:
    """Close a review without a change."""
    Fields(call.body, (), what="dismissing a review").done()
    return ReviewOne(review_view(price_reviews.dismiss(call.ctx, call.path["review_id"]).review))
