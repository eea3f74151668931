"""What methods take as keyword arguments, for editors and type checkers. The server says what is wrong with a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict, Union

Time = Union[datetime, str]
"""A datetime that knows its zone, or RFC 3339 as text."""
Amount = Union[Decimal, int, float, str]
"""A Decimal, a whole number or a text is exact; a float is sent as Python prints it."""
OneOrMore = Union[str, Sequence[str]]


class Counts(TypedDict, total=False):
    """How much of what a call used."""

    input_tokens: int
    output_tokens: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    input_image_tokens: int
    input_video_tokens: int
    output_audio_tokens: int
    output_image_tokens: int
    output_video_tokens: int
    counting: str
    requests: int
    web_searches: int
    web_fetches: int
    file_searches: int
    code_sessions: int
    search_units: int
    pages: int
    seconds: Amount
    characters: int
    images: int


class Attribution(TypedDict, total=False):
    """What a call is, and whom it belongs to."""

    organization_id: str
    provider: str
    model_id: str
    project_id: str
    user_id: str
    team_id: str
    session_id: str
    tags: Union[Mapping[str, str], Sequence[str]]
    service_tier: str
    processing: str
    region: str


class UsageFields(Counts, Attribution, total=False):
    """A record, as `POST /api/v1/usage` takes it."""

    timestamp: Time
    usage: Any
    response: Any
    response_id: str
    requested_model_id: str
    estimated: bool
    metadata: Mapping[str, Any]
    latency_ms: int
    reported_cost: Amount
    currency: str
    default_pricing: Mapping[str, Any]
    idempotency_key: str
    request_id: str


class CorrectionFields(UsageFields, total=False):
    """What changes in a record."""

    reason: str


class Reservation(Counts, Attribution, total=False):
    """A call that is about to be made, and what it may cost."""

    amount: Amount
    currency: str
    max_output_tokens: int
    ttl_seconds: int
    idempotency_key: str


class Conditions(TypedDict, total=False):
    """What has to hold for usage that is meant."""

    range: str
    period: str
    timezone: str
    provider: OneOrMore
    model_id: OneOrMore
    project_id: OneOrMore
    user_id: OneOrMore
    team_id: OneOrMore
    session_id: OneOrMore
    api_key_id: OneOrMore
    status: OneOrMore
    tags: Mapping[str, OneOrMore]


class Filters(Conditions, total=False):
    """Which usage is meant."""

    organization_id: str
    start_date: Time
    end_date: Time


class MoreOfAQuestion(Conditions, total=False):
    """What a question about costs may say beside its range and grouping."""

    order_by: str
    order: str
    limit: int
    display_currency: str


class Question(Filters, MoreOfAQuestion, total=False):
    """A question about costs."""

    group_by: OneOrMore


class Query(TypedDict, total=False):
    """A question about costs with the filter language."""

    organization_id: str
    start_date: Time
    end_date: Time
    range: str
    period: str
    timezone: str
    group_by: Sequence[str]
    filters: Sequence[Mapping[str, Any]]
    order_by: str
    order: str
    limit: int
    display_currency: str


class AnalyticsQuestion(Filters, total=False):
    """A question about metrics over time."""

    metrics: OneOrMore
    dimensions: OneOrMore
    interval: str
    display_currency: str


class RepriceFields(TypedDict, total=False):
    """Which usage is costed again."""

    organization_id: str
    start_date: Time
    end_date: Time
    range: str
    provider: Sequence[str]
    model_id: Sequence[str]
    project_id: Sequence[str]
    status: Sequence[str]
    dry_run: bool
    reason: str
    unprice: bool


class PriceFields(TypedDict, total=False):
    """A price: per 1,000 tokens, per million, or as `rates`."""

    organization_id: str
    provider: str
    model_id: str
    currency: str
    input_price_per_1k: Amount
    output_price_per_1k: Amount
    cached_input_price_per_1k: Amount
    input_price_per_million: Amount
    output_price_per_million: Amount
    cached_input_price_per_million: Amount
    rates: Sequence[Mapping[str, Any]]
    effective_date: Time
    end_date: Time


class BudgetFields(TypedDict, total=False):
    """A budget."""

    organization_id: str
    name: str
    amount: Amount
    currency: str
    scope: Mapping[str, OneOrMore]
    period: str
    timezone: str
    period_days: int
    anchor_date: str
    fiscal_year_start: str
    fiscal_pattern: str
    start_date: Time
    end_date: Time
    alert_thresholds: Sequence[Amount]
    enforcement: str
    parent_id: str
    rollover: Union[str, Mapping[str, Any]]
    phases: Sequence[Mapping[str, Any]]
    effective_from: Time
    effective_to: Time
    escalate_after_minutes: int
    forecast_alerts: bool
    version: int


class ChannelFields(TypedDict, total=False):
    """A webhook or another channel."""

    organization_id: str
    kind: str
    name: str
    url: str
    description: str
    events: Sequence[str]
    routing: Mapping[str, Any]
    enabled: bool
    secret: str
    addresses: Sequence[str]
    routing_key: str
    region: str
