"""Codex's logs: one record per response, never a cumulative total, never a history twice."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.formats.reading import Told
from tests.domain.formats.converted import converted, fields, skipped


def usage(sent: int, cached: int = 0, output: int = 0) -> dict[str, int]:
    return {
        "input_tokens": sent,
        "cached_input_tokens": cached,
        "output_tokens": output,
        "reasoning_output_tokens": 0,
        "total_tokens": sent + output,
    }


def meta(session: str = "s-1", second: float = 0, **more: Any) -> dict[str, Any]:
    return {"timestamp": at(second), "type": "session_meta", "payload": {"id": session, "cwd": "/srv/shop", **more}}


def at(second: float) -> str:
    whole, thousandths = divmod(round(second * 1000), 1000)
    return f"2026-03-02T{9 + whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}Z"


def context(model: str = "gpt-5.1-codex") -> dict[str, Any]:
    return {"timestamp": at(0), "type": "turn_context", "payload": {"model": model}}


def event(second: float, total: Any = None, last: Any = None) -> dict[str, Any]:
    info = {"total_token_usage": total, "last_token_usage": last}
    info = {name: value for name, value in info.items() if value is not None}
    return {"timestamp": at(second), "type": "event_msg", "payload": {"type": "token_count", "info": info or None}}


def record(second: float, response: str, counts: dict[str, int]) -> dict[str, Any]:
    payload = {"response_id": response, "usage": counts, "thread_token_usage": counts}
    return {"timestamp": at(second), "type": "token_usage_record", "payload": payload}


def inputs(*lines: Any, told: Told | None = None) -> list[int]:
    return [found["usage"]["input_tokens"] for found in fields("codex", *lines, told=told)]


CALLS = st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**6), st.booleans()), min_size=1, max_size=8)


@given(CALLS, st.sampled_from(["both", "total", "last"]))
def test_calls_add_up_however_they_are_told(calls: list[tuple[int, int, bool]], told: str) -> None:
    lines: list[Any] = [meta(), context()]
    sent = output = 0
    for number, (more, out, repeated) in enumerate(calls):
        sent, output = sent + more, output + out
        total = None if told == "last" else usage(sent, 0, output)
        last = None if told == "total" else usage(more, 0, out)
        lines += [event(5 + 10 * number, total, last)]
        if repeated and total is not None:
            lines += [event(6 + 10 * number, total, last)]
    found = fields("codex", *lines)
    assert [f["usage"]["input_tokens"] for f in found] == [more for more, _, _ in calls]
    assert sum(f["usage"]["output_tokens"] for f in found) == output


def test_a_total_that_fell_begins_anew() -> None:
    assert inputs(meta(), context(), event(5, usage(900)), event(9, usage(100)), event(15, usage(150))) == [
        900,
        100,
        50,
    ]


def test_events_without_counts_are_nothing() -> None:
    assert converted("codex", [meta(), context(), event(1), {"type": "response_item", "payload": {}}, {}]) == []
    assert skipped("codex", meta(), context(), event(5, usage(0), usage(0))) == ["without usage"]


def test_the_model_is_that_of_the_turn() -> None:
    lines = [meta(), context("gpt-5"), event(5, usage(10)), context("gpt-5-mini"), event(9, usage(30))]
    assert [f["model_id"] for f in fields("codex", *lines)] == ["gpt-5", "gpt-5-mini"]


def test_the_tier_is_that_of_the_settings_or_of_the_line_itself() -> None:
    def settings(tier: str | None) -> dict[str, Any]:
        payload = {
            "type": "thread_settings_applied",
            "thread_settings": {"model": "gpt-5.1-codex", "service_tier": tier},
        }
        return {"timestamp": at(1), "type": "event_msg", "payload": payload}

    stated = record(50, "resp_0000000001", usage(5))
    stated["payload"]["service_tier"] = "priority"
    lines = [
        *(meta(), settings("fast"), event(5, usage(10)), settings(None), event(9, usage(30))),
        *(settings("default"), event(15, usage(35)), stated),
    ]
    tiers = [found.get("service_tier") for found in fields("codex", *lines)]
    assert tiers == ["fast", None, "default", "priority"]


def test_a_total_that_states_only_its_sum_tells_repetitions() -> None:
    def only(total: int) -> dict[str, int]:
        return {"total_tokens": total}

    lines = [event(5, only(10), usage(10)), event(6, only(10), usage(10)), event(9, only(30), usage(20))]
    assert inputs(meta(), context(), *lines) == [10, 20]


def test_a_call_whose_model_nobody_names_is_refused_not_guessed() -> None:
    (found,) = converted("codex", [meta(), event(5, usage(10))])
    assert [p.message for p in found.problems] == ["the model is not named: name it with --model"]


def test_a_model_named_by_the_user_is_for_calls_that_name_none() -> None:
    lines = [meta(), event(5, usage(10)), context(), event(9, usage(30))]
    assert [f["model_id"] for f in fields("codex", *lines, told=Told(model="gpt-5"))] == ["gpt-5", "gpt-5.1-codex"]


def test_the_history_of_a_fork_counts_where_it_happened() -> None:
    parent = [meta("s-1"), context(), event(5, usage(100), usage(100)), event(20, usage(300), usage(200))]
    fork = [
        meta("s-2", 60, forked_from_id="s-1"),
        meta("s-1", 60.01),
        context(),
        event(60.4, usage(100), usage(100)),
        event(61.1, usage(300), usage(200)),
        event(75, usage(350), usage(50)),
    ]
    told = Told()
    assert inputs(*parent, told=told) == [100, 200]
    assert inputs(*fork, told=told) == [50]


def test_a_subagent_is_a_fork_too_and_an_ordinary_session_is_none() -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "s-1", "depth": 1}}}
    quick = event(0.5, usage(100), usage(100))
    assert inputs(meta(source=spawned), context(), quick) == []
    assert inputs(meta(source="cli"), context(), quick) == [100]


def test_history_that_kept_its_own_times_is_known_too() -> None:
    lines = [meta("s-2", 600, forked_from_id="s-1"), context(), event(5, usage(100)), event(20, usage(300))]
    assert inputs(*lines, event(640, usage(350))) == [50]


def test_usage_records_count_instead_of_the_events_beside_them() -> None:
    lines = [
        *(meta(), context(), record(5, "resp_0000000001", usage(100)), event(5.1, usage(100), usage(100))),
        # A compaction is a response of its own, and in no total.
        *(record(9, "resp_0000000002", usage(70)), event(9.1, usage(100), usage(0))),
        *(record(15, "resp_0000000003", usage(20)), event(15.1, usage(120), usage(20))),
    ]
    found = fields("codex", *lines)
    assert [(f["usage"]["input_tokens"], f["response_id"]) for f in found] == [
        (100, "resp_0000000001"),
        (70, "resp_0000000002"),
        (20, "resp_0000000003"),
    ]


def test_a_session_that_went_on_in_a_newer_version_counts_both_ways_once() -> None:
    older = [meta(), context(), event(5, usage(100), usage(100))]
    newer = [record(60, "resp_0000000001", usage(50)), event(60.1, usage(150), usage(50))]
    assert inputs(*older, *newer) == [100, 50]


def test_the_same_response_in_a_copy_counts_once() -> None:
    told = Told()
    lines = [meta(), context(), event(5, usage(100)), record(9, "resp_0000000001", usage(10))]
    assert inputs(*lines, told=told) == [100, 10]
    assert skipped("codex", *lines, told=told) == ["told before", "told before"]


def test_counts_have_the_form_of_the_api_that_codex_has_them_from() -> None:
    (found,) = fields("codex", meta(model_provider="azure"), context(), event(5, usage(100, 60, 7)))
    assert found["provider"] == "azure"
    assert found["usage"] == {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0},
    }


def test_an_unreadable_record_is_told() -> None:
    (found,) = converted("codex", [meta(), context(), {"type": "token_usage_record", "payload": {"usage": None}}][:3])
    assert [p.message for p in found.problems] == ["payload.usage is required"]
