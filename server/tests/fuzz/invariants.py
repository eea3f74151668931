"""What must hold for everything that was taken, whatever was sent: checked anew for every input.

A broken promise is an AssertionError; whoever runs the input makes a finding of it.
"""

from typing import Any

from cost_ops.domain.errors import CostOpsError, InvalidInput
from cost_ops.domain.exact_json import json_text, parse_json
from cost_ops.domain.extraction import Extracted, ShapeBook
from cost_ops.domain.meters import METERS, TOKEN_METERS
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.shapes import Shape
from cost_ops.domain.usage import Quantities, UsageSubmission
from cost_ops.interfaces.context import Context
from cost_ops.services import usage
from tests.fuzz.identities import IDENTITIES, booked, contradictions, sides, usage_object

MOST_EVIDENCE_BYTES = 8192
_FACTS = (
    *("quantities", "steps", "discrepancies", "estimated", "model_id", "response_id", "service_tier"),
    *("processing", "region", "reported_cost", "reported_currency"),
)


def check_refusal(error: CostOpsError) -> None:
    """A refusal says what is wrong, in texts that can be sent and shown."""
    assert error.message
    problems = error.problems if isinstance(error, InvalidInput) else ()
    assert isinstance(error, InvalidInput) == bool(problems)
    for problem in problems:
        assert problem.message, problem
        assert problem.reason, problem
        assert isinstance(problem.field, str), problem
        assert len(problem.message) < 2_000, problem


def check_quantities(quantities: Quantities) -> None:
    """Known meters, more than nothing of each, and whole tokens."""
    for meter, amount in quantities.items():
        assert meter in METERS, meter
        assert amount > 0, (meter, amount)
        assert not isinstance(amount, bool | float), (meter, amount)
        assert meter not in TOKEN_METERS or amount.__class__ is int, (meter, amount)


def check_extracted(shapes: ShapeBook, provider: str, payload: Any, *, whole: bool) -> Extracted:
    """Extract a payload and hold the outcome to everything that is promised of it. Raises InvalidInput for a refusal."""
    found = shapes.extract(provider, payload, whole_response=whole)
    check_quantities(found.quantities)
    for step in found.steps:
        check_quantities(step.quantities)
    if found.steps:
        assert found.quantities == _sum(step.quantities for step in found.steps)
    _check_evidence(shapes, found)
    _check_identity(found, payload, whole=whole)
    return found


def _sum(parts: Any) -> Quantities:
    sums: Quantities = {}
    for part in parts:
        for meter, amount in part.items():
            sums[meter] = sums.get(meter, 0) + amount
    return sums


_BOOKS: dict[str, ShapeBook] = {}


def _book_of(shape: Shape) -> ShapeBook:
    """A book of this shape alone."""
    if shape.id not in _BOOKS:
        _BOOKS[shape.id] = ShapeBook([shape])
    return _BOOKS[shape.id]


def _check_evidence(shapes: ShapeBook, found: Extracted) -> None:
    """What is stored is small, gives the same again by the shape that is kept with it, and its trace adds up."""
    text = json_text(found.usage)
    assert len(text.encode("utf-8", "surrogatepass")) <= MOST_EVIDENCE_BYTES, len(text)
    shape = shapes.shapes[found.shape]
    again = _book_of(shape).extract(next(iter(shape.providers)), parse_json(text), whole_response=True)
    for fact in _FACTS:
        first, second = getattr(found, fact), getattr(again, fact)
        assert first == second, f"{fact} of {found.shape} is {second} again from the evidence, and was {first}"
    rows = shapes.trace(found.shape, found.usage)
    traced = _sum({row.meter: row.quantity} for row in rows if row.meter is not None and row.quantity)
    assert traced == found.quantities, (traced, found.quantities)


def _check_identity(found: Extracted, payload: Any, *, whole: bool) -> None:
    """A contradiction that a second opinion sees is flagged; without one the sides are as stated."""
    identity = IDENTITIES.get(found.shape)
    usage_sent = usage_object(identity, payload) if identity is not None and whole else payload
    if identity is None or found.steps or not isinstance(usage_sent, dict):
        return
    faults = list(contradictions(identity, usage_sent))
    assert found.discrepancies or not faults, faults
    if not found.discrepancies:
        for ours, theirs in zip(booked(found.quantities), sides(identity, usage_sent), strict=True):
            assert theirs is None or ours == theirs, (found.quantities, theirs)


def check_priced(ctx: Context, book: PriceBook, submission: UsageSubmission) -> None:
    """The amount is the sum of its lines, the lines are the usage, and the quick way gives the same."""
    check_quantities(submission.quantities)
    try:
        quick = usage.price(ctx, book, submission, itemised=False)
    except CostOpsError as error:
        check_refusal(error)
        return
    itemised = usage.price(ctx, book, submission)
    assert (quick.status, quick.cost_e10, quick.currency) == (itemised.status, itemised.cost_e10, itemised.currency)
    if itemised.cost_e10 is None or itemised.status == "reported":
        return
    assert itemised.cost_e10 == sum(line.amount_e10 for line in itemised.lines)
    assert all(line.amount_e10 >= 0 for line in itemised.lines)
