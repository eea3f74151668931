"""The payloads that server and SDKs share: `contracts/fixtures/usage`, one file for each API."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from cost_ops.domain.exact_json import parse_json

FOLDER = Path(__file__).parents[3] / "contracts" / "fixtures" / "usage"


def cases(wanted: str) -> list[tuple[str, dict[str, Any]]]:
    """(name, case) of every case that has `wanted`: "expect" or "error"."""
    return [
        (f"{file.stem}: {case['name']}", case)
        for file in sorted(FOLDER.glob("*.json"))
        for case in parse_json(file.read_text(encoding="utf-8"))["cases"]
        if wanted in case
    ]


def as_floats(payload: Any) -> Any:
    """The payload as a plain JSON parser gives it."""
    if isinstance(payload, dict):
        return {name: as_floats(value) for name, value in payload.items()}
    if isinstance(payload, list):
        return [as_floats(value) for value in payload]
    return json.loads(str(payload)) if isinstance(payload, Decimal) else payload


def exact(quantities: dict[str, Any]) -> dict[str, Any]:
    """Expected quantities: decimals are written as texts."""
    return {meter: Decimal(amount) if isinstance(amount, str) else amount for meter, amount in quantities.items()}
