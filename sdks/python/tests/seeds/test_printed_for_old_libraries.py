"""The Python of both pages that is for LangChain before 0.1, openai before 1.0, Flask and FastAPI does what the page says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seeds.conftest import reader
from seeds.legacy import run_program
from seeds.printed import for_here, snippet

from ledgers import Ledger


def ran(python: Path, program: Path, *options: str, **environment: str) -> str:
    """What a program prints; it has to end well."""
    ended = run_program(python, [*options, str(program)], **environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def written(folder: Path, *parts: str) -> Path:
    """A program of what stands before a snippet, the snippet, and what stands after it."""
    program = folder / "program.py"
    program.write_text("\n".join(parts), encoding="utf-8")
    return program


def test_the_langchain_handler_tracks_as_the_faq_prints_it(
    org_123: Ledger, old_python: Path, old_openai: dict[str, str], tmp_path: Path
) -> None:
    program = written(tmp_path, for_here(snippet("faq", "LangChain"), org_123))
    ran(old_python, program, "-m", "llm_cost_ops", **old_openai, **reader(org_123))
    tracked_once(org_123)


def test_it_tracks_once_where_the_environment_has_the_key_too(
    org_123: Ledger, old_python: Path, old_openai: dict[str, str], tmp_path: Path
) -> None:
    program = written(tmp_path, for_here(snippet("faq", "LangChain"), org_123))
    environment = {**old_openai, **reader(org_123), "COST_OPS_API_KEY": org_123.key}
    ran(old_python, program, "-m", "llm_cost_ops", **environment)
    tracked_once(org_123)


def test_it_works_without_the_runner_after_an_import(
    org_123: Ledger, old_python: Path, old_openai: dict[str, str], tmp_path: Path
) -> None:
    code = for_here(snippet("faq", "LangChain"), org_123)
    program = written(tmp_path, "import llm_cost_ops.integrations.langchain", code)
    ran(old_python, program, **old_openai, **reader(org_123))
    tracked_once(org_123)


def tracked_once(ledger: Ledger) -> None:
    [record] = ledger.records()
    assert (record["provider"], record["model_id"]) == ("openai", "gpt-3.5-turbo-instruct")
    assert (record["input_tokens"], record["output_tokens"]) == (4, 9)


OPENAI = "import openai\n"


def test_usage_of_the_old_client_is_the_usage_of_the_response(
    org_123: Ledger, old_python: Path, old_openai: dict[str, str], tmp_path: Path
) -> None:
    code = snippet("troubleshooting", "2. Verify Token Calculation")
    program = written(tmp_path, OPENAI, code, "import json; print(json.dumps(usage))")
    environment = {**old_openai, **reader(org_123), "COST_OPS_API_KEY": org_123.key}
    printed = ran(old_python, program, "-m", "llm_cost_ops", **environment)
    assert json.loads(printed) == {"input_tokens": 4, "output_tokens": 9, "total_tokens": 13}
    [record] = org_123.records()
    assert (record["model_id"], record["input_tokens"], record["output_tokens"]) == ("gpt-4", 4, 9)


EVERY_WAY = """
import asyncio, openai
openai.Completion.create(model="gpt-3.5-turbo-instruct", prompt="Hello")
asyncio.run(openai.ChatCompletion.acreate(model="gpt-4", messages=[]))
openai.ChatCompletion.create(engine="ours", api_type="azure", api_version="2023-05-15", messages=[])
"""


def test_the_old_client_is_tracked_in_every_way_that_it_is_called(
    org_123: Ledger, old_python: Path, old_openai: dict[str, str], tmp_path: Path
) -> None:
    environment = {**old_openai, **reader(org_123), "COST_OPS_API_KEY": org_123.key}
    ran(old_python, written(tmp_path, EVERY_WAY), "-m", "llm_cost_ops", **environment)
    found = sorted((record["provider"], record["model_id"], record["total_tokens"]) for record in org_123.records())
    assert found == [("azure", "gpt-4", 13), ("openai", "gpt-3.5-turbo-instruct", 13), ("openai", "gpt-4", 13)]


AROUND_FASTAPI = """
import logging, openai
from fastapi import FastAPI
from llm_cost_ops import CostOpsClient
app, client, logger = FastAPI(), CostOpsClient(), logging.getLogger("app")
"""
ASKED_OF_FASTAPI = """
from fastapi.testclient import TestClient
with TestClient(app) as browser:
    answer = browser.post("/api/chat", params={"message": "Hello"})
print(answer.status_code)
client.close()
"""


def test_a_fastapi_background_task_records_after_the_answer(
    org_123: Ledger, old_python: Path, old_openai: dict[str, str], tmp_path: Path
) -> None:
    create = 'model="gpt-4", messages=[{"role": "user", "content": message}]'
    usage: dict[str, Any] = {"organization_id": "org-123", "provider": "openai", "model_id": "gpt-4"}
    usage.update(input_tokens=4, output_tokens=9)
    code = for_here(snippet("troubleshooting", "Use Background Tasks"), org_123, call=create, usage_data=repr(usage))
    program = written(tmp_path, AROUND_FASTAPI, code, ASKED_OF_FASTAPI)
    environment = {**old_openai, **reader(org_123), "COST_OPS_API_KEY": org_123.key}
    assert ran(old_python, program, **environment) == "200\n"
    [record] = org_123.records()
    assert (record["model_id"], record["input_tokens"], record["output_tokens"]) == ("gpt-4", 4, 9)


AROUND_FLASK = """
from flask import Flask, request
app, alerts = Flask("program"), []
send_alert = alerts.append
"""
ASKED_OF_FLASK = """
import json
told = {"event": "budget.threshold_exceeded", "data": {"budget_id": "budget-123", "threshold": 0.75, "current_spend": 3750.0}}
answers = [app.test_client().post("/webhooks/llm-cost-ops", json=body).status_code for body in (told, {"event": "other"})]
print(json.dumps({"alerts": alerts, "answers": answers}))
"""


def test_a_webhook_in_flask_alerts_and_answers_as_our_page_says(old_python: Path, tmp_path: Path) -> None:
    program = written(tmp_path, AROUND_FLASK, snippet("faq", "3. Webhook Integration"), ASKED_OF_FLASK)
    printed = json.loads(ran(old_python, program))
    assert printed["alerts"] == [{"budget_id": "budget-123", "threshold": 0.75, "current_spend": 3750.0}]
    assert printed["answers"] == [500, 500]  # it returns nothing, and Flask wants an answer: our FAQ adds the line
