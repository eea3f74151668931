"""An application with many customers: each has a budget, and sees what it spent and on whom.

    pip install ./sdks/python fastapi uvicorn openai
    uvicorn multi_tenant:app --port 9300
    curl http://127.0.0.1:9300/ask -H "Authorization: Bearer token-of-acme" -H "X-User: ana" --json '{"question": "Hi"}'
    curl http://127.0.0.1:9300/costs -H "Authorization: Bearer token-of-acme"

Reads COST_OPS_API_URL, COST_OPS_API_KEY, OPENAI_API_KEY, OPENAI_BASE_URL, and TENANTS: tokens and the customers they
belong to, as token=customer pairs. Each customer is a project in the ledger.
"""

import os
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from openai import OpenAI
from pydantic import BaseModel
from starlette.requests import HTTPConnection

import llm_cost_ops
from llm_cost_ops.integrations.fastapi import CostOpsMiddleware

TENANTS = dict(pair.split("=") for pair in os.environ.get("TENANTS", "token-of-acme=acme token-of-bolt=bolt").split())
MODEL = "gpt-5"

costs = llm_cost_ops.default_client()
llm_cost_ops.instrument(costs, only=["openai"])
openai = OpenAI()
app = FastAPI()


def tenant_of(token: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    """Who asks, or a 401."""
    tenant = TENANTS.get(token.credentials)
    if tenant is None:
        raise HTTPException(401, "unknown token")
    return tenant


def project_of(request: HTTPConnection) -> str | None:
    """The same for the ledger, which is asked when a call was made: by then the token is known to be good."""
    return TENANTS.get(request.headers.get("authorization", "").removeprefix("Bearer "))


# Every call of a model that is made for a request belongs to its tenant, its user and its route.
app.add_middleware(CostOpsMiddleware, project=project_of, user=lambda request: request.headers.get("x-user"))


class Question(BaseModel):
    question: str


@app.post("/ask")
def ask(asked: Question, tenant: Annotated[str, Depends(tenant_of)]) -> dict[str, str | None]:
    """An answer, if the customer's budget has room for one."""
    room = costs.budgets.check(
        project_id=tenant, provider="openai", model_id=MODEL, input_tokens=len(asked.question), output_tokens=2000
    )
    if not room.allowed:
        raise HTTPException(402, "your budget for this month is spent")
    messages = [{"role": "user", "content": asked.question}]
    answer = openai.chat.completions.create(model=MODEL, messages=messages, max_completion_tokens=2000)
    return {"answer": answer.choices[0].message.content}


@app.get("/costs")
def spent(tenant: Annotated[str, Depends(tenant_of)]) -> dict[str, object]:
    """What this customer spent in this month, by its users. Nobody sees another's."""
    report = costs.costs.get(range="this-month", project_id=tenant, group_by="user")
    users = {row.user or "unknown": str(row.cost) for row in report.breakdown}
    return {"customer": tenant, "total": str(report.total_cost), "currency": report.currency, "users": users}


@app.post("/customers/{tenant}/budget")
def give_budget(tenant: str, amount: str, token: str) -> dict[str, str]:
    """For whoever runs the application: a hard budget for a customer."""
    if token != os.environ.get("ADMIN_TOKEN"):
        raise HTTPException(403, "not an administrator")
    budget = costs.budgets.create(name=tenant, amount=amount, scope={"project": [tenant]}, enforcement="hard")
    return {"budget_id": budget.budget_id}
