"""Recording usage: priced, stored once under its key, and summed, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cost_ops.domain.charging import Line
from cost_ops.domain.compiled import NOT_STORED
from cost_ops.domain.costing import lines_of
from cost_ops.domain.errors import Conflict, CostOpsError, NotFound
from cost_ops.domain.identity import key_hash, parse_usage_id, uid_of_key, usage_id
from cost_ops.domain.leases import Lease, LeaseStatus
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.priced import Priced, by_default, price_submission
from cost_ops.domain.prices import Price, default_price
from cost_ops.domain.rollups import Contribution, Series, measure
from cost_ops.domain.scoped_usage import placed
from cost_ops.domain.scopes import EVERYTHING
from cost_ops.domain.statuses import CostStatus
from cost_ops.domain.usage import UsageRecord, UsageSubmission
from cost_ops.interfaces.budgets import Closed
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.recording import Claim, Lost, NewRecord, Recorder

_ATTEMPTS = 5


class RecordedUsage(NamedTuple):
    """What a caller is told: the same for the first time and for every replay."""

    usage_id: str
    organization_id: str
    status: str
    currency: str | None
    cost_e10: int | None
    received_us: int
    replayed: bool
    lines: Sequence[Line]
    lease: Lease | None = None
    """The lease that it settled, as it stood before."""


Outcome = RecordedUsage | CostOpsError


@dataclass(frozen=True, slots=True)
class Batch:
    """Submissions that came together. `atomic`: all of them or none."""

    items: Sequence[Priced]
    atomic: bool = False
    lease_id: str | None = None
    """The lease that its only item settles; the item's key is then the lease's id."""


def price(ctx: Context, book: PriceBook, submission: UsageSubmission, *, itemised: bool = True) -> Priced:
    """The cost of a submission by a book. A default price sent along is applied when the usage is recorded.

    Raises NotFound in strict mode where no price is known, InvalidInput where the amount is beyond reason, Forbidden
    where the usage lies outside of what the principal may record.
    """
    principal = ctx.principal
    if principal.scope is not EVERYTHING or principal.scopes:
        submission = placed(principal, submission)
    return price_submission(book, submission, strict=ctx.rules.strict, itemised=itemised)


def record(ctx: Context, batches: Sequence[Batch]) -> list[list[Outcome]]:
    """Store usage in one transaction; when this returns, it is committed.

    Each batch gets one outcome per item, in order: what was recorded (or had been, for a replay), or the error that
    kept it out. Raises Unavailable where the database is away; then nothing was written.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return _record_once(ctx, batches)
        except Lost:
            continue
    return _record_once(ctx, batches)


def _record_once(ctx: Context, batches: Sequence[Batch]) -> list[list[Outcome]]:
    with ctx.storage.recorder() as recorder:
        return _Recording(ctx, recorder).run(batches)


