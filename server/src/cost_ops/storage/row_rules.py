"""What an organisation's unit of work may touch on PostgreSQL: which tables, how, and which of their rows.

Data, of which `row_policies` makes grants and policies. The program's own conditions come first; these hold where one
of them is forgotten. Conditions compare with what a transaction was bound to: an organisation's id and its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

ORGANIZATION = "cost_ops.organization"
NUMBER = "cost_ops.organization_number"

_OWN = f"organization_id = current_setting('{ORGANIZATION}', true)"
_BY_NUMBER = f"organization = NULLIF(current_setting('{NUMBER}', true), '')::int4"
_ALL = "true"


@dataclass(frozen=True, slots=True)
class Rule:
    """Privileges on a table, as GRANT writes them, and the rows they reach; `changes` where fewer may be changed."""

    privileges: str
    rows: str = _OWN
    changes: str | None = None

    @property
    def fingerprint(self) -> str:
        """What tells this rule from an earlier program's."""
        told = repr((self.privileges, self.rows, self.changes))
        return sha256(told.encode()).hexdigest()[:16]


RULES = {
    "organizations": Rule("SELECT"),
    "usage_records": Rule("SELECT, UPDATE"),
    "cost_records": Rule("SELECT"),
    "usage_revisions": Rule("SELECT, INSERT, UPDATE"),
    "idempotency_keys": Rule("SELECT", _BY_NUMBER),
    "cube_sets": Rule("SELECT, INSERT", _BY_NUMBER),
    "dimension_values": Rule("SELECT, INSERT, DELETE", _BY_NUMBER),
    "rollups": Rule(
        "SELECT, INSERT, UPDATE, DELETE",
        f"cube_set IN (SELECT id FROM cube_sets WHERE {_BY_NUMBER})",  # noqa: S608
    ),
    "prices": Rule("SELECT, INSERT, UPDATE (effective_to)", f"organization_id IS NULL OR {_OWN}", _OWN),
    "contracts": Rule("SELECT, INSERT, UPDATE (effective_to)"),
    "contract_months": Rule(
        "SELECT, INSERT, UPDATE, DELETE",
        f"contract IN (SELECT number FROM contracts WHERE {_OWN})",  # noqa: S608
    ),
    "reprice_runs": Rule("SELECT, INSERT, UPDATE"),
    "api_keys": Rule("SELECT, INSERT, UPDATE"),
    "projects": Rule("SELECT, INSERT, UPDATE"),
    "teams": Rule("SELECT, INSERT, UPDATE, DELETE"),
    "memberships": Rule("SELECT, INSERT, UPDATE, DELETE"),
    "roles": Rule("SELECT, INSERT, UPDATE, DELETE"),
    "policies": Rule("SELECT, INSERT, UPDATE, DELETE"),
    "sessions": Rule("SELECT (user_id, organization_id, revoked_at), UPDATE (revoked_at)"),
    "audit_events": Rule("SELECT, INSERT"),
    "audit_chains": Rule("SELECT, INSERT, UPDATE", f"chain = current_setting('{ORGANIZATION}', true)"),
    "budgets": Rule("SELECT, INSERT, UPDATE", f"{_OWN} AND {_BY_NUMBER}"),
    "budget_spends": Rule("SELECT, INSERT, UPDATE", _BY_NUMBER),
    "leases": Rule("SELECT, INSERT, UPDATE"),
    "lease_holds": Rule("SELECT, INSERT, DELETE", _BY_NUMBER),
    "budget_holds": Rule("SELECT", _BY_NUMBER),
    "budget_alerts": Rule("SELECT, INSERT, UPDATE"),
    "outbox_events": Rule("SELECT, INSERT"),
    "channels": Rule("SELECT, INSERT, UPDATE, DELETE"),
    "deliveries": Rule("SELECT, INSERT, UPDATE"),
    "delivery_attempts": Rule("SELECT, INSERT"),
    "cost_series": Rule("SELECT, INSERT", _ALL),
    "dimension_version": Rule("SELECT, UPDATE (version, watched)", _ALL),
    "price_book_version": Rule("SELECT, UPDATE (version)", _ALL),
}
"""By table. Those for which all rows are there belong to nobody: two counters, and the series that all share."""

OUT_OF_REACH = frozenset(
    {
        "users",
        "signing_keys",
        "one_time_tokens",
        "limit_windows",
        "model_aliases",
        "price_reviews",
        "exchange_rates",
        "data_keys",
        "jobs",
    }
)
"""Tables that no organisation's unit of work reads or writes: the installation's, and what tells who somebody is."""
