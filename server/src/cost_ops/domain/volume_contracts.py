"""What a contract with volume tiers comes to: ordinary discounts, one a month, and the months as they are settled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from cost_ops.domain.contracts import Contract
from cost_ops.domain.periods import from_us
from cost_ops.domain.volumes import ContractMonth, month_at, month_bounds, month_text, tier_at

NOT_SETTLED = "volume not settled"


def expanded(contract: Contract) -> Iterator[Contract]:
    """The contract as discounts that do not overlap: one for each month that was looked at, with the month's tier.

    The time between and after them has the first tier. One without tiers comes back as it is.
    """
    if not contract.tiers:
        yield contract
        return
    reached, end = contract.bounds()
    for known in sorted(contract.months):
        first, last = month_bounds(known.month)
        if max(first, reached) >= min(last, end):
            continue
        if reached < first:
            yield _part(contract, reached, first, NOT_SETTLED, unsettled=True)
        words = f"volume of {month_text(known.month)}{'' if known.settled else ' so far'}"
        part = _part(contract, max(first, reached), min(last, end), words, unsettled=not known.settled)
        yield replace(part, percent=contract.tiers[known.tier].percent)
        reached = last
    if reached < end:
        yield _part(contract, reached, end, NOT_SETTLED, unsettled=True)


def _part(contract: Contract, start_us: int, end_us: int, words: str, *, unsettled: bool) -> Contract:
    """A stretch of the contract with the first tier; an end that lies on the contract's own stays as it is written."""
    first, last = contract.bounds()
    return replace(
        contract,
        percent=contract.tiers[0].percent,
        effective_from=contract.effective_from if start_us == first else from_us(start_us),
        effective_to=contract.effective_to if end_us == last else from_us(end_us),
        tiers=(),
        months=(),
        volume=words,
        unsettled=unsettled,
    )


class SettledMonth(NamedTuple):
    """A month of a contract before and after it was looked at. `models` are those that count, by provider."""

    contract: Contract
    before: ContractMonth | None
    after: ContractMonth
    models: Mapping[str, Sequence[str]]

    @property
    def changes_prices(self) -> bool:
        """Whether the month's prices are others than before."""
        before, after = self.before, self.after
        return before is None or (before.tier, before.settled) != (after.tier, after.settled)

    @property
    def changes(self) -> bool:
        """Whether there is anything to store."""
        return self.before != self.after


def settled_month(
    contract: Contract, month: int, models: Mapping[str, Mapping[str, int]], *, now: datetime, this_month: int
) -> SettledMonth:
    """What a month comes to with so many tokens by provider and model, in whatever order they came."""
    volume = sum(tokens for of_provider in models.values() for tokens in of_provider.values())
    before = next((known for known in contract.months if known.month == month), None)
    settled = month < this_month or (before is not None and before.settled)
    after = ContractMonth(month, tier_at(contract.tiers, volume), volume, settled, False, now)
    if before is not None and after[:4] == before[:4]:
        after = before
    elif before is not None and not settled and after.tier == before.tier:
        after = after._replace(applied=before.applied)
    return SettledMonth(contract, before, after, {name: sorted(found) for name, found in sorted(models.items())})


def months_to_settle(contract: Contract, oldest_us: int, this_month: int, wanted: int | None) -> list[int]:
    """The months that the contract holds in, from its usage's first to this one, that are not done; or the wanted one.

    A month is done once it was settled and its usage costed again.
    """
    start, end = contract.bounds()
    if end <= max(start, oldest_us) and wanted is None:
        return []
    first = month_at(max(start, oldest_us))
    last = this_month if contract.effective_to is None else min(this_month, month_at(end - 1))
    done = {known.month for known in contract.months if known.settled and known.applied}
    if wanted is not None:
        return [wanted] if first <= wanted <= last else []
    return [month for month in range(first, last + 1) if month not in done]
