"""What others ask takes nothing from what is left to oneself."""

from __future__ import annotations

from tests.api.running import ORGANIZATION, OTHER, Answer, Server


def left(answer: Answer) -> int:
    return int(answer.headers["x-ratelimit-remaining"])


def ask_in_turn(server: Server) -> tuple[int, int, int, int, bool]:
    """What is left to us and to them before and after they asked 40 times; whether all of it was in one hour."""
    ours, theirs = server.get("costs", key="ours"), server.get("costs", key="theirs")
    for _ in range(20):
        server.get("costs", key="theirs")
        server.get("costs", key=None)
        server.get(f"costs?organization_id={ORGANIZATION}", key="theirs")
    ours_after, theirs_after = server.get("costs", key="ours"), server.get("costs", key="theirs")
    one_hour = ours.headers["x-ratelimit-reset"] == theirs_after.headers["x-ratelimit-reset"]
    return left(ours), left(ours_after), left(theirs), left(theirs_after), one_hour


def test_requests_of_others_take_nothing_from_ours(server: Server) -> None:
    limits = {"requests_per_hour": 1_000, "burst": None, "concurrency": None}
    for name, organization in (("ours", ORGANIZATION), ("theirs", OTHER)):
        changed = server.ask("PATCH", f"organizations/{organization}", key="admin", json={"limits": limits})
        assert changed.status == 200, changed.text
        server.keys[name] = server.make_key(organization)
    *counts, one_hour = ask_in_turn(server)
    if not one_hour:
        *counts, one_hour = ask_in_turn(server)
    ours, ours_after, theirs, theirs_after = counts
    assert (ours - ours_after, theirs - theirs_after) == (1, 41)
