"""API keys: shown once, checked by a slow hash, bound to their organisation, turned off at once."""

from datetime import timedelta

import pytest

from cost_ops.domain.access import ADMIN, PERMISSIONS, Principal
from cost_ops.domain.errors import Forbidden, InvalidInput, NotFound, Unauthorized
from cost_ops.services import access
from tests.services.conftest import Desk


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
        None, admin.key.key_id, frozenset({ADMIN})
    )
