"""The door: who a request is from, what holds now and from there, and what is said to whoever is turned away."""

import pytest

from cost_ops.api.arrival import Arrival, forwarded_for, proxies_of
from cost_ops.domain.policies import Effect, Policy, PolicyConditions, parse_network
from tests.api.running import ORGANIZATION, Server

PROXIES = proxies_of("10.0.0.0/8, 192.168.1.4, fd00::/8")


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([b"203.0.113.7"], "203.0.113.7"),
        ([b"198.51.100.1, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        ([b"198.51.100.1", b"203.0.113.7, 192.168.1.4"], "203.0.113.7"),
        ([b"2001:db8::1, fd00::2"], "2001:db8::1"),
        ([b"[2001:db8::1]"], "2001:db8::1"),
        ([b"10.1.2.3"], None),
        ([b"made up"], None),
        ([b"203.0.113.7, made up"], None),
        ([], None),
    ],
)
def test_only_what_our_proxies_added_is_believed(sent: list[bytes], found: str | None) -> None:
    assert forwarded_for([(b"x-forwarded-for", value) for value in sent], PROXIES) == found


def arrival(*headers: tuple[bytes, bytes], client: str = "203.0.113.9") -> Arrival:
    return Arrival({"headers": list(headers), "method": "GET", "path": "/", "client": (client, 1)}, PROXIES)


def test_a_stranger_cannot_say_where_it_comes_from() -> None:
    claimed = (b"x-forwarded-for", b"127.0.0.1")
    assert arrival(claimed).address == "203.0.113.9"
    assert arrival(claimed, client="10.0.0.1").address == "127.0.0.1"
    assert arrival(client="10.0.0.1").address == "10.0.0.1"


def test_a_credential_that_is_sent_twice_is_none() -> None:
    one, other = (b"authorization", b"Bearer sk_live_a"), (b"authorization", b"Bearer sk_live_b")
    assert not arrival(one, other).headers[b"authorization"].startswith(b"Bearer")
    assert arrival(one).headers[b"authorization"] == b"Bearer sk_live_a"


def save(server: Server, *policies: Policy) -> None:
    with server.application.storage.ledger(ORGANIZATION) as ledger:
        for policy in policies:
            ledger.people.save_policy(policy)


def policy(server: Server, effect: Effect, action: str, network: str, name: str = "rule") -> Policy:
    conditions = PolicyConditions(addresses=(parse_network(network),))
    now = server.application.clock()
    return Policy(f"pol_{name}", name, effect, frozenset({"*"}), frozenset({action}), conditions, now)


def test_a_policy_denies_from_where_it_says_and_is_named(server: Server) -> None:
    save(server, policy(server, Effect.DENY, "costs:read", "127.0.0.0/8", "office only"))
    server.keys["new"] = server.make_key(ORGANIZATION)
    refused = server.get("costs", key="new")
    assert refused.status == 403
    assert refused.error["message"] == "Insufficient permissions"
    assert refused.error["details"]["required_permission"] == "costs:read"
    assert "office only" in refused.error["details"]["reason"]
    assert server.get("usage/history", key="new").status == 200


def test_a_policy_allows_from_where_it_says(server: Server) -> None:
    save(server, policy(server, Effect.ALLOW, "costs:read", "127.0.0.0/8"))
    server.keys["new"] = server.make_key(ORGANIZATION, permissions=["usage:read"])
    assert server.get("costs", key="new").status == 200
    save(server, policy(server, Effect.ALLOW, "costs:read", "192.0.2.0/24"))
    server.keys["newer"] = server.make_key(ORGANIZATION, permissions=["usage:read"])
    refused = server.get("costs", key="newer")
    assert (refused.status, refused.error["details"]) == (403, {"required_permission": "costs:read"})


def test_every_wrong_credential_is_refused_alike(server: Server) -> None:
    made = server.keys["org"]
    wrong_secret = made[:-1] + ("a" if made[-1] != "a" else "b")
    for key in (wrong_secret, f"sk_live_zzzzzzzz_{'x' * 43}", "sk_live_", "a.b.c", "Bearer"):
        refused = server.get("costs", key=key)
        assert (refused.status, refused.error["message"]) == (401, "Invalid or missing API key")
        assert refused.headers["www-authenticate"] == "Bearer"


def test_every_answer_forbids_sniffing_storing_and_framing(server: Server) -> None:
    for answer in (
        server.get("costs"),
        server.get("costs", key=None),
        server.get("nothing-here"),
        server.post("usage", b"{"),
        server.get("/health", key=None),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
