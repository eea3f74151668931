"""The document of worked amounts is right in itself: its arithmetic, its payloads, its rates."""

from decimal import Decimal
from typing import Any

import pytest

from tests.providers.fake_providers import ANSWERS, case
from tests.providers.worked import Worked, worked_amounts

CASES = pytest.mark.parametrize("worked", worked_amounts().values(), ids=lambda worked: worked.name)


def test_every_recorded_answer_is_worked_out_and_every_worked_amount_was_recorded() -> None:
    assert set(worked_amounts()) == {path.stem for path in ANSWERS.glob("*.json")}


@CASES
def test_each_product_and_the_total_are_exact(worked: Worked) -> None:
    for line in worked.lines:
        assert line.quantity * line.price / line.per == line.amount
        if line.terms:
            assert sum(term.sign * term.number for term in line.terms) == line.quantity
    assert sum((line.amount for line in worked.lines), Decimal(0)) == worked.total


@CASES
def test_the_numbers_stand_in_the_recorded_payload(worked: Worked) -> None:
    answer = case(worked.name)["answer"]
    usage = answer.get("usage") or in_snake_case(answer["usageMetadata"])
    for line in worked.lines:
        for term in line.terms:
            assert number_at(usage, term.path) == term.number


def number_at(usage: Any, path: str) -> Any:
    """What stands at a path; `name[key=value]` is the item of a list that says so of itself."""
    for step in path.split("."):
        name, _, wanted = step.partition("[")
        usage = usage[name]
        if wanted:
            key, _, value = wanted.rstrip("]").partition("=")
            (usage,) = (item for item in usage if item[key] == value)
    return usage


def in_snake_case(value: Any) -> Any:
    """Names as Google's Python library has them."""
    if isinstance(value, list):
        return [in_snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    snake = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): item for name, item in value.items()}
    return {name: in_snake_case(item) for name, item in snake.items()}
