"""Whoever is bound to a project is told nothing of the others: the same two installations, inside one organisation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.api.running import migrated
from tests.isolation.answers import comparable, difference, send, told
from tests.isolation.cases import Case, cases_of
from tests.isolation.document import operations
from tests.isolation.known import UNCOMPARED
from tests.isolation.tenant import Tenant
from tests.isolation.worlds import ASKER, STEP, World, opened_world

BOUND = ("project", "bound")
"""A key and a person, each bound to a project."""

HIDDEN = "zq7-hidden"
OF_THE_ORGANISATION = {
    "POST /api/v1/usage": "idempotency keys are the organisation's: one that is taken is a conflict",
    "POST /api/v1/usage/batch": "idempotency keys are the organisation's: one that is taken is a conflict",
    "POST /api/v1/events": "idempotency keys are the organisation's: one that is taken is a conflict",
}


class Hidden(Tenant):
    """Another project of the same organisation, with the words of its own."""

    def word(self, noun: str) -> str:
        return f"{HIDDEN}-{noun}"


@dataclass
class Found:
    """What came of it."""

    asked: int = 0
    answered: set[str] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    controls: set[str] = field(default_factory=set)


def hide(world: World) -> Hidden:
    """Usage of the other project: priced, unpriced, corrected."""
    asker = world.asker
    hidden = Hidden(asker.server, ASKER, world.clock, world.clock.step, asker.makers, asker.credentials, asker.people)
    hidden.things |= {"password": asker.things["password"], "organization": [ASKER]}
    for _ in range(3):
        hidden.make("usage")
    hidden.ask("POST", "usage", hidden.usage(model_id=hidden.word("model"), provider="unheard"))
    hidden.ask("PUT", f"usage/{hidden.things['usage'][-1]}", {"output_tokens": 1, "reason": hidden.word("reason")})
    page = hidden.ask("GET", f"usage/history?page_size=1&project_id={hidden.word('project')}").body["pagination"]
    hidden.things["cursor"] = [page["next_cursor"]]
    hidden.things["idempotency_key"] = [hidden.word("call-1")]
    return hidden


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    with ExitStack() as stack:
        urls = [migrated(tmp_path_factory.mktemp(name)) for name in ("full", "bare")]
        full, bare = (stack.enter_context(opened_world(url, with_victim=False)) for url in urls)
        for world in (full, bare):  # prices are the organisation's: what a contract made of one is stored at first use
            world.asker.make("usage")
            world.server.application.books.refresh()
        hidden = hide(full)
        bare.clock.now = full.clock.now
        out = Found()
        for operation in operations():
            for case in cases_of(operation, hidden):
                for kind in BOUND if case.own or case.matching else BOUND[:1]:
                    _ask(out, full, bare, case, kind)
                if case.own and operation.reads:
                    answer = send(full, case.request(full.asker), full.asker.bearer("live"))
                    if HIDDEN in answer.text:
                        out.controls.add(str(operation))
        yield out


def _ask(out: Found, full: World, bare: World, case: Case, kind: str) -> None:
    full.clock.now = bare.clock.now = max(full.clock.now, bare.clock.now) + STEP
    requests = [case.request(world.asker) for world in (full, bare)]
    pairs = zip((full, bare), requests, strict=True)
    answers = [send(world, request, world.asker.bearer(kind)) for world, request in pairs]
    if case.operation.path.startswith("/api/v1/auth/"):
        for world in (full, bare):  # their sessions may be over, though they are remembered for a moment
            world.asker.forget_log_ins()
    out.asked += 1
    name = f"{case.operation} [{case.label}] as {kind}"
    if answers[0].status in range(200, 300):
        out.answered.add(str(case.operation))
    if told(answers[0], requests[0], frozenset({HIDDEN}), answers[1].everything):
        out.leaks.append(f"{name}: {answers[0].text[:300]}")
    where = difference(comparable(answers[0]), comparable(answers[1]))
    taken = "dempotency" in case.label and str(case.operation) in OF_THE_ORGANISATION
    if where and not taken and case.operation.path not in UNCOMPARED:
        out.differences.append(f"{name}: {where}")


def test_nothing_of_another_project_is_told(found: Found) -> None:
    assert found.asked > 1_000
    assert not found.leaks, "\n".join(found.leaks[:20])


def test_answers_are_those_of_an_organisation_without_the_other_project(found: Found) -> None:
    assert not found.differences, "\n".join(found.differences[:20])


def test_what_is_the_project_s_own_is_answered(found: Found) -> None:
    assert found.answered >= {
        "POST /api/v1/usage",
        "GET /api/v1/usage/history",
        "GET /api/v1/usage/stream",
        "GET /api/v1/usage/{usage_id}",
        "GET /api/v1/usage/{usage_id}/explain",
        "GET /api/v1/costs",
        "GET /api/v1/costs/summary",
        "GET /api/v1/analytics",
    }


def test_whoever_is_not_bound_is_told(found: Found) -> None:
    assert found.controls >= {"GET /api/v1/usage/history", "GET /api/v1/usage/stream", "GET /api/v1/costs"}
