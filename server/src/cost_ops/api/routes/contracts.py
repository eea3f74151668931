"""Contracts: list, add, end, settle."""

from __future__ import annotations

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.parameters import Parameter, truth
from cost_ops.api.parameters_known import ORGANIZATION, instant
from cost_ops.api.schemas.contracts import (
    NEW_CONTRACT,
    SETTLE_SCHEMA,
    ContractList,
    ContractOne,
    SettleAnswer,
    SettleView,
    contract_view,
    settled_view,
)
from cost_ops.bootstrap import settle_contracts
from cost_ops.domain.access import check_organization_id
from cost_ops.domain.contracts import contract_terms
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.prices import WILDCARD
from cost_ops.domain.volumes import parse_month
from cost_ops.services import contracts
from cost_ops.services.contracts import NewContract
from cost_ops.services.settling import PERMISSION

routes = Routes("Contracts")
_TIME = {"type": "string", "format": "date-time"}
CURRENT = Parameter("current", "only contracts that hold now", {"type": "boolean", "default": False}, truth)
END_DATE = Parameter("end_date", "when the contract ends; now where it is not given", _TIME, instant)
_EXAMPLE = {"kind": "discount", "percent": "10", "provider": "openai", "note": "enterprise agreement"}
_TIERS = [{"from": 0, "discount": "0"}, {"from": 1_000_000_000, "discount": "0.10"}]
_BY_VOLUME = {"provider": "openai", "volume": {"tiers": _TIERS}}


@routes.add(
    "GET",
    "/api/v1/contracts",
    summary="Contracts of the organisation; with an admin key that names none, of all",
    answer=ContractList,
    permission="pricing:read",
    parameters=(ORGANIZATION, CURRENT),
    scoped=True,
)
def list_contracts(call: Call) -> ContractList:
    """All contracts, ended ones too unless `current`."""
    given = call.given
    found = contracts.list_contracts(call.ctx, given.get("organization_id"), current=given.get("current", False))
    return ContractList([contract_view(contract) for contract in found])


@routes.add(
    "POST",
    "/api/v1/contracts",
    summary="Add a discount, by volume or not, or a margin of an organisation; a margin needs an admin key",
    answer=ContractOne,
    status=201,
    permission="pricing:write",
    body=BodyOf(NEW_CONTRACT, {"discount": _EXAMPLE, "volume": _BY_VOLUME}),
    errors=(409,),
)
def add_contract(call: Call) -> Reply:
    """Store a contract; usage priced from now on has its prices."""
    fields = Fields(call.body, tuple(NEW_CONTRACT["properties"]), what="a contract")
    organization_id = fields.parsed("organization_id", check_organization_id)
    terms = fields.attempt(lambda: contract_terms(fields.values))
    provider, model_id, note = fields.text("provider"), fields.text("model_id"), fields.text("note")
    start = fields.parsed("effective_date", instant)
    end = fields.parsed("end_date", instant)
    fields.done()
    if terms is None:
        raise InvalidInput(fields.problems)
    new = NewContract(
        kind=terms.kind,
        percent=terms.percent,
        provider=provider or WILDCARD,
        model_id=model_id or WILDCARD,
        meters=terms.meters,
        effective_from=start,
        effective_to=end,
        note=note or "",
        tiers=terms.tiers,
    )
    return Reply(201, ContractOne(contract_view(contracts.add(call.ctx, organization_id, new))))


@routes.add(
    "DELETE",
    "/api/v1/contracts/{contract_id}",
    summary="End a contract, now or at `end_date`; what was priced under it stays",
    answer=ContractOne,
    permission="pricing:write",
    parameters=(ORGANIZATION, END_DATE),
)
def end_contract(call: Call) -> ContractOne:
    """Set the end of a contract."""
    given = call.given
    ended = contracts.end(call.ctx, given.get("organization_id"), call.path["contract_id"], given.get("end_date"))
    return ContractOne(contract_view(ended))


@routes.add(
    "POST",
    "/api/v1/contracts/settle",
    summary="Settle the months of contracts with volume tiers: cost their usage again by the tier that it reached",
    answer=SettleAnswer,
    permission=PERMISSION,
    body=BodyOf(SETTLE_SCHEMA, {"all": {}, "month": {"month": "2026-11", "dry_run": True}}),
    errors=(409,),
)
def settle(call: Call) -> SettleAnswer:
    """Answers when it is done; who does not wait for the answer asks again."""
    fields = Fields(call.body, tuple(SETTLE_SCHEMA["properties"]), what="a settlement")
    organization_id = fields.parsed("organization_id", check_organization_id)
    month = fields.parsed("month", parse_month)
    dry_run = fields.truth("dry_run")
    fields.done()
    found = settle_contracts(call.ctx, organization_id, month=month, dry_run=dry_run)
    return SettleAnswer(SettleView(dry_run, [settled_view(one) for one in found]))
