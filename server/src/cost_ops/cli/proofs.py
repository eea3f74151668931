"""The proof of an amount as a document, in the shape of `GET /usage/{id}/explain`."""

from __future__ import annotations

from cost_ops.cli.documents import Document, amount, instant, price_document, usage_document
from cost_ops.domain.price_choice import Considered
from cost_ops.domain.proof import ProvedLine
from cost_ops.interfaces.storage import CostVersion
from cost_ops.services.explain import Explanation


def explanation_document(found: Explanation) -> Document:
    """The proof of an amount."""
    price = found.price
    return {
        "usage": usage_document(found.record),
        "shape": (found.record.evidence or {}).get("shape"),
        "fields": [traced._asdict() for traced in found.fields],
        "discrepancies": [dict(one) for one in found.discrepancies],
        "price": None if price is None else price_document(price),
        "found_by": found.found_by,
        "considered": [_considered(one) for one in found.considered],
        "context_tokens": found.context_tokens,
        "steps": [
            {
                "model_id": step.model_id,
                "kind": step.kind,
                "quantities": dict(step.quantities),
                "price_id": None if step.price is None else step.price.price_id,
            }
            for step in found.steps
        ],
        "lines": [_line(line) for line in found.lines],
        "recomputed_cost": amount(found.recomputed_e10),
        "missing_meters": list(found.missing_meters),
        "agrees": found.agrees,
        "reason": found.reason,
        "versions": [_version(version) for version in found.versions],
        "list_cost": amount(found.list_cost_e10),
    }


def _considered(one: Considered) -> Document:
    price = one.price
    return {
        "price_id": price.price_id,
        "provider": price.provider,
        "model_id": price.model_id,
        "layer": price.layer.value,
        "source": price.source,
        "effective_date": instant(price.effective_from),
        "end_date": instant(price.effective_to),
        "found_by": one.found_by,
        "won": one.won,
        "verdict": one.verdict,
    }


def _line(proved: ProvedLine) -> Document:
    line, rate = proved.line, proved.line.rate.rate
    return {
        "meter": line.meter,
        "quantity": line.quantity,
        "paid_quantity": proved.paid_quantity,
        "priced_as": rate.meter,
        "rate_price": rate.price,
        "rate_per": rate.per,
        "included": rate.included,
        "conditions": rate.when.to_json(),
        "factors": [factor.to_json() for factor in line.rate.factors],
        "exact_amount": proved.exact,
        "amount": amount(line.amount_e10),
        "reasons": list(proved.reasons),
    }


def _version(version: CostVersion) -> Document:
    return {
        "version": version.version,
        "status": version.status,
        "cost": amount(version.cost_e10),
        "currency": version.currency,
        "price_id": None if version.price_number is None else f"price-{version.price_number}",
        "reason": version.reason,
        "run": version.run,
        "created_at": instant(version.created_at),
    }
