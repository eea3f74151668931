"""Budgets: what may be spent, what is left, and holding some of it for a call."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from llm_cost_ops._requests import Call, part
from llm_cost_ops.models.base import many, one
from llm_cost_ops.models.budgets import (
    Budget,
    BudgetCheck,
    BudgetPeriod,
    BudgetPreview,
    BudgetStatus,
    Lease,
    Settled,
    Silence,
)
from llm_cost_ops.resources.synchronous.calling import Resource, given
from llm_cost_ops.resources.synchronous.pages import Page, page_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llm_cost_ops.models.fields import Amount, BudgetFields, Reservation, Time, UsageFields


class Budgets(Resource):
    """`client.budgets`."""

    def create(self, **fields: Unpack[BudgetFields]) -> Budget:
        """Make a budget; only `amount` is needed."""
        return self._caller.call(Call("POST", "budgets", one(Budget), body=self._mine(fields)))

    def list(
        self,
        *,
        page: Optional[int] = None,
        page_size: Optional[int] = None,
        organization_id: Optional[str] = None,
    ) -> Page[Budget]:
        """By name, each followed by those below it."""
        params = {**self._mine({"organization_id": organization_id}), "page": page, "page_size": page_size}
        return self._caller.call(page_of(self._caller, "budgets", params, Budget))

    def get(self, budget_id: str) -> Budget:
        """One budget."""
        return self._caller.call(Call("GET", f"budgets/{part(budget_id)}", one(Budget)))

    def update(self, budget_id: str, **fields: Unpack[BudgetFields]) -> Budget:
        """Change fields; None takes one back to its default. With `version`, what others changed is a conflict."""
        return self._caller.call(Call("PATCH", f"budgets/{part(budget_id)}", one(Budget), body=dict(fields)))

    def delete(self, budget_id: str) -> Budget:
        """End a budget: nothing counts for it any more."""
        return self._caller.call(Call("DELETE", f"budgets/{part(budget_id)}", one(Budget)))

    def status(self, budget_id: str, *, at: Optional[Time] = None) -> BudgetStatus:
        """How a budget stands, and in `children` those right below it."""
        return self._caller.call(Call("GET", f"budgets/{part(budget_id)}/status", one(BudgetStatus), {"at": at}))

    def status_of_all(
        self, *, at: Optional[Time] = None, organization_id: Optional[str] = None
    ) -> Sequence[BudgetStatus]:
        """How all budgets stand."""
        params = {**self._mine({"organization_id": organization_id}), "at": at}
        return self._caller.call(Call("GET", "budgets/status", many(BudgetStatus), params))

    def history(self, budget_id: str, *, periods: Optional[int] = None) -> Sequence[BudgetPeriod]:
        """The last periods, the newest first."""
        path = f"budgets/{part(budget_id)}/history"
        return self._caller.call(Call("GET", path, many(BudgetPeriod), {"periods": periods}))

    def preview(self, budget_id: Optional[str] = None, **fields: Unpack[BudgetFields]) -> BudgetPreview:
        """What a budget would have told of the last year: one that is there, or one of these fields."""
        if budget_id is not None:
            return self._caller.call(Call("GET", f"budgets/{part(budget_id)}/preview", one(BudgetPreview)))
        body = self._mine(fields)
        return self._caller.call(Call("POST", "budgets/preview", one(BudgetPreview), body=body, repeatable=True))

    def check(
        self,
        *,
        amount: Optional[Amount] = None,
        currency: Optional[str] = None,
        input_tokens: Optional[int] = None,
        output_tokens: Optional[int] = None,
        tags: Optional[Mapping[str, str]] = None,
        **call: Optional[str],
    ) -> BudgetCheck:
        """Whether a reservation would be granted now. `call`: provider, model_id, project_id, user_id, team_id …"""
        asked = {"amount": amount, "currency": currency, "input_tokens": input_tokens, "output_tokens": output_tokens}
        params = {**self._mine(call), **asked, "tags": tags}
        return self._caller.call(Call("GET", "budgets/check", one(BudgetCheck), params))

    def reserve(self, budget_id: Optional[str] = None, **call: Unpack[Reservation]) -> Lease:
        """Hold what a call may cost of every budget it counts for. Raises BudgetExceededError where one has no room."""
        body = self._owned(call)
        body.setdefault("idempotency_key", uuid.uuid4().hex)
        return self._caller.call(Call("POST", _of(budget_id, "reserve"), one(Lease), body=body, repeatable=True))

    def settle(self, lease_id: str, budget_id: Optional[str] = None, **usage: Unpack[UsageFields]) -> Settled:
        """Record what the call used, and let go of what was held. Twice is once."""
        body = {**given(usage), "lease_id": lease_id}
        return self._caller.call(Call("POST", _of(budget_id, "settle"), one(Settled), body=body, repeatable=True))

    def release(self, lease_id: str, budget_id: Optional[str] = None) -> Lease:
        """Give back what was held: the call is not made."""
        body = {"lease_id": lease_id}
        return self._caller.call(Call("POST", _of(budget_id, "release"), one(Lease), body=body, repeatable=True))

    def leases(
        self,
        *,
        status: Optional[str] = None,
        page: Optional[int] = None,
        page_size: Optional[int] = None,
        organization_id: Optional[str] = None,
    ) -> Page[Lease]:
        """Leases, newest first: `held`, `settled`, `released`, `expired`."""
        mine = self._mine({"organization_id": organization_id})
        params: dict[str, Any] = {**mine, "status": status, "page": page, "page_size": page_size}
        return self._caller.call(page_of(self._caller, "leases", params, Lease))

    def lease(self, lease_id: str) -> Lease:
        """One lease."""
        return self._caller.call(Call("GET", f"leases/{part(lease_id)}", one(Lease)))

    def silence(
        self,
        budget_id: str,
        *,
        minutes: Optional[int] = None,
        until: Optional[Time] = None,
        reason: Optional[str] = None,
    ) -> Silence:
        """Tell nobody of this budget for a while. A hard one goes on refusing."""
        body = given({"minutes": minutes, "until": until, "reason": reason})
        path = f"budgets/{part(budget_id)}/silence"
        return self._caller.call(Call("POST", path, one(Silence), body=body))

    def unsilence(self, budget_id: str) -> Silence:
        """Tell people again."""
        return self._caller.call(Call("DELETE", f"budgets/{part(budget_id)}/silence", one(Silence)))


def _of(budget_id: Optional[str], what: str) -> str:
    return f"budgets/{what}" if budget_id is None else f"budgets/{part(budget_id)}/{what}"
