"""Every route × method × another tenant's ids and keys, generated from the OpenAPI document.

Two installations are asked the same: in one there is another tenant, in the other there is not. Whoever is not that
tenant must not be able to tell which one it asks: no id, name or amount of the other's, no other status, count or
text, and nothing of the other's changes. As a control the other tenant asks the same and is given it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.api.running import migrated
from tests.isolation.document import operations
from tests.isolation.known import OWNER_ONLY, TELLS_NOTHING
from tests.isolation.matrix import FULL, REFUSED, Findings, Matrix
from tests.isolation.rows import table_of
from tests.isolation.worlds import opened_world
from tests.postgres_server import fresh_database


def _at_one_worker(database: str) -> Any:
    """What one matrix found is looked at where it was asked: two workers would ask it twice."""
    return pytest.param(database, marks=pytest.mark.xdist_group(f"isolation on {database}"))


@pytest.fixture(scope="module", params=[_at_one_worker("sqlite"), _at_one_worker("postgres")])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Findings]:
    """The matrix on one database, asked once."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            urls = [migrated(tmp_path_factory.mktemp(name)) for name in ("full", "bare")]
        else:
            server, template = (request.getfixturevalue(name) for name in ("postgres_url", "postgres_template"))
            urls = [stack.enter_context(fresh_database(server, template_url=template)) for _ in range(2)]
        full = stack.enter_context(opened_world(urls[0], with_victim=True))
        bare = stack.enter_context(opened_world(urls[1], with_victim=False))
        # What differs between the databases is below the question of who asks: there the admin asks everything.
        yield Matrix(full, bare, FULL if request.param == "sqlite" else ("admin",)).run()


def listed(findings: Collection[str]) -> str:
    """The first findings, for people."""
    return f"{len(findings)}:\n" + "\n".join(one[:600] for one in list(findings)[:25])


def test_no_answer_holds_anything_of_another_tenant(found: Findings) -> None:
    assert found.canaries > 80
    assert not found.leaks, listed(found.leaks)


def test_answers_are_those_of_an_installation_where_the_other_tenant_does_not_exist(found: Findings) -> None:
    assert not found.differences, listed(found.differences)


def test_no_request_changes_what_is_another_s(found: Findings) -> None:
    assert not found.changed, listed(found.changed)


def test_nothing_of_this_is_an_error_of_ours(found: Findings) -> None:
    assert not found.errors, listed(found.errors)


def test_without_a_good_credential_nothing_is_answered(found: Findings) -> None:
    assert all(found.asked[who] > 40 for who in REFUSED)
    assert not found.admitted, listed(found.admitted)


def test_every_operation_of_the_document_is_covered(found: Findings) -> None:
    assert not found.uncovered, listed(found.uncovered)


def test_an_organisation_s_admin_is_refused_what_concerns_the_installation(found: Findings) -> None:
    for operation in OWNER_ONLY:
        assert found.statuses[operation].keys() <= {400, 403}, operation
        assert found.statuses[operation][403], operation
    assert found.never_accepted == OWNER_ONLY


def test_a_leak_and_a_change_would_have_been_noticed(found: Findings) -> None:
    silent = {str(operation) for operation in operations()} - found.recognised
    assert silent <= TELLS_NOTHING, listed(silent - TELLS_NOTHING)
    tables = {table_of(change) for change in found.noticed}
    assert tables >= {"usage_records", "cost_records", "rollups", "prices", "contracts", "api_keys", "audit_events"}


def test_what_strangers_are_refused_its_owner_is_given(
    found: Findings, record_property: Callable[[str, object], None]
) -> None:
    asked = ", ".join(f"{number:,} {who}" for who, number in found.asked.items())
    record_property(
        "says",
        f"isolation: {sum(found.asked.values()):,} requests in {len(operations())} operations ({asked}); "
        f"{found.controls:,} controls succeeded; {found.canaries} canaries, {len(found.leaks)} leaks",
    )
    assert found.owner_only == OWNER_ONLY
    assert not found.failed_controls, listed(found.failed_controls)
