"""How sure a cost is, best first. Codes are what databases store; they never change."""

from __future__ import annotations

from enum import StrEnum


class CostStatus(StrEnum):
    """The confidence of one cost."""

    INVOICED = "invoiced"
    REPORTED = "reported"
    COMPUTED = "computed"
    ESTIMATED = "estimated"
    UNPRICED = "unpriced"


STATUS_CODES: dict[CostStatus, int] = {
    CostStatus.INVOICED: 1,
    CostStatus.REPORTED: 2,
    CostStatus.COMPUTED: 3,
    CostStatus.ESTIMATED: 4,
    CostStatus.UNPRICED: 5,
}
STATUS_OF_CODE = {code: status for status, code in STATUS_CODES.items()}

REPORTED_TOLERANCE_PERCENT = 1
"""How far a provider's own amount may lie from ours and still be taken as right."""


def reported_agrees(*, reported_e10: int, reported_currency: str | None, cost_e10: int, currency: str | None) -> bool:
    """Whether a provider's own amount is within bounds of ours, both in 1e-10 units of the same currency."""
    apart = abs(reported_e10 - cost_e10) * 100
    return currency == reported_currency and apart <= cost_e10 * REPORTED_TOLERANCE_PERCENT
