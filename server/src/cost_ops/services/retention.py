"""Taking usage out of the ledger: what is older than it is kept for, and what tells of a person who asks for that.

Whatever goes, rollups stay what the records add up to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from cost_ops.domain.access import ADMIN, authorize, authorize_owner
from cost_ops.domain.audit import Action
from cost_ops.domain.errors import Conflict, invalid
from cost_ops.domain.periods import DAY_US
from cost_ops.domain.repricing import CostedUsage, exchanged
from cost_ops.domain.retention import month_name
from cost_ops.domain.revisions import without_person
from cost_ops.domain.rollups import month_start_us
from cost_ops.domain.text import text_fault
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.changes import MonthOf, Removed
from cost_ops.interfaces.context import Context

_CHUNK = 500
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class RetentionOutcome:
    """What retention took away, or would: records by month and organisation, other rows, and idempotency keys."""

    months: Sequence[MonthOf]
    removed: Removed
    keys: int
    dry_run: bool


def apply(
    ctx: Context, month: int, *, dry_run: bool = False, watch: Callable[[int, int], None] | None = None
) -> RetentionOutcome:
    """Remove everything before a UTC month, oldest first, each month in one transaction (owner only).

    Keys go last: one whose record is gone already is refused as such, never recorded twice. A run that was cut off is
    simply run again.
    """
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        found = installation.retention.months_before(month)
    if dry_run:
        return RetentionOutcome(found, Removed(sum(m.records for m in found)), 0, dry_run=True)
    by_month = [(one, list(group)) for one, group in groupby(found, key=lambda m: m.month)]
    removed = Removed()
    for done, (one, group) in enumerate(by_month, 1):
        removed = _added(removed, _remove_month(ctx, one, group))
        if watch is not None:
            watch(done, len(by_month))
    with ctx.storage.installation() as installation:
        keys = installation.retention.remove_keys(month_start_us(month))
        if found:
            installation.retention.forget_names()
    return RetentionOutcome(found, removed, keys, dry_run=False)


def _remove_month(ctx: Context, month: int, found: Sequence[MonthOf]) -> Removed:
    with ctx.storage.installation() as installation:
        removed = installation.retention.remove_month(month)
        detail = {
            "month": month_name(month),
            "usage_records": removed.usage_records,
            "cost_records": removed.cost_records,
            "usage_revisions": removed.usage_revisions,
            "organizations": [one.organization_id for one in found],
        }
        installation.audit.add(ctx.event(Action.RETENTION_APPLIED, f"usage-of-{month_name(month)}", detail=detail))
    return removed


def _added(one: Removed, other: Removed) -> Removed:
    return Removed(
        one.usage_records + other.usage_records,
        one.cost_records + other.cost_records,
        one.usage_revisions + other.usage_revisions,
        (*one.partitions, *other.partitions),
    )


@dataclass(frozen=True, slots=True)
class ErasureOutcome:
    """How much told of a person: records, and earlier forms of records that are another's by now."""

    organization_id: str
    records: int
    earlier_forms: int
    dry_run: bool


def erase(
    ctx: Context, organization_id: str | None, user_id: str, *, tags: Collection[str] = (), dry_run: bool = False
) -> ErasureOutcome:
    """Take what tells of a person out of their usage: user and session, metadata, raw payloads, tags of these keys.

    Counts, costs and everything else stay, as usage of nobody. Usage that is recorded for the person afterwards is
    theirs again. Raises Conflict where usage keeps coming in meanwhile, Forbidden for all but the installation's owner.
    """
    bound = authorize(ctx.principal, ADMIN, organization_id)
    if bound is None:
        raise invalid("organization_id", "missing_required_field", "organization_id is required: say whose user it is")
    if not user_id.strip() or text_fault(user_id):
        raise invalid("user_id", "invalid_value", "user_id must be a printable text that is not empty")
    if dry_run:
        return _foreseen(ctx, bound, user_id)
    records = forms = 0
    for _ in range(_ROUNDS):
        with ctx.storage.ledger(bound) as ledger:
            days = ledger.revisions.days_of(user_id)
        if not days:
            return _forget(ctx, bound, user_id, tags, ErasureOutcome(bound, records, forms, dry_run=False))
        for day in days:
            of_day = _erase_day(ctx, bound, user_id, day, tags)
            records, forms = records + of_day[0], forms + of_day[1]
    raise Conflict("usage of this person keeps coming in; stop its senders, then run this again")


def _foreseen(ctx: Context, organization_id: str, user_id: str) -> ErasureOutcome:
    records = 0
    with ctx.storage.ledger(organization_id) as ledger:
        for day in ledger.revisions.days_of(user_id):
            records += ledger.revisions.count_of_user(user_id, start_us=day * DAY_US, end_us=(day + 1) * DAY_US)
        forms = ledger.revisions.count_earlier(user_id)
    return ErasureOutcome(organization_id, records, forms, dry_run=True)


def _erase_day(ctx: Context, organization_id: str, user_id: str, day: int, tags: Collection[str]) -> tuple[int, int]:
    """(records, earlier forms) of a day that told of the person, and do not any more."""
    records = forms = 0
    start_us = day * DAY_US
    while True:
        with ctx.storage.ledger(organization_id) as ledger:
            ledger.costs.lock()
            found = ledger.revisions.of_user(user_id, start_us=start_us, end_us=start_us + DAY_US, limit=_CHUNK)
            forms += ledger.revisions.erase(found, tags)
            moved = [move for record in found for move in exchanged(*_before_and_after(record, tags))]
            ledger.costs.fold(moved)
        records += len(found)
        if len(found) < _CHUNK:
            return records, forms


def _before_and_after(record: UsageRecord, tags: Collection[str]) -> tuple[CostedUsage, CostedUsage]:
    kept = {name: value for name, value in (record.tags or {}).items() if name not in tags}
    bare = replace(record, user_id=None, tags=kept, evidence=without_person(record.evidence))
    return CostedUsage.of(record), CostedUsage.of(bare)


def _forget(
    ctx: Context, organization_id: str, user_id: str, tags: Collection[str], done: ErasureOutcome
) -> ErasureOutcome:
    """The end of an erasure, in one transaction: earlier forms, the name in the rollups, and the event, without it."""
    with ctx.storage.ledger(organization_id) as ledger:
        ledger.costs.lock()
        forms = done.earlier_forms + ledger.revisions.erase_earlier(user_id, tags)
        ledger.revisions.forget(user_id, tags)
        detail = {"records": done.records, "earlier_forms": forms, "tags": sorted(tags)}
        ledger.audit.add(ctx.event(Action.USAGE_ERASED, "a-person", detail=detail))
    return replace(done, earlier_forms=forms)
