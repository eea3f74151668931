"""Who calls what: a made-up year of 50 organisations, in the proportions that the storage was measured with.

The largest organisation has 22 % of all records (the others follow Zipf's law), 10,000 users in all, 60 models, 12
projects and two tags a record, 44 % of the calls with cached tokens. The same seed makes the same year. Records come in
the order of their time, as they would arrive, so that what is stored lies on disk as it would in service.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from benchmarks.models import CACHED_SHARE
from benchmarks.ours import Usage

from cost_ops.domain.charging import charge
from cost_ops.domain.identity import key_hash, uid_of_key
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.rollups import Series
from cost_ops.domain.statuses import STATUS_CODES, CostStatus
from cost_ops.storage.rows import COLUMNS

DAYS = 365
ORGANIZATIONS = 50
USERS = 10_000
MODELS = 60
PROJECTS = 12
SHAPES = 20_000
PROVIDERS = ("openai", "anthropic", "google", "mistral", "deepseek", "x-ai", "cohere", "groq")
_FEATURES = [f"feature-{number:02d}" for number in range(20)]
_ENVIRONMENTS = ["production", "staging", "development", "evaluation"]
_COMPUTED = STATUS_CODES[CostStatus.COMPUTED]

EXPECTED_COLUMNS = (
    *("timestamp", "uid", "received_at", "input_tokens", "output_tokens", "cost_e10", "cached_tokens"),
    *("cache_write_tokens", "reasoning_tokens", "reported_cost_e10", "price_id", "latency_ms", "cost_status", "flags"),
    *("organization_id", "provider", "model_id", "currency", "project_id", "user_id", "team_id", "session_id"),
    *("api_key_id", "service_tier", "processing", "region", "tags", "metadata", "meters", "evidence"),
)


class Shape(NamedTuple):
    """A call that is made again and again: its model, its tokens and what they cost."""

    model: int
    provider: str
    model_id: str
    price_number: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_e10: int


class Tags(NamedTuple):
    """Two tags as the numbers of their values, and as they are stored."""

    feature: int
    environment: int
    json: str


class Facts(NamedTuple):
    """What rollups need of a record, as small numbers."""

    organization: int
    timestamp_us: int
    shape: Shape
    project: int
    user: int
    tags: Tags


class Chunk(NamedTuple):
    """Records in the order of time: rows as stored, keys as stored (`organization` numbered from 0), and facts."""

    rows: list[tuple[Any, ...]]
    keys: list[tuple[bytes, int, int, int]]
    facts: list[Facts]


class Population:
    """Organisations with their users, and the calls that they make."""

    def __init__(self, book: PriceBook, *, end: datetime | None = None, seed: int = 11) -> None:
        """Prices are those that hold at the end of the year that is made up."""
        if COLUMNS != EXPECTED_COLUMNS:
            raise RuntimeError(f"usage_records has other columns than population.py fills: {COLUMNS}")
        midnight = (end or datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
        self.end = midnight
        self.start = midnight - timedelta(days=DAYS)
        self._chance = random.Random(seed)
        self.organizations = [f"org-{number:02d}" for number in range(ORGANIZATIONS)]
        self._shares = list(accumulate(1 / (number + 1) for number in range(ORGANIZATIONS)))
        self.users = self._users()
        self.projects = [f"project-{number}" for number in range(PROJECTS)]
        self.features, self.environments = _FEATURES, _ENVIRONMENTS
        self._tags = [
            Tags(f, e, json.dumps({"feature": feature, "environment": environment}, separators=(",", ":")))
            for f, feature in enumerate(_FEATURES)
            for e, environment in enumerate(_ENVIRONMENTS)
        ]
        self.models = _models(book, to_us(midnight))
        self.series = [Series(provider, model, "USD", CostStatus.COMPUTED) for provider, model in self.models]
        self._shapes = self._made_shapes(book, to_us(midnight))

    @property
    def largest(self) -> str:
        """The organisation with the most records."""
        return self.organizations[0]

    def chunks(self, total: int, size: int) -> Iterator[Chunk]:
        """`total` records over the year, `size` at a time."""
        start_us, span_us = to_us(self.start), to_us(self.end) - to_us(self.start)
        done = 0
        while done < total:
            count = min(size, total - done)
            begin, end = (start_us + span_us * n // total for n in (done, done + count))
            yield self._chunk(count, begin, end, done)
            done += count

    def _chunk(self, count: int, begin_us: int, end_us: int, number: int) -> Chunk:
        random_, bits = self._chance.random, self._chance.getrandbits
        span = end_us - begin_us
        times = sorted(begin_us + int(random_() * span) for _ in range(count))
        owners = self._chance.choices(range(ORGANIZATIONS), cum_weights=self._shares, k=count)
        shapes, tags_of = self._shapes, self._tags
        rows, keys, facts = [], [], []
        for timestamp_us, owner in zip(times, owners, strict=True):
            organization_id, users = self.organizations[owner], self.users[owner]
            shape = shapes[int(random_() * SHAPES)]
            tags = tags_of[int(random_() * len(tags_of))]
            user, project = int(random_() ** 2 * len(users)), int(random_() * PROJECTS)
            hashed = key_hash(organization_id, "caller", key_of(number))
            number += 1
            facts.append(Facts(owner, timestamp_us, shape, project, user, tags))
            keys.append((hashed, timestamp_us, bits(63), owner))
            rows.append(
                (
                    timestamp_us,
                    uid_of_key(hashed),
                    timestamp_us + 850_000,
                    shape.input_tokens,
                    shape.output_tokens,
                    shape.cost_e10,
                    shape.cached_tokens or None,
                    None,
                    None,
                    None,
                    shape.price_number,
                    150 + shape.output_tokens * 12,
                    _COMPUTED,
                    None,
                    organization_id,
                    shape.provider,
                    shape.model_id,
                    "USD",
                    self.projects[project],
                    users[user],
                    None,
                    None,
                    "k3ybench",
                    None,
                    None,
                    None,
                    tags.json,
                    None,
                    None,
                    None,
                )
            )
        return Chunk(rows, keys, facts)

    def _users(self) -> list[list[str]]:
        """Every organisation's own, in proportion to its size."""
        whole = self._shares[-1]
        return [
            [f"user-{number:02d}-{user:05d}" for user in range(max(int(USERS / (number + 1) / whole), 5))]
            for number in range(ORGANIZATIONS)
        ]

    def _made_shapes(self, book: PriceBook, at_us: int) -> list[Shape]:
        chance = self._chance
        weights = list(accumulate(1 / (number + 1) for number in range(len(self.models))))
        found = []
        for model in chance.choices(range(len(self.models)), cum_weights=weights, k=SHAPES):
            provider, model_id = self.models[model]
            prompt, output = int(chance.lognormvariate(7.5, 1.2)) % 90_000 + 1, chance.randrange(1, 2_000)
            cached = int(prompt * chance.uniform(0.1, 0.9)) if chance.random() < CACHED_SHARE else 0
            price = book.find("", provider, model_id, at_us)
            usage = _usage(provider, model_id, at_us, (prompt - cached, cached, output))
            amount = charge(price, usage).amount_e10 if price is not None else None
            if price is None or amount is None:
                raise LookupError(f"{provider}/{model_id} has lost its price")
            found.append(Shape(model, provider, model_id, price.number, prompt, output, cached, amount))
        return found