class _Recording:
    """One transaction's worth of recording: what is stored, what is new, what answers."""

    def __init__(self, ctx: Context, recorder: Recorder) -> None:
        self.ctx = ctx
        self.recorder = recorder
        self.book = ctx.books.current()
        self.version = recorder.price_version()
        if self.version != self.book.version:
            self.book = ctx.books.refresh()
        self.claims: dict[bytes, Claim] = {}
        self.answers: dict[bytes, RecordedUsage] = {}
        self.numbers: dict[tuple[str | None, str], int] = {}
        self.new: list[NewRecord] = []
        self.leases: Mapping[str, Lease] = {}
        self.closed: list[Closed] = []
        self._hashes: Iterator[bytes | None] = iter(())

    def run(self, batches: Sequence[Batch]) -> list[list[Outcome]]:
        items = [item for batch in batches for item in batch.items]
        missing = self._missing_organizations({item.submission.organization_id for item in items})
        hashed = [_hash_of(item.submission) for item in items]
        stored = {h for h in hashed if h is not None}
        stored.update(h for item in items if (h := _response_hash_of(item.submission)) is not None)
        if stored:
            self.claims = self.recorder.claims(sorted(stored))
            self._load_first_answers()
        leased = {batch.lease_id for batch in batches if batch.lease_id is not None}
        self.leases = self.recorder.leases.get(leased, for_update=True) if leased else {}
        self._hashes = iter(hashed)
        outcomes = [self._batch(batch, missing) for batch in batches]
        if self.new:
            self.recorder.append(self.new)
            self.recorder.fold(list(map(contribution, self.new)))
        self.recorder.leases.close(self.closed)
        return outcomes

    def _missing_organizations(self, ids: set[str]) -> set[str]:
        missing = self.recorder.unknown_organizations(ids)
        if missing and self.ctx.principal.owner:
            self.recorder.add_organizations(missing, self.ctx.clock())
            return set()
        return missing

    def _load_first_answers(self) -> None:
        wanted: dict[str, list[tuple[int, int]]] = {}
        # The caller's key and the provider's response id lead to the same record.
        by_ref: dict[tuple[str, int, int], list[bytes]] = {}
        for hashed, claim in self.claims.items():
            wanted.setdefault(claim.organization_id, []).append((claim.timestamp_us, claim.uid))
            by_ref.setdefault((claim.organization_id, claim.timestamp_us, claim.uid), []).append(hashed)
        for organization_id, refs in wanted.items():
            for found in self.recorder.get(organization_id, refs):
                timestamp_us, uid = parse_usage_id(found.usage_id)
                answer = self._replay(found)
                self.answers |= dict.fromkeys(by_ref[(organization_id, timestamp_us, uid)], answer)

    def _replay(self, found: UsageRecord) -> RecordedUsage:
        return RecordedUsage(
            found.usage_id,
            found.organization_id,
            found.status,
            found.currency,
            found.cost_e10,
            to_us(found.received_at),
            replayed=True,
            lines=lines_of(self.book, found),
        )

    def _batch(self, batch: Batch, missing: set[str]) -> list[Outcome]:
        mark = len(self.new)
        claimed: list[bytes] = []
        if batch.lease_id is not None:
            return [self._settled(batch.items[0], batch.lease_id, missing)]
        outcomes = [self._item(item, missing, claimed) for item in batch.items]
        if batch.atomic and any(isinstance(o, CostOpsError) for o in outcomes):
            del self.new[mark:]
            for hashed in claimed:
                del self.claims[hashed]
                self.answers.pop(hashed, None)
            left_out = Conflict("not recorded: another record of this atomic batch was refused")
            return [o if isinstance(o, CostOpsError) else left_out for o in outcomes]
        return outcomes

    def _settled(self, item: Priced, lease_id: str, missing: set[str]) -> Outcome:
        """The usage of a call that a lease was held for. A lease that has run out is settled all the same."""
        lease = self.leases.get(lease_id)
        if lease is None or lease.organization_id != item.submission.organization_id:
            next(self._hashes)
            return NotFound(f"No lease {lease_id[:64]!r}; usage nothing was reserved for goes to POST /api/v1/usage")
        if lease.status is LeaseStatus.RELEASED:
            next(self._hashes)
            return Conflict("this lease was released; its usage goes to POST /api/v1/usage", lease_id=lease_id)
        outcome = self._item(item, missing, [])
        if isinstance(outcome, CostOpsError):
            if lease.status is not LeaseStatus.SETTLED:
                return outcome
            return Conflict("this lease was settled with other usage", lease_id=lease_id, usage_id=lease.usage_id)
        if lease.status is not LeaseStatus.SETTLED:
            now = self.ctx.clock()
            cost, currency = outcome.cost_e10, outcome.currency
            self.closed.append(Closed(lease_id, LeaseStatus.SETTLED, now, outcome.usage_id, cost, currency))
        return outcome._replace(lease=lease.at(self.ctx.clock()))

    def _item(self, item: Priced, missing: set[str], claimed: list[bytes]) -> Outcome:
        submission = item.submission
        hashed = next(self._hashes)
        response_hash = _response_hash_of(submission)
        if submission.organization_id in missing:
            return NotFound(f"No organization {submission.organization_id!r}")
        if (known := self._known(submission, hashed, response_hash)) is not None:
            return known
        try:
            item = self._current(item)
        except CostOpsError as error:
            return error
        uid = self.ctx.random_bits(62) if hashed is None else uid_of_key(hashed)
        answer = RecordedUsage(
            usage_id(submission.timestamp_us, uid),
            submission.organization_id,
            item.status,
            item.currency,
            item.cost_e10,
            submission.received_us,
            replayed=False,
            lines=item.lines,
        )
        self.new.append(
            NewRecord(
                submission,
                uid,
                hashed,
                item.status,
                item.currency,
                item.cost_e10,
                item.price_number,
                response_hash,
                item.step_prices,
            )
        )
        for key in (hashed, response_hash):
            if key is not None:
                payload = submission.payload_hash if key is hashed else 0
                self.claims[key] = Claim(key, submission.organization_id, payload, submission.timestamp_us, uid)
                self.answers[key] = answer
                claimed.append(key)
        return answer

    def _known(
        self, submission: UsageSubmission, hashed: bytes | None, response_hash: bytes | None
    ) -> RecordedUsage | Conflict | None:
        """The first answer where the key was used before, or the provider's response was told of by another source."""
        if hashed is not None and (claim := self.claims.get(hashed)) is not None:
            if claim.payload_hash != submission.payload_hash:
                return Conflict(
                    f"idempotency key {submission.key!r} was used before with a different payload",
                    usage_id=usage_id(claim.timestamp_us, claim.uid),
                )
            return self._first_answer(hashed)
        if response_hash is not None and response_hash in self.claims:
            return self._first_answer(response_hash)
        return None

    def _first_answer(self, hashed: bytes) -> RecordedUsage | Conflict:
        """What was answered first; a record that retention has removed is never recorded again under its old key."""
        known = self.answers.get(hashed)
        return Conflict("this record was removed by retention") if known is None else known._replace(replayed=True)

    def _current(self, item: Priced) -> Priced:
        """The item priced by the book that is committed now; by its default price where the book knows none."""
        if item.book_version != self.book.version:
            item = price(self.ctx, self.book, item.submission)
        if item.status == CostStatus.UNPRICED and item.submission.default_price is not None:
            return self._by_default(item)
        if item.price_number == NOT_STORED or NOT_STORED in item.step_prices:
            return self._numbered(item)
        return item

    def _numbered(self, item: Priced) -> Priced:
        """The item with the numbers of its prices, those under a contract that nobody used before stored now."""
        s = item.submission
        models = [step.model_id or s.model_id for step in s.steps] or [s.model_id]
        found = [self.book.find(s.organization_id, s.provider, model, s.timestamp_us) for model in models]
        numbers = [None if price is None else self._number_of(price.price) for price in found]
        return item._replace(price_number=numbers[0], step_prices=numbers if s.steps else ())

    def _number_of(self, price: Price) -> int:
        key = (price.organization_id, price.source)
        if price.number is not None:
            return price.number
        if key not in self.numbers:
            self.numbers[key] = self.recorder.number_of(price, self.ctx.clock())
        return self.numbers[key]

    def _by_default(self, item: Priced) -> Priced:
        """An estimate by the price sent along, which is stored once per content so that it can be explained."""
        submission = item.submission
        wanted = default_price(submission.organization_id, submission.default_price)
        return by_default(item, self.recorder.default_price(wanted, self.ctx.clock()))


def _hash_of(submission: UsageSubmission) -> bytes | None:
    if submission.key is None:
        return None
    return key_hash(submission.organization_id, submission.source, submission.key)


def _response_hash_of(submission: UsageSubmission) -> bytes | None:
    """The key of the provider's response, by which the same call is known whichever source tells of it."""
    if submission.response_id is None:
        return None
    return key_hash(submission.organization_id, "response", submission.response_id)


def contribution(new: NewRecord) -> Contribution:
    """What a new record adds to the rollups."""
    submission = new.submission
    return Contribution(
        submission.organization_id,
        submission.timestamp_us,
        Series(submission.provider, submission.model_id, new.currency or "", new.status),
        measure(submission.quantities, new.cost_e10 or 0),
        submission.project_id,
        submission.user_id,
        submission.tags,
        submission.team_id,
        submission.api_key_id,
    )
