"""Claude Code's logs: one answer on several lines, in several files, counts once and with its last usage."""

from typing import Any

import pytest

from cost_ops.domain.formats.claude_code import MAX_OPEN
from cost_ops.domain.formats.reading import Told
from tests.domain.formats.converted import converted, fields, skipped


def line(
    answer: str | None = "msg_01AAAAAAAAAAAAAA",
    output: int = 100,
    *,
    stop: Any = "end_turn",
    request: str = "req_1",
    **more: Any,
) -> dict[str, Any]:
    message = {
        "id": answer,
        "model": "claude-sonnet-4-5",
        "stop_reason": stop,
        "usage": {"input_tokens": 5, "output_tokens": output},
    }
    return {
        "sessionId": "s-1",
        "uuid": f"u-{output}",
        "requestId": request,
        "timestamp": f"2026-03-02T09:15:{output % 60:02d}Z",
        "type": "assistant",
        "message": {key: value for key, value in message.items() if not (key == "stop_reason" and value == "left out")},
        **more,
    }


def outputs(*lines: Any, told: Told | None = None) -> list[int]:
    return [found["usage"]["output_tokens"] for found in fields("claude-code", *lines, told=told)]


def test_the_last_usage_of_an_answer_counts_at_the_time_of_its_first_line() -> None:
    (found,) = fields("claude-code", line(output=1, stop=None), line(output=50, stop=None), line(output=130))
    assert (found["usage"]["output_tokens"], found["timestamp"]) == (130, "2026-03-02T09:15:01Z")
    assert "estimated" not in found


def test_a_line_of_the_unfinished_answer_never_replaces_the_finished_one() -> None:
    assert outputs(line(output=130), line(output=1, stop=None)) == [130]


def test_an_answer_that_never_ended_is_marked() -> None:
    (found,) = fields("claude-code", line(output=1, stop=None))
    assert found["estimated"] is True


def test_versions_that_do_not_tell_the_end_are_believed() -> None:
    (found,) = fields("claude-code", line(stop="left out"))
    assert "estimated" not in found


def test_answers_are_told_apart_by_their_response_whatever_the_request() -> None:
    side = line(request="req_2", isSidechain=True)
    assert outputs(line(), side, line("msg_01BBBBBBBBBBBBBB", 7)) == [100, 7]


def test_side_conversations_count_and_are_tagged() -> None:
    (found,) = fields("claude-code", line(isSidechain=True))
    assert found["tags"] == {"agent": "claude-code", "sidechain": "true"}


def test_a_line_that_another_file_told_is_skipped() -> None:
    told = Told()
    assert outputs(line(), told=told) == [100]
    assert skipped("claude-code", line(), told=told) == ["told before"]


def test_answers_without_a_response_id_are_known_by_their_request_or_line() -> None:
    (found,) = fields("claude-code", line(None))
    assert (found["idempotency_key"], "response_id" in found) == ("claude-code:req_1", False)
    nameless = {key: value for key, value in line(None).items() if key not in ("requestId", "uuid")}
    assert outputs(nameless, nameless) == [100, 100]
    assert "idempotency_key" not in fields("claude-code", nameless)[0]


def test_a_response_id_too_short_to_be_unique_is_no_ledger_wide_identity() -> None:
    (found,) = fields("claude-code", line("msg_1"))
    assert found["idempotency_key"] == "claude-code:msg_1"


def test_the_programs_own_words_and_empty_usage_are_skipped() -> None:
    own = line()
    own["message"]["model"] = "<synthetic>"
    empty = line("msg_01EEEEEEEEEEEEEE", 0)
    empty["message"]["usage"]["input_tokens"] = 0
    assert skipped("claude-code", own, empty) == ["written by the program itself", "without usage"]


def test_other_lines_are_nothing_at_all() -> None:
    assert converted("claude-code", [{"type": "summary"}, {"type": "user", "message": {"content": "hi"}}, {}]) == []


def test_a_progress_line_repeats_an_answer_of_a_subagent() -> None:
    inner = {key: line()[key] for key in ("message", "requestId", "timestamp", "uuid")}
    progress = {"type": "progress", "sessionId": "s-1", "data": {"type": "agent_progress", "message": inner}}
    assert outputs(progress, line()) == [100]


@pytest.mark.parametrize(
    ("answer", "model", "provider"),
    [
        ("msg_01AAAAAAAAAAAAAA", "claude-sonnet-4-5", "anthropic"),
        ("msg_bdrk_01AAAA", "claude-sonnet-4-5", "aws"),
        ("msg_vrtx_01AAAA", "claude-sonnet-4-5", "google"),
        ("gen-1234567890", "glm-4.6", "zai"),
    ],
)
def test_the_host_is_told_by_the_response_or_the_model(answer: str, model: str, provider: str) -> None:
    sent = line(answer)
    sent["message"]["model"] = model
    assert fields("claude-code", sent)[0]["provider"] == provider


def test_the_folder_is_the_project_and_the_programs_own_cost_is_kept_as_such() -> None:
    (found,) = fields("claude-code", line(cwd="C:\\code\\shop", costUSD="0.5", version="1.0.3"))
    assert (found["project_id"], found["metadata"]) == ("shop", {"agent_version": "1.0.3", "claude_code_cost": "0.5"})
    assert "reported_cost" not in found


def test_what_is_remembered_of_a_file_is_bounded() -> None:
    lines = (line(f"msg_{n:08d}", n + 1) for n in range(MAX_OPEN + 10))
    assert outputs(*lines) == list(range(1, MAX_OPEN + 11))
