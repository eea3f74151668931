"""The Python of the FAQ and the troubleshooting guide that needs our SDK alone does what the page says."""

from __future__ import annotations

import ast
import asyncio
import inspect
import warnings
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from seeds.printed import for_here, printed, run, snippet

from ledgers import Ledger
from llm_cost_ops import CostOpsClient
from llm_cost_ops.exceptions import ApiError, InvalidRequestError, RateLimitError

USAGE = {
    "organization_id": "org-123",
    "provider": "openai",
    "model_id": "gpt-4",
    "input_tokens": 1000,
    "output_tokens": 500,
    "total_tokens": 1500,
}
AS_ARGUMENTS = ", ".join(f"{name}={value!r}" for name, value in USAGE.items())


@pytest.fixture
def client(org_123: Ledger) -> Iterator[CostOpsClient]:
    with org_123.client() as client:
        yield client


def test_every_block_of_both_pages_is_run_by_a_test() -> None:
    assert {page: len(printed(page)) for page in ("faq", "troubleshooting")} == {"faq": 5, "troubleshooting": 16}


class TestFaq:
    def test_the_api_integration_records_usage(self, org_123: Ledger) -> None:
        names = run(for_here(snippet("faq", "1. API Integration"), org_123))
        assert names["response"].status_code == 201
        [record] = org_123.records()
        assert (record["input_tokens"], record["output_tokens"], record["total_tokens"]) == (1500, 800, 2300)

    def test_the_sdk_integration_records_usage(self, org_123: Ledger) -> None:
        run(for_here(snippet("faq", "2. SDK Integration"), org_123))["client"].close()
        [record] = org_123.records()
        assert (record["model_id"], record["input_tokens"], record["output_tokens"]) == ("gpt-4", 1500, 800)

    def test_a_stream_is_tracked_by_its_chunks_and_said_to_be_an_estimate(
        self, org_123: Ledger, client: CostOpsClient, providers: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{providers}/openai-chat/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        names = run(for_here(snippet("faq", "Track streaming responses"), org_123), cost_ops=client)
        names["client"].close()
        [record] = org_123.records()
        assert (record["output_tokens"], record["status"]) == (names["total_tokens"], "estimated")


class TestTroubleshooting:
    def test_submit_with_retry_waits_longer_each_time(self, org_123: Ledger) -> None:
        names = run(for_here(snippet("troubleshooting", "1. Implement Exponential Backoff"), org_123))
        assert names["submit_with_retry"](USAGE).usage_id
        names["client"].close()

        def refused(**_: Any) -> Any:
            raise RateLimitError("Too many requests", "RATE_LIMIT_EXCEEDED", 429, "req-1", retry_after=60)

        waits: list[int] = []
        names["client"] = SimpleNamespace(usage=SimpleNamespace(submit=refused))
        names["time"] = SimpleNamespace(sleep=waits.append)
        with pytest.raises(RateLimitError):
            names["submit_with_retry"](USAGE)
        assert waits == [1, 2]

    def test_the_total_of_a_record_is_the_sum_of_its_tokens(self, client: CostOpsClient) -> None:
        client.usage.submit(**USAGE)
        [usage] = client.usage.get_history().data
        run(snippet("troubleshooting", "2. Verify Token Counts"), usage=usage)
        wrong = SimpleNamespace(total_tokens=1, input_tokens=1, output_tokens=1)
        with pytest.raises(AssertionError):
            run(snippet("troubleshooting", "2. Verify Token Counts"), usage=wrong)

    def test_a_submission_says_its_id_or_why_it_failed(
        self, client: CostOpsClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code = snippet("troubleshooting", "1. Check if Submission Succeeded")
        names = run(code, client=client, usage_data=USAGE)
        run(code, client=client, usage_data={**USAGE, "input_tokens": -100})
        said = capsys.readouterr().out.splitlines()
        assert said[0] == f"Submitted: {names['result'].usage_id}"
        assert said[1].startswith("Failed: ")
        assert "input_tokens" in said[1]

    def test_costs_are_those_of_the_organisation_that_was_submitted_for(
        self, org_123: Ledger, client: CostOpsClient
    ) -> None:
        client.usage.submit(**USAGE)
        dates = {"start_date": '"2020-01-01T00:00:00Z"', "end_date": '"2100-01-01T00:00:00Z"'}
        code = for_here(snippet("troubleshooting", "2. Verify Organization ID"), org_123, **dates)
        assert run(code, client=client)["costs"].total_cost == Decimal("0.06")

    def test_error_handling_prints_what_was_submitted(
        self, org_123: Ledger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        names = run(for_here(snippet("troubleshooting", "1. Add Error Handling"), org_123))
        names["client"].close()
        assert capsys.readouterr().out == f"✅ Submitted: {names['result'].usage_id}\n"
        assert len(org_123.records()) == 1

    def test_error_handling_prints_why_it_failed(self, org_123: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        code = for_here(snippet("troubleshooting", "1. Add Error Handling"), org_123)
        run(code.replace(org_123.key, "sk_live_nobody_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))["client"].close()
        assert capsys.readouterr().out == "❌ Failed: Invalid or missing API key\n"

    def test_the_correct_model_name_has_a_price_and_the_incorrect_one_has_none(self, client: CostOpsClient) -> None:
        code = snippet("troubleshooting", "2. Check Model Name")
        wrong, right = (run(part)["model_id"] for part in code.split("\n\n"))
        assert client.usage.submit(**{**USAGE, "model_id": right}).status == "computed"
        assert client.usage.submit(**{**USAGE, "model_id": wrong}).status == "unpriced"

    def test_default_pricing_estimates_what_has_no_price(self, org_123: Ledger) -> None:
        code = for_here(snippet("troubleshooting", "3. Use Default Pricing"), org_123)
        with run(code, CostOpsClient=CostOpsClient)["client"] as client:
            submitted = client.usage.submit(**{**USAGE, "model_id": "ours-and-unknown"})
        assert (submitted.status, submitted.cost.total_cost) == ("estimated", Decimal("0.025"))

    def test_a_page_of_ten_thousand_is_refused_and_pages_of_a_hundred_have_everything(
        self, client: CostOpsClient
    ) -> None:
        client.usage.submit_batch([{**USAGE, "idempotency_key": f"n-{n}"} for n in range(230)])
        wrong, right = snippet("troubleshooting", "1. Use Pagination").split("\n\n")
        with pytest.raises(InvalidRequestError, match="100"):
            run(wrong, client=client)
        pages: list[int] = []
        names = run(right, client=client, process=lambda data: pages.append(len(data)))
        assert (pages, names["page"]) == ([100, 100, 30], 3)

    def test_both_date_ranges_are_answered(self, client: CostOpsClient) -> None:
        client.usage.submit(**USAGE, timestamp="2025-06-01T12:00:00Z")
        year, month = snippet("troubleshooting", "2. Reduce Date Range").split("\n\n")
        asked = [run(code, client=client)["costs"].requests for code in (year, month)]
        assert asked == [1, 0]

    def test_costs_of_a_day_are_asked_for_once(self, client: CostOpsClient) -> None:
        client.usage.submit(**USAGE, timestamp="2025-06-01T12:00:00Z")
        costs_of = run(snippet("troubleshooting", "3. Use Caching"), client=client)["get_daily_costs"]
        assert costs_of("2025-06-01").total_cost == Decimal("0.06")
        assert costs_of("2025-06-01") is costs_of("2025-06-01")

    def test_a_hundred_thousand_at_once_are_refused_and_the_stream_has_everything(
        self, org_123: Ledger, client: CostOpsClient
    ) -> None:
        client.usage.submit_batch([{**USAGE, "idempotency_key": f"n-{n}"} for n in range(230)])
        wrong, right = snippet("troubleshooting", "1. Stream Large Exports").split("\n\n")
        with pytest.raises(InvalidRequestError, match="100"):
            run(wrong, client=client)
        dates = {"start_date": '"2020-01-01T00:00:00Z"', "end_date": '"2100-01-01T00:00:00Z"'}
        seen: list[str] = []
        code = for_here(right, org_123, **dates)
        run(code, client=client, process=lambda batch: seen.extend(record.usage_id for record in batch))
        assert (len(seen), len(set(seen))) == (230, 230)

    def test_a_celery_task_asks_for_a_month(self, client: CostOpsClient) -> None:
        client.usage.submit(**USAGE, timestamp="2025-01-31T12:00:00Z")
        asked: list[Any] = []
        watched = SimpleNamespace(costs=SimpleNamespace(get=lambda **about: asked.append(client.costs.get(**about))))
        celery = Celery("printed", broker="memory://", set_as_current=False)
        celery.conf.task_always_eager = True
        celery.conf.task_eager_propagates = True
        code = snippet("troubleshooting", "2. Use Background Workers")
        task = run(code, celery=celery, client=watched)["export_monthly_costs"]
        task.delay("2025-01")
        assert asked[0].requests == 1
        with pytest.raises(ApiError, match="2025-02-31"):  # as printed it is for months of 31 days: the ledger says so
            task.delay("2025-02")

    def test_the_import_error_is_cured_by_the_command_below_it(self) -> None:
        message = snippet("troubleshooting", "Issue: Import Error")
        assert message == "ImportError: No module named 'llm_cost_ops'\n"
        assert inspect.getmodule(CostOpsClient).__name__ == "llm_cost_ops.client"  # type: ignore[union-attr]

    def test_without_await_nothing_is_submitted_and_with_it_it_is(self, org_123: Ledger, client: CostOpsClient) -> None:
        code = for_here(snippet("troubleshooting", "Issue: Async/Await Errors"), org_123, call=AS_ARGUMENTS)
        wrong, right = code.split("\n\n")
        names = run(wrong, client=client)
        assert inspect.iscoroutine(names["result"])
        with pytest.warns(RuntimeWarning, match="never awaited"):
            del names["result"]
        assert org_123.records() == []
        compiled = compile(right, "printed", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names = {"client": client}

        async def awaited() -> None:
            await eval(compiled, names)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            asyncio.run(awaited())
        [record] = org_123.records()
        assert record["usage_id"] == names["result"].usage_id
