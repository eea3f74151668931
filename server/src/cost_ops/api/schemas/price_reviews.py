"""Syncs and price reviews in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.pages import Pagination
from cost_ops.api.schemas.pricing import PriceView
from cost_ops.domain.price_reviews import PriceReview


class SyncData(Struct):
    """What a sync changed, or would change."""

    applied: bool
    priced_records: int
    diff: dict[str, Any]


class SyncAnswer(Struct):
    """The outcome of a sync."""

    data: SyncData


_SOURCE: Mapping[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "required": ["url"],
            "additionalProperties": False,
            "properties": {
                "url": {"type": "string", "minLength": 1},
                "sha256": {"type": ["string", "null"], "pattern": "^[0-9a-fA-F]{64}$"},
            },
        },
    ]
}

SYNC: Mapping[str, Any] = {
    "type": "object",
    "description": "Without `sources` the catalogue that the server has installed.",
    "additionalProperties": False,
    "properties": {
        "sources": {
            "type": ["array", "null"],
            "description": "http(s) URLs of genai-prices, LiteLLM or models.dev data, or `genai-prices` for what is "
            "installed; `litellm=URL` insists on a kind. Several are compared.",
            "maxItems": 10,
            "items": _SOURCE,
        },
        "provider": {"type": ["string", "null"], "minLength": 1, "description": "only this provider's prices"},
        "dry_run": {"type": ["boolean", "null"], "default": False, "description": "changes nothing"},
        "accept": {
            "description": "models (`provider/model`, `model`) whose large changes are applied too; true means all",
            "anyOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
        },
    },
}
"""The body of POST /pricing/sync."""

ACCEPTANCE: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "opinion": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 100,
            "description": "which of the opinions, from 1; what waits where it is not given",
        }
    },
}
"""The body of accepting a review."""

NO_FIELDS: Mapping[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}
"""A body without fields."""


class ReviewView(Struct):
    """A price that waits for a person, or waited."""

    id: str
    provider: str
    model_id: str
    kind: Annotated[str, Meta(description="disagreement of sources, jump of more than half, or zero")]
    status: Annotated[str, Meta(description="open, accepted, dismissed, or superseded by what the sources say now")]
    published: Annotated[dict[str, Any] | None, Meta(description="the price that holds")]
    opinions: Annotated[list[dict[str, Any]], Meta(description="what is said, by whom, with the page")]
    changes: Annotated[list[dict[str, Any]], Meta(description="the rates that differ, old and new, or one and other")]
    through: Annotated[str | None, Meta(description="the model as which this one is priced, where it is another name")]
    created_at: datetime | None
    decided_at: datetime | None
    decided_by: str | None


class ReviewOne(Struct):
    """One review."""

    data: ReviewView


class ReviewPage(Struct):
    """A page of reviews, oldest first."""

    data: list[ReviewView]
    pagination: Pagination


class ReviewAccepted(Struct):
    """An accepted review, the price that it made, and how many waiting records that priced."""

    data: ReviewView
    price: PriceView | None
    priced_records: int


def review_view(review: PriceReview) -> ReviewView:
    """A review in JSON."""
    return ReviewView(
        review.review_id,
        review.provider,
        review.model_id,
        review.kind.value,
        review.status.value,
        review.detail.get("published"),
        list(review.detail.get("opinions", ())),
        list(review.detail.get("changes", ())),
        review.detail.get("through"),
        review.created_at,
        review.decided_at,
        review.decided_by,
    )