def key_of(number: int) -> str:
    """The idempotency key of the n-th record of the year."""
    return f"fill-{number:012d}"


def _usage(provider: str, model_id: str, at_us: int, tokens: tuple[int, int, int]) -> Usage:
    meters = ("input", "input_cache_read", "output")
    return Usage(provider, model_id, at_us, {meter: n for meter, n in zip(meters, tokens, strict=True) if n})


def _models(book: PriceBook, at_us: int) -> Sequence[tuple[str, str]]:
    """The first models by name of each provider that have a price for all three kinds of tokens, taken in turn."""
    by_provider: dict[str, list[str]] = {provider: [] for provider in PROVIDERS}
    for price in sorted(book.by_number.values(), key=lambda p: (p.provider, p.model_id)):
        names = by_provider.get(price.provider)
        if names is None or price.model_id in names or not price.valid_at(datetime.now(UTC)):
            continue
        found = book.find("", price.provider, price.model_id, at_us)
        usage = _usage(price.provider, price.model_id, at_us, (1_000, 500, 100))
        if found is not None and charge(found, usage).amount_e10:
            names.append(price.model_id)
    turns = max(map(len, by_provider.values()))
    models = [
        (provider, names[turn]) for turn in range(turns) for provider, names in by_provider.items() if turn < len(names)
    ]
    if len(models) < MODELS:
        raise LookupError(f"the catalogue has prices for {len(models)} models only, not {MODELS}")
    return models[:MODELS]
