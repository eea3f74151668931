"""API keys: shown once, checked by a slow hash, bound to their organisation, turned off at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from cost_ops.domain.access import ADMIN, PERMISSIONS, Principal
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthorized
from cost_ops.domain.scopes import of_projects
from cost_ops.interfaces.context import Context
from cost_ops.services import access
from tests.services.conftest import Desk


def _admin(desk: Desk, **about: object) -> Context:
    """A member with the role admin."""
    values = {"role": "admin", "user_id": "user-1", **about}
    return desk.context(Principal(desk.org, None, frozenset({*PERMISSIONS, ADMIN}), **values))  # type: ignore[arg-type]


def _events(desk: Desk) -> list[tuple[str, str, str, object]]:
    with desk.ctx.storage.ledger(desk.org) as ledger:
        events = ledger.audit.page(limit=50)[0]
    return [(e.action, e.resource, e.actor, e.detail) for e in events if e.action.startswith("keys.")]


def test_a_new_key_opens_its_organisation_and_nothing_else(desk: Desk) -> None:
    new = access.create_key(desk.ctx, desk.org, name="New Key")
    assert new.secret.startswith("sk_live_")
    principal = access.authenticate(desk.ctx, new.secret).principal
    assert (principal.organization_id, principal.permissions) == (desk.org, frozenset(PERMISSIONS))
    assert not principal.may(ADMIN)
    assert new.secret.encode() not in new.key.secret_hash + new.key.salt


def test_a_wrong_key_is_refused_with_one_message(desk: Desk) -> None:
    good = access.create_key(desk.ctx, desk.org, name="k").secret
    other_end = good[:-1] + ("0" if good[-1] != "0" else "1")
    made_up = "sk_live_" + "a" * 8 + "_" + "b" * 43
    for wrong in (other_end, good + "x", good.replace("live", "test"), "", made_up):
        with pytest.raises(Unauthorized, match=r"^Invalid or missing API key$"):
            access.authenticate(desk.ctx, wrong)


def test_expired_and_revoked_keys_stop(desk: Desk) -> None:
    expiring = access.create_key(desk.ctx, desk.org, name="a", expires_at=desk.now + timedelta(hours=1))
    revoked = access.create_key(desk.ctx, desk.org, name="b")
    assert access.revoke_key(desk.ctx, revoked.key.key_id) == access.revoke_key(desk.ctx, revoked.secret)
    desk.now += timedelta(hours=2)
    for secret in (expiring.secret, revoked.secret):
        with pytest.raises(Unauthorized):
            access.authenticate(desk.ctx, secret)


def test_permissions_are_granted_and_taken(desk: Desk) -> None:
    key = access.create_key(desk.ctx, desk.org, name="k", permissions=["costs:read"]).key
    changed = access.update_key(
        desk.ctx, f"key_{key.key_id}", add_permissions=["usage:write"], remove_permissions=["costs:read"]
    )
    assert changed.permissions == {"usage:write"}
    assert access.describe_key(desk.ctx, key.key_id) == changed
    with pytest.raises(InvalidInput, match="no permission"):
        access.update_key(desk.ctx, key.key_id, add_permissions=["admin:*"])


def test_only_the_owner_makes_keys(desk: Desk) -> None:
    member = desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS)))
    for call in (lambda: access.create_key(member, desk.org, name="x"), lambda: access.list_keys(member, desk.org)):
        with pytest.raises(Forbidden):
            call()
    assert [k.name for k in access.list_keys(desk.ctx, desk.org)] == []
    with pytest.raises(NotFound, match="list-keys"):
        access.describe_key(desk.ctx, "key_nothere")


def test_an_admin_key_belongs_to_no_organisation(desk: Desk) -> None:
    admin = access.create_key(desk.ctx, None, name="root", kind="admin")
    assert access.authenticate(desk.ctx, admin.secret).principal == Principal(
        None, admin.key.key_id, frozenset({ADMIN}), owner=True
    )


def test_an_organisations_admin_keeps_its_own_keys_and_no_others(desk: Desk) -> None:
    other = Desk(desk.application)
    strangers = access.create_key(other.ctx, other.org, name="theirs").key
    ctx = _admin(desk)
    mine = access.create_key(ctx, None, name="mine").key
    assert (mine.organization_id, mine.created_by) == (desk.org, "user:user-1")
    assert [key.name for key in access.list_keys(ctx, None)] == ["mine"]
    for look in (
        lambda: access.describe_key(ctx, strangers.key_id),
        lambda: access.update_key(ctx, strangers.key_id, name="taken"),
        lambda: access.revoke_key(ctx, strangers.key_id),
        lambda: access.rotate_key(ctx, strangers.key_id),
        lambda: access.create_key(ctx, other.org, name="x"),
        lambda: access.list_keys(ctx, other.org),
    ):
        with pytest.raises(NotFound):
            look()
    with pytest.raises(Forbidden, match="Insufficient permissions"):
        access.create_key(ctx, None, name="root", kind="admin")
    assert access.describe_key(other.ctx, strangers.key_id) == strangers


def test_nobody_grants_what_they_do_not_hold(desk: Desk) -> None:
    full = access.create_key(desk.ctx, desk.org, name="full").key
    small = access.create_key(desk.ctx, desk.org, name="small", permissions=["costs:read"]).key
    ctx = desk.context(Principal(desk.org, None, frozenset({"costs:read", ADMIN}), role="admin", user_id="user-2"))
    assert access.create_key(ctx, None, name="as much as I").key.permissions == {"costs:read"}
    for grant in (
        lambda: access.create_key(ctx, None, name="x", permissions=["costs:read", "usage:write"]),
        lambda: access.update_key(ctx, small.key_id, add_permissions=["usage:write"]),
        lambda: access.rotate_key(ctx, full.key_id),
    ):
        with pytest.raises(Forbidden) as refused:
            grant()
        assert refused.value.details["reason"] == "nobody grants what they do not hold"
    bound = _admin(desk, scope=of_projects(["alpha"]))
    for manage in (lambda: access.create_key(bound, None, name="x"), lambda: access.revoke_key(bound, full.key_id)):
        with pytest.raises(Forbidden):
            manage()


def test_a_key_is_bound_to_projects(desk: Desk) -> None:
    new = access.create_key(desk.ctx, desk.org, name="k", projects=["beta", "alpha", "beta"])
    assert new.key.projects == ("alpha", "beta")
    assert access.authenticate(desk.ctx, new.secret).principal.scope == of_projects(["alpha", "beta"])
    assert access.update_key(desk.ctx, new.secret, projects=["gamma"]).projects == ("gamma",)
    assert access.update_key(desk.ctx, new.secret, name="other").projects == ("gamma",)
    assert access.update_key(desk.ctx, new.secret, projects=[]).principal.scope.is_everything
    for projects in ([""], ["a\x00"], ["x" * 257], [f"p{n}" for n in range(201)]):
        with pytest.raises(InvalidInput):
            access.create_key(desk.ctx, desk.org, name="k", projects=projects)


def test_a_rotated_key_works_on_for_the_overlap(desk: Desk) -> None:
    old = access.create_key(
        desk.ctx,
        desk.org,
        name="k",
        permissions=["costs:read"],
        projects=["alpha"],
        expires_at=desk.now + timedelta(days=90),
    )
    desk.now += timedelta(days=80)
    new = access.rotate_key(desk.ctx, old.key.key_id)
    assert (sorted(new.key.permissions), new.key.projects, new.key.name) == (["costs:read"], ("alpha",), "k")
    assert new.key.expires_at == desk.now + timedelta(days=90)
    kept = access.describe_key(desk.ctx, old.key.key_id)
    assert (kept.replaced_by, kept.expires_at) == (new.key.key_id, desk.now + timedelta(hours=24))
    assert access.authenticate(desk.ctx, old.secret) == kept
    with pytest.raises(Conflict, match="replaced"):
        access.rotate_key(desk.ctx, old.key.key_id)
    desk.now += timedelta(hours=25)
    with pytest.raises(Unauthorized):
        access.authenticate(desk.ctx, old.secret)
    assert access.authenticate(desk.ctx, new.secret).key_id == new.key.key_id


def test_without_an_overlap_the_old_key_ends_now(desk: Desk) -> None:
    old = access.create_key(desk.ctx, desk.org, name="k")
    new = access.rotate_key(desk.ctx, old.secret, overlap=timedelta())
    with pytest.raises(Unauthorized):
        access.authenticate(desk.ctx, old.secret)
    assert access.authenticate(desk.ctx, new.secret).expires_at is None
    with pytest.raises(Conflict):
        access.update_key(desk.ctx, old.key.key_id, name="again")
    for overlap in (timedelta(days=31), timedelta(seconds=-1)):
        with pytest.raises(InvalidInput):
            access.rotate_key(desk.ctx, new.secret, overlap=overlap)


def test_an_overlap_never_prolongs_a_key(desk: Desk) -> None:
    end = desk.now + timedelta(hours=1)
    old = access.create_key(desk.ctx, desk.org, name="k", expires_at=end)
    access.rotate_key(desk.ctx, old.secret, overlap=timedelta(days=7))
    assert access.describe_key(desk.ctx, old.key.key_id).expires_at == end


def test_every_change_of_a_key_is_kept_with_before_and_after(desk: Desk) -> None:
    ctx = _admin(desk)
    new = access.create_key(ctx, None, name="k", permissions=["costs:read"])
    key_id = f"key_{new.key.key_id}"
    access.update_key(ctx, key_id, name="k")
    access.update_key(ctx, key_id, add_permissions=["usage:write"])
    heir = access.rotate_key(ctx, key_id)
    access.revoke_key(ctx, f"key_{heir.key.key_id}")
    access.revoke_key(ctx, f"key_{heir.key.key_id}")
    events = _events(desk)
    assert [(action, resource) for action, resource, _, _ in events] == [
        ("keys.revoked", f"key_{heir.key.key_id}"),
        ("keys.rotated", key_id),
        ("keys.created", f"key_{heir.key.key_id}"),
        ("keys.changed", key_id),
        ("keys.created", key_id),
    ]
    assert {actor for _, _, actor, _ in events} == {"user:user-1"}
    assert events[3][3] == {
        "before": {"permissions": ["costs:read"]},
        "after": {"permissions": ["costs:read", "usage:write"]},
    }
    assert new.secret.rpartition("_")[2] not in str(events)


def test_an_end_that_has_passed_is_no_end(desk: Desk) -> None:
    for at in (desk.now, desk.now - timedelta(days=1)):
        with pytest.raises(InvalidInput, match="revoke it"):
            access.create_key(desk.ctx, desk.org, name="k", expires_at=at)


def test_a_key_has_one_successor_whoever_is_first(desk: Desk) -> None:
    new = access.create_key(desk.ctx, desk.org, name="k")
    both = Barrier(2)

    def rotate(_number: int) -> str | None:
        both.wait()
        try:
            return access.rotate_key(desk.ctx, new.key.key_id).key.key_id
        except Conflict:
            return None

    with ThreadPoolExecutor(2) as threads:
        heirs = [heir for heir in threads.map(rotate, range(2)) if heir is not None]
    assert [access.describe_key(desk.ctx, new.key.key_id).replaced_by] == heirs
