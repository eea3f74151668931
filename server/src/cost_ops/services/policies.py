"""Policies of an organisation: making, changing, removing them. `domain.decisions` says what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from cost_ops.domain.access import ADMIN, PERMISSIONS, authorize, check_grantable, check_whole
from cost_ops.domain.audit import Action
from cost_ops.domain.before_after import before_after
from cost_ops.domain.decisions import check_feature, effective
from cost_ops.domain.errors import Conflict, InvalidInput, NotFound, Problem
from cost_ops.domain.plans import Quota
from cost_ops.domain.policies import Effect, Policy
from cost_ops.domain.policy_documents import policy_json, read_policy
from cost_ops.domain.roles import BUILT_IN
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.principals import concerning
from cost_ops.interfaces.storage import Ledger

FEATURE = "rbac"
MAX_POLICIES = 100
Document = Mapping[str, Any]


def list_policies(ctx: Context, organization_id: str) -> list[Policy]:
    """The organisation's policies by name."""
    with ctx.storage.ledger(_bound(ctx, organization_id)) as ledger:
        return ledger.people.policies()


def get_policy(ctx: Context, organization_id: str, policy_id: str) -> Policy:
    """One policy by its id or name. Raises NotFound."""
    return _find(list_policies(ctx, organization_id), policy_id)


def add_policy(ctx: Context, organization_id: str, document: Document) -> Policy:
    """A new policy; it holds within seconds. Raises InvalidInput, Conflict, and Forbidden as `change_policy`."""
    bound = _bound(ctx, organization_id)
    check_feature(_quota(ctx, bound), FEATURE, ADMIN)
    new = read_policy(document, policy_id=f"policy-{ctx.random_bits(48):012x}", now=ctx.clock())
    with ctx.storage.ledger(bound) as ledger:
        return _saved(ctx, ledger, None, new)


def change_policy(ctx: Context, organization_id: str, policy_id: str, document: Document) -> Policy:
    """A policy with the given fields in place of its own.

    Raises NotFound, InvalidInput, Forbidden where the plan has no policies or what would be granted is not held, and
    Conflict where the policy would shut out who makes it.
    """
    bound = _bound(ctx, organization_id)
    check_feature(_quota(ctx, bound), FEATURE, ADMIN)
    with ctx.storage.ledger(bound) as ledger:
        old = _find(ledger.people.policies(), policy_id)
        new = read_policy({**policy_json(old), **document}, policy_id=old.policy_id, now=old.created_at)
        return _saved(ctx, ledger, old, new)


def remove_policy(ctx: Context, organization_id: str, policy_id: str) -> None:
    """Take a policy out. Raises NotFound."""
    bound = _bound(ctx, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        old = _find(ledger.people.policies(), policy_id)
        ledger.people.remove_policy(old.policy_id)
        detail = before_after(policy_json(old), None)
        ledger.audit.add(ctx.event(Action.POLICY_REMOVED, old.policy_id, organization_id=bound, detail=detail))


def _bound(ctx: Context, organization_id: str) -> str:
    bound = authorize(ctx.principal, ADMIN, organization_id)
    check_whole(ctx.principal, ADMIN)
    return bound or organization_id


def _quota(ctx: Context, bound: str) -> Quota:
    """The organisation's, whoever asks."""
    if not ctx.principal.owner:
        return ctx.principal.quota
    with ctx.storage.installation() as installation:
        found = installation.organization(bound)
    if found is None:
        raise NotFound(f"No organization {bound[:64]!r}")
    return found.quota


def _find(policies: Iterable[Policy], text: str) -> Policy:
    found = next((policy for policy in policies if text in (policy.policy_id, policy.name)), None)
    if found is None:
        raise NotFound(f"No policy {text[:64]!r}; `cost-ops policies list` shows them")
    return found


def _saved(ctx: Context, ledger: Ledger, old: Policy | None, new: Policy) -> Policy:
    new = replace(new, subjects=frozenset(map(_plain_subject, new.subjects)))
    others = [policy for policy in ledger.people.policies() if policy.policy_id != new.policy_id]
    if len(others) >= MAX_POLICIES:
        raise Conflict(f"an organization has at most {MAX_POLICIES} policies; remove one first")
    if any(policy.name == new.name for policy in others):
        raise Conflict(f"there is a policy {new.name[:64]!r} already; names are told in refusals, so each has its own")
    _check_subjects(ledger, new.subjects)
    if new.effect is Effect.ALLOW:
        check_grantable(ctx.principal, [name for name in PERMISSIONS if new.concerns(name)])
    _check_not_shut_out(ctx, new)
    if new != old:
        ledger.people.save_policy(new)
        detail = before_after(None if old is None else policy_json(old), policy_json(new))
        event = ctx.event(Action.POLICY_SAVED, new.policy_id, organization_id=ledger.organization_id, detail=detail)
        ledger.audit.add(event)
    return new


def _plain_subject(subject: str) -> str:
    """A key by its plain id: `key:key_abc` is `key:abc`."""
    return subject.replace("key:key_", "key:", 1) if subject.startswith("key:") else subject


def _check_subjects(ledger: Ledger, subjects: Iterable[str]) -> None:
    """Raises InvalidInput for subjects that do not exist: a denial for a mistyped role would deny nobody."""
    problems = []
    for subject in sorted(subjects):
        kind, _, name = subject.partition(":")
        if kind == "role":
            known = name in BUILT_IN or any(role.name == name for role in ledger.people.roles())
        elif kind == "user":
            known = ledger.people.member(name) is not None
        else:
            known = subject == "*" or ledger.api_keys.get(name) is not None
        if not known:
            problems.append(Problem("subjects", "unknown_subject", f"there is no {kind} {name[:60]!r} here"))
    if problems:
        raise InvalidInput(problems)


def _check_not_shut_out(ctx: Context, policy: Policy) -> None:
    """Raises Conflict where the policy would, here and now, take `admin:*` from whoever makes it."""
    who = ctx.principal
    mine = concerning([policy], {f"user:{who.user_id}", f"role:{who.role}", f"key:{who.key_id}"})
    if (
        mine
        and not who.owner
        and ADMIN not in effective(replace(who, policies=mine), ctx.clock(), ctx.address).permissions
    ):
        raise Conflict("this policy would shut yourself out, from here and at this time; narrow its conditions")
