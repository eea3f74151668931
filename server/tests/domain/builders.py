"""Short ways to make domain values in tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from cost_ops.domain.charging import charge
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.rates import rates_from_json
from cost_ops.domain.usage import Quantity, UsageSubmission

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)


def rates(*items: dict[str, Any]) -> Any:
    found, problems = rates_from_json(list(items))
    assert not problems, problems
    return found


def price(*items: dict[str, Any], number: int = 1, model: str = "m", provider: str = "openai", **more: Any) -> Price:
    more.setdefault("layer", Layer.INSTALLATION)
    return Price(provider, model, more.pop("currency", "USD"), rates(*items), number=number, **more)


def plain(input_price: str, output_price: str, **more: Any) -> Price:
    return price({"meter": "input", "price": input_price}, {"meter": "output", "price": output_price}, **more)


def submission(quantities: Mapping[str, Quantity], at: datetime = NOW, **more: Any) -> UsageSubmission:
    us = to_us(at)
    values: dict[str, Any] = {
        "organization_id": "org-1",
        "provider": "openai",
        "model_id": "m",
        "payload_hash": 0,
    } | more
    return UsageSubmission(quantities=dict(quantities), timestamp_us=us, received_us=us, **values)


def cost(one: Price, quantities: Mapping[str, Quantity], **more: Any) -> str | None:
    """The amount in plain notation; None where unknown."""
    usage = submission(quantities, model_id=one.model_id, provider=one.provider, **more)
    found = PriceBook([one]).find("org-1", one.provider, one.model_id, usage.timestamp_us)
    assert found is not None
    amount = charge(found, usage).amount_e10
    return None if amount is None else format_e10(amount)


def dec(text: str) -> Decimal:
    return Decimal(text)
