"""Domain values as documents in the shapes of the HTTP API: a database and a server look the same to a command.

Amounts and prices are Decimals, instants RFC 3339 text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from cost_ops.domain.access import ApiKey
from cost_ops.domain.costs import CostReport, CostRow
from cost_ops.domain.exchange import ExchangeRate, ratio_text
from cost_ops.domain.money import decimal_from_e10, format_decimal
from cost_ops.domain.periods import format_instant
from cost_ops.domain.price_reviews import PriceReview
from cost_ops.domain.pricebook import Segment
from cost_ops.domain.prices import FLAT_METERS, Price
from cost_ops.domain.usage import UsageRecord, cached_tokens, token_totals
from cost_ops.services.unpriced import Unpriced

Document = dict[str, Any]


def amount(amount_e10: int | None) -> Decimal | None:
    """An amount in currency units."""
    return None if amount_e10 is None else decimal_from_e10(amount_e10).normalize()


def instant(value: datetime | None) -> str | None:
    """An instant as text."""
    return None if value is None else format_instant(value)


def cost_document(report: CostReport, organization_id: str | None, organizations: Sequence[str]) -> Document:
    """The answer to a cost question. `organizations` are those that it covers."""
    query, totals = report.query, [_sums(row) | {"confidence": _confidence(row)} for row in report.totals]
    currencies = {row.currency for row in report.totals if row.currency}
    requests = sum(row.requests for row in report.totals)
    unpriced = sum(row.unpriced_requests for row in report.totals)
    estimated = sum(row.estimated_requests for row in report.totals)
    return {
        "organization_id": organization_id,
        "organizations": list(organizations),
        "start_date": format_instant(query.span.start),
        "end_date": format_instant(query.span.end),
        "timezone": query.zone.key,
        "group_by": list(query.group_by),
        "total_cost": amount(sum(row.cost_e10 for row in report.totals)) if len(currencies) <= 1 else None,
        "currency": next(iter(currencies)) if len(currencies) == 1 else None,
        "totals": totals,
        "unpriced": {"requests": unpriced, "share": _share(unpriced, requests)},
        "estimated": {
            "requests": estimated,
            "share": _share(estimated, requests),
        },
        "breakdown": [dict(zip(query.group_by, row.group, strict=True)) | _sums(row) for row in report.rows],
        "row_count": report.row_count,
        "data_through": instant(report.data_through),
        "sources": list(report.sources),
        "display": _display(report),
    }


def _confidence(row: CostRow) -> list[Document]:
    """A total by how sure its costs are, best first."""
    return [
        {
            "status": part.status,
            "requests": part.requests,
            "requests_share": _share(part.requests, row.requests),
            "cost": None if part.status == "unpriced" else amount(part.cost_e10),
            "cost_share": None if part.status == "unpriced" else _share(part.cost_e10, row.cost_e10),
        }
        for part in row.by_status()
    ]


def _share(part: int, whole: int) -> Decimal:
    """A share of requests between 0 and 1, to four decimals."""
    return (Decimal(part) / whole).quantize(Decimal("0.0001")) if whole else Decimal(0)


def _sums(row: CostRow) -> Document:
    return {
        "currency": row.currency or None,
        "cost": amount(row.cost_e10) if row.currency else None,
        "requests": row.requests,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "total_tokens": row.input_tokens + row.output_tokens,
        "cached_tokens": row.cached_tokens,
        "unpriced_requests": row.unpriced_requests,
        "estimated_requests": row.estimated_requests,
        "estimated_cost": amount(row.estimated_cost_e10),
    }


def _display(report: CostReport) -> Document | None:
    """How amounts came to be in one currency; None where they are as they were."""
    found = report.converted
    if found is None:
        return None
    return {
        "currency": found.currency,
        "rates": [
            {
                "currency": one.currency,
                "rate_date": one.conversion.day.isoformat(),
                "rate": ratio_text(one.conversion.ratio),
                "source": one.conversion.source,
                "via": one.conversion.via,
                "days": one.days,
            }
            for one in found.used
        ],
        "not_converted": [
            {
                "currency": one.currency,
                "first_date": one.first.isoformat(),
                "last_date": one.last.isoformat(),
                "days": one.days,
            }
            for one in found.missing
        ],
        "original_totals": [_sums(row) for row in report.original_totals],
    }


def usage_document(record: UsageRecord) -> Document:
    """A stored record with its current cost; counts as OpenTelemetry has them, and the disjoint quantities."""
    quantities, evidence = record.quantities, record.evidence or {}
    into, out = token_totals(quantities)
    return {
        "usage_id": record.usage_id,
        "organization_id": record.organization_id,
        "timestamp": format_instant(record.timestamp),
        "received_at": format_instant(record.received_at),
        "provider": record.provider,
        "model_id": record.model_id,
        "input_tokens": into,
        "output_tokens": out,
        "total_tokens": into + out,
        "cached_tokens": cached_tokens(quantities),
        "quantities": dict(quantities),
        "status": record.status,
        "cost": amount(record.cost_e10),
        "currency": record.currency,
        "price_id": None if record.price_id is None else f"price-{record.price_id}",
        "project_id": record.project_id,
        "user_id": record.user_id,
        "team_id": record.team_id,
        "session_id": record.session_id,
        "api_key_id": record.api_key_id,
        "service_tier": record.service_tier,
        "processing": record.processing,
        "region": record.region,
        "latency_ms": record.latency_ms,
        "reported_cost": amount(record.reported_cost_e10),
        "estimated": record.estimated,
        "requested_model_id": evidence.get("requested_model_id"),
        "response_id": evidence.get("response_id"),
        "discrepant": bool(evidence.get("discrepancies")),
        "tags": dict(record.tags or {}),
        "metadata": dict(record.metadata or {}),
    }


def price_document(price: Price) -> Document:
    """A price, its plain rates in both units."""
    return {
        "id": price.price_id,
        "provider": price.provider,
        "model_id": price.model_id,
        "currency": price.currency,
        **_flat_prices(price),
        "effective_date": instant(price.effective_from),
        "end_date": instant(price.effective_to),
        "layer": price.layer.value,
        "organization_id": price.organization_id,
        "source": price.source,
        "confidence": price.confidence,
        "detail": price.detail,
        "created_at": instant(price.created_at),
        "rates": [rate.to_json() for rate in price.rates],
        "multipliers": [factor.to_json() for factor in price.multipliers],
        "base_price_id": None if price.base_number is None else f"price-{price.base_number}",
    }


def rate_document(rate: ExchangeRate) -> Document:
    """A stored exchange rate."""
    return {
        "date": rate.day.isoformat(),
        "base": rate.base,
        "quote": rate.quote,
        "rate": format_decimal(rate.rate),
        "source": rate.source,
    }


def _flat_prices(price: Price) -> Document:
    out: Document = {}
    for prefix, meter in FLAT_METERS.items():
        rate = price.plain_rate(meter)
        if rate is not None:
            out[f"{prefix}_price_per_1k"] = rate.price * 1000 / rate.per
            out[f"{prefix}_price_per_million"] = rate.price_per_million
    return out


def review_document(review: PriceReview) -> Document:
    """A price that waits for a person, or waited."""
    return {
        "id": review.review_id,
        "provider": review.provider,
        "model_id": review.model_id,
        "kind": review.kind.value,
        "status": review.status.value,
        **{name: review.detail.get(name) for name in ("published", "opinions", "changes", "through")},
        "created_at": instant(review.created_at),
        "decided_at": instant(review.decided_at),
        "decided_by": review.decided_by,
    }


def step_document(step: Segment) -> Document:
    """One stretch of time with the price that holds in it."""
    start, end = step.bounds
    about = {"holds_from": instant(start), "holds_to": instant(end), "found_by": step.found_by}
    return price_document(step.price.price) | about


def unpriced_document(found: Unpriced) -> Document:
    """Usage of one model that has no known cost, and between what it may lie."""
    model, band = found.model, found.estimate
    return {
        "organization_id": found.organization_id,
        "provider": model.provider,
        "model_id": model.model_id,
        "requests": model.requests,
        "input_tokens": model.input_tokens,
        "output_tokens": model.output_tokens,
        "first_seen": format_instant(model.first_seen),
        "last_seen": format_instant(model.last_seen),
        "estimate": None
        if band is None
        else {
            "lowest": amount(band.lowest_e10),
            "highest": amount(band.highest_e10),
            "currency": band.currency,
            "basis": band.basis,
            "models": band.models,
        },
        "similar": list(found.similar),
    }


def key_document(key: ApiKey) -> Document:
    """An API key without its secret."""
    return {
        "id": f"key_{key.key_id}",
        "organization_id": key.organization_id,
        "kind": key.kind,
        "name": key.name,
        "permissions": sorted(key.permissions),
        "created_at": format_instant(key.created_at),
        "expires_at": instant(key.expires_at),
        "revoked_at": instant(key.revoked_at),
        "projects": list(key.projects),
        "created_by": key.created_by,
        "replaced_by": f"key_{key.replaced_by}" if key.replaced_by else None,
        "last_used_at": instant(key.last_used_at),
    }
