"""Organisations, their plans and limits, on both databases."""

from dataclasses import replace
from typing import Any

import pytest

from cost_ops.domain.access import ADMIN, PERMISSIONS, Principal
from cost_ops.domain.errors import Forbidden, InvalidInput, NotFound
from cost_ops.domain.limiting import holder_of, unix_seconds, windows_of
from cost_ops.domain.plans import PLANS, Limits, Quota
from cost_ops.services import organizations
from cost_ops.services.organizations import OrganizationChange
from tests.services.conftest import Desk


def admin_of(organization_id: str) -> Principal:
    return Principal(organization_id, "key", frozenset({*PERMISSIONS, ADMIN}))


def events(desk: Desk) -> list[tuple[str, Any]]:
    with desk.application.storage.ledger(desk.org) as ledger:
        found, _ = ledger.audit.page(limit=10)
    return [(str(event.action), dict(event.detail or {})) for event in found]


def test_a_new_organisation_has_no_limits(desk: Desk) -> None:
    found = organizations.get(desk.ctx, desk.org)
    assert (found.name, found.quota) == (desk.org, Quota("enterprise"))
    after = {"name": desk.org, "plan": "enterprise", "limits": None}
    assert events(desk) == [("organizations.added", {"after": after})]


def test_an_organisation_can_be_made_with_a_plan_once(desk: Desk) -> None:
    wanted = OrganizationChange(plan="free", limits={"burst": 7})
    made = organizations.ensure(desk.ctx, f"{desk.org}-new", "New", wanted)
    assert made == organizations.get(desk.ctx, made.organization_id)
    assert made.quota == Quota("free", Limits(100, 7, 5))
    again = organizations.ensure(desk.ctx, made.organization_id, "Other", OrganizationChange(plan="developer"))
    assert again == made


def test_a_change_is_kept_and_audited(desk: Desk) -> None:
    wanted = OrganizationChange("Example", "developer", {"requests_per_hour": 5})
    changed = organizations.change(desk.ctx, desk.org, wanted)
    assert changed == organizations.get(desk.ctx, desk.org)
    assert (changed.name, changed.quota) == ("Example", Quota("developer", Limits(5, 100, 20)))
    assert organizations.change(desk.ctx, desk.org, wanted) == changed
    back = organizations.change(desk.ctx, desk.org, OrganizationChange(plan_limits=True))
    assert back.quota == Quota("developer")
    own = {"requests_per_hour": 5, "burst": 100, "concurrency": 20}
    assert events(desk)[:2] == [
        ("organizations.changed", {"before": {"limits": own}, "after": {"limits": None}}),
        (
            "organizations.changed",
            {
                "before": {"name": desk.org, "plan": "enterprise", "limits": None},
                "after": {"name": "Example", "plan": "developer", "limits": own},
            },
        ),
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        OrganizationChange(plan="gold"),
        OrganizationChange(limits={"burst": 0}),
        OrganizationChange(name=" "),
        OrganizationChange(name="a\x00b"),
    ],
)
def test_an_impossible_change_changes_nothing(desk: Desk, wanted: OrganizationChange) -> None:
    with pytest.raises(InvalidInput):
        organizations.change(desk.ctx, desk.org, wanted)
    with pytest.raises(InvalidInput):
        organizations.ensure(desk.ctx, f"{desk.org}-x", wanted.name, wanted)
    assert not organizations.exists(desk.ctx, f"{desk.org}-x")
    assert len(events(desk)) == 1


def test_nobody_raises_their_own_limits(desk: Desk) -> None:
    ctx = desk.context(admin_of(desk.org))
    with pytest.raises(Forbidden):
        organizations.change(ctx, desk.org, OrganizationChange(plan="enterprise"))
    with pytest.raises(Forbidden):
        organizations.ensure(ctx, f"{desk.org}-x")


def test_an_organisation_sees_itself_alone(desk: Desk) -> None:
    organizations.ensure(desk.ctx, f"{desk.org}-other")
    ctx = desk.context(admin_of(desk.org))
    assert [found.organization_id for found in organizations.list_organizations(ctx)] == [desk.org]
    assert organizations.get(ctx, desk.org).organization_id == desk.org
    for ask in (lambda: organizations.get(ctx, f"{desk.org}-other"), lambda: organizations.get(ctx, "no-such")):
        with pytest.raises(NotFound):
            ask()
    assert f"{desk.org}-other" in [found.organization_id for found in organizations.list_organizations(desk.ctx)]


def test_without_admin_rights_there_is_nothing_to_see(desk: Desk) -> None:
    ctx = desk.context(Principal(desk.org, "key", frozenset(PERMISSIONS)))
    for ask in (lambda: organizations.get(ctx, desk.org), lambda: organizations.list_organizations(ctx)):
        with pytest.raises(Forbidden):
            ask()


def test_whoever_belongs_to_it_sees_its_limits_and_their_use(desk: Desk) -> None:
    organizations.change(desk.ctx, desk.org, OrganizationChange(plan="free"))
    permits = desk.application.permits
    windows = windows_of(PLANS["free"].limits)
    permits.take(holder_of(desk.org), windows, needed=7, ahead=0, at=unix_seconds(desk.now))
    nobody = replace(admin_of(desk.org), permissions=frozenset())
    now = organizations.limits(desk.context(nobody), permits, desk.org)
    assert now.organization.quota == Quota("free")
    assert [(window.name, count.used) for window, count in now.windows] == [("requests_per_hour", 7), ("burst", 7)]
    for stranger in (admin_of(f"{desk.org}-other"), admin_of("no-such")):
        with pytest.raises(NotFound):
            organizations.limits(desk.context(stranger), permits, desk.org)
    with pytest.raises(NotFound):
        organizations.limits(desk.ctx, permits, "no-such")


def test_without_a_limit_there_are_no_windows(desk: Desk) -> None:
    assert organizations.limits(desk.ctx, desk.application.permits, desk.org).windows == ()
