"""Believable usage of a small company, for demonstrations: the same every time for the same end.

Five projects of five teams call models of seven providers: busy in office hours, quiet at weekends, growing over the
months. One model has no published price, and about three weeks before the end an agent ran away for a few hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp
from random import Random

from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import ProviderNames
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import Submitted
from cost_ops.domain.usage import UsageSubmission

DAYS = 90
_SEED = 20_251_116
_FIRST_DAY, _LAST_DAY = 210, 430
"""Calls on a working day when the time begins, and when it ends."""

_WEEKEND = 0.22
_OFFICE_HOURS = (1, 1, 1, 1, 1, 2, 5, 14, 30, 46, 52, 48, 34, 42, 52, 50, 44, 32, 18, 9, 6, 4, 2, 1)
_SPIKE_DAYS_AGO = 21
_SPIKE_CALLS = 260


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a project uses it: typical token counts, and how much of the input comes from a cache."""

    provider: str
    model_id: str
    weight: int
    input_tokens: int
    output_tokens: int
    cached_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Project:
    """A project: its share of calls, its team's people, its features and models."""

    name: str
    team: str
    weight: int
    users: tuple[str, ...]
    features: tuple[str, ...]
    models: tuple[Model, ...]


PROJECTS = (
    Project(
        "support-assistant",
        "support",
        38,
        ("amara", "bruno", "chen", "dalia", "elif"),
        ("answer", "summary", "triage"),
        (
            Model("openai", "gpt-5-mini", 50, 2_400, 380, 0.45),
            Model("anthropic", "claude-haiku-4-5", 30, 3_100, 420, 0.3),
            Model("custom", "acme-support-8b", 6, 1_800, 300),
        ),
    ),
    Project(
        "code-review",
        "platform",
        24,
        ("farid", "greta", "hiro", "ines", "jonas"),
        ("review", "tests", "migration"),
        (
            Model("anthropic", "claude-sonnet-4-5", 60, 18_000, 1_400, 0.6),
            Model("openai", "gpt-5", 25, 12_000, 1_900, 0.35),
            Model("mistral", "codestral", 15, 4_000, 600),
        ),
    ),
    Project(
        "sales-copilot",
        "sales",
        18,
        ("kofi", "lena", "mateo", "nadia", "owen"),
        ("draft", "research", "call-notes"),
        (
            Model("azure", "gpt-4.1", 70, 3_600, 700, 0.2),
            Model("google", "gemini-2.5-flash", 30, 5_200, 650),
        ),
    ),
    Project(
        "document-search",
        "search",
        14,
        ("priya", "quentin", "rosa", "sami", "tove"),
        ("answer", "index"),
        (
            Model("cohere", "command-r", 55, 6_800, 350),
            Model("google", "gemini-2.5-flash", 45, 9_500, 420, 0.25),
        ),
    ),
    Project(
        "research-agent",
        "research",
        6,
        ("uma", "viktor", "wen", "ximena", "yusuf"),
        ("plan", "browse", "report"),
        (
            Model("aws", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", 70, 22_000, 1_800, 0.4),
            Model("anthropic", "claude-opus-4-5", 30, 26_000, 2_200, 0.5),
        ),
    ),
)
_RUNAWAY = Model("anthropic", "claude-opus-4-5", 1, 60_000, 2_500, 0.35)
_ENVIRONMENTS = ("prod", "prod", "prod", "prod", "prod", "staging", "dev")


def sample_usage(
    organization_id: str, *, now: datetime, names: ProviderNames, days: int = DAYS
) -> Iterator[UsageSubmission]:
    """The usage of an organisation over the `days` up to `now`, oldest first."""
    random = Random(_SEED)  # noqa: S311 (made-up numbers, the same every time)
    intake = Intake(names, to_us(now), organization_id=organization_id)
    first = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    spike = _working_day((now - timedelta(days=_SPIKE_DAYS_AGO)).replace(hour=0, minute=0, second=0, microsecond=0))
    for day in range(days + 1):
        midnight = first + timedelta(days=day)
        calls = _ordinary_day(random, midnight, progress=day / days)
        if midnight == spike:
            calls += _runaway_agent(random, midnight)
        for sent in sorted(calls, key=_when):
            if _when(sent) <= now:
                yield build(sent, intake)


def _when(sent: Submitted) -> datetime:
    assert sent.timestamp is not None  # noqa: S101 (every sample has one)
    return sent.timestamp


def _working_day(midnight: datetime) -> datetime:
    return midnight - timedelta(days=max(0, midnight.weekday() - 4))


def _ordinary_day(random: Random, midnight: datetime, *, progress: float) -> list[Submitted]:
    level = _FIRST_DAY + (_LAST_DAY - _FIRST_DAY) * progress
    if midnight.weekday() >= 5:
        level *= _WEEKEND
    return [_call(random, midnight) for _ in range(round(level * random.uniform(0.9, 1.1)))]


def _call(random: Random, midnight: datetime) -> Submitted:
    project = random.choices(PROJECTS, [p.weight for p in PROJECTS])[0]
    model = random.choices(project.models, [m.weight for m in project.models])[0]
    feature = random.choice(project.features)
    by_night = feature == "index"
    hour = random.randrange(1, 5) if by_night else random.choices(range(24), _OFFICE_HOURS)[0]
    return _submitted(
        random,
        project,
        model,
        timestamp=midnight + timedelta(hours=hour, microseconds=random.randrange(3_600_000_000)),
        user=None if by_night else random.choice(project.users),
        tags={"feature": feature, "env": random.choice(_ENVIRONMENTS)},
    )


def _submitted(
    random: Random, project: Project, model: Model, *, timestamp: datetime, user: str | None, tags: dict[str, str]
) -> Submitted:
    input_tokens = max(20, round(model.input_tokens * _spread(random)))
    output_tokens = max(5, round(model.output_tokens * _spread(random)))
    hit = model.cached_share and random.random() < 0.8
    return Submitted(
        provider=model.provider,
        model_id=model.model_id,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=round(input_tokens * model.cached_share * random.uniform(0.7, 1.1)) if hit else None,
        timestamp=timestamp,
        project_id=project.name,
        team_id=project.team,
        user_id=user,
        latency_ms=round(400 + output_tokens * random.uniform(6, 14)),
        tags=tags,
    )


def _spread(random: Random) -> float:
    """Around one, seldom far above it: token counts are lopsided."""
    return exp(random.gauss(-0.15, 0.55))


def _runaway_agent(random: Random, midnight: datetime) -> list[Submitted]:
    """An agent in a loop: the same person, one session, an ever larger context, from two in the afternoon to nine."""
    project = PROJECTS[-1]
    calls = []
    for step in range(_SPIKE_CALLS):
        sent = _submitted(
            random,
            project,
            _RUNAWAY,
            timestamp=midnight + timedelta(hours=14 + 7 * step / _SPIKE_CALLS, seconds=random.random()),
            user="viktor",
            tags={"feature": "browse", "env": "dev"},
        )
        sent.session_id = "run-loop-117"
        calls.append(sent)
    return calls
