"""Logging in: sessions, tokens, cookies, and what ends them. On both databases."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from cost_ops.credentials.passwords import Argon2Parameters, Argon2Passwords
from cost_ops.credentials.tokens import JoseTokens
from cost_ops.domain.access import OWNER, Principal
from cost_ops.domain.csrf import csrf_token_for
from cost_ops.domain.errors import CostOpsError, InvalidInput, NotFound, RateLimited, Unauthorized
from cost_ops.domain.sessions import COOKIE_TIME, LONGEST, SESSION_TIME, SessionKind
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.login import LoginTools
from cost_ops.services import login, organizations, passwords, people, sessions, signing_keys
from cost_ops.services.login import LoggedIn, LoginWanted
from cost_ops.services.people import MemberChange
from tests.people import OTHER_PASSWORD, PASSWORD, cheap_tools, join
from tests.services.conftest import Desk

NOBODY = Principal(None, None, frozenset())


@pytest.fixture
def tools() -> LoginTools:
    return cheap_tools()


@pytest.fixture
def ana(desk: Desk, tools: LoginTools) -> str:
    """The address of an engineer of the desk's organisation."""
    email = f"ana@{desk.org}.example.com"
    join(desk.ctx, tools, desk.org, email, "engineer")
    return email


def stranger(desk: Desk, address: str | None = "192.0.2.7") -> Context:
    return replace(desk.context(NOBODY), address=address)


def enter(desk: Desk, tools: LoginTools, email: str, password: str = PASSWORD, **more: Any) -> LoggedIn:
    address = more.pop("address", "192.0.2.7")
    return login.log_in(stranger(desk, address), tools, LoginWanted(email, password, **more))


def identify(desk: Desk, tools: LoginTools, entered: LoggedIn) -> Principal:
    if entered.cookie:
        return login.identify_cookie(desk.ctx, tools, entered.cookie).principal
    return login.identify_token(desk.ctx, tools, entered.access_token).principal


def refresh_as(desk: Desk, tools: LoginTools, token: str, _number: int) -> LoggedIn:
    return login.refresh(stranger(desk), tools, token)


def actions(desk: Desk) -> list[str]:
    with desk.ctx.storage.ledger(desk.org) as ledger:
        return [event.action for event in ledger.audit.page(limit=100)[0]]


def test_a_token_stands_for_a_member_of_an_organisation(desk: Desk, tools: LoginTools, ana: str) -> None:
    entered = enter(desk, tools, ana)
    principal = identify(desk, tools, entered)
    assert (principal.organization_id, principal.role, principal.owner) == (desk.org, "engineer", False)
    assert principal.may("usage:write")
    assert not principal.may("admin:*")
    assert principal.session_id == entered.session.session_id
    assert "auth.logged_in" in actions(desk)


def test_a_cookie_stands_for_the_same(desk: Desk, tools: LoginTools, ana: str) -> None:
    entered = enter(desk, tools, ana, kind=SessionKind.COOKIE)
    assert identify(desk, tools, entered).role == "engineer"
    session_id, _, secret = entered.cookie.partition(".")
    assert entered.csrf_token == csrf_token_for(secret)
    assert not entered.access_token
    for bent in (
        "",
        ".",
        session_id,
        f"{session_id}.",
        f".{secret}",
        f"{session_id}.{secret}x",
        f"{session_id}.{secret[:-1]}",
        "é.é",
    ):
        with pytest.raises(Unauthorized):
            login.identify_cookie(desk.ctx, tools, bent)


def test_a_cookie_is_no_token_and_a_session_of_tokens_no_cookie(desk: Desk, tools: LoginTools, ana: str) -> None:
    by_token = enter(desk, tools, ana)
    with pytest.raises(Unauthorized):
        login.identify_cookie(desk.ctx, tools, f"{by_token.session.session_id}.{'x' * 43}")
    with pytest.raises(Unauthorized):
        login.identify_cookie(desk.ctx, tools, by_token.access_token)
    by_cookie = enter(desk, tools, ana, kind=SessionKind.COOKIE)
    with pytest.raises(Unauthorized):
        login.identify_token(desk.ctx, tools, by_cookie.cookie)


def test_a_session_is_never_one_that_the_client_named(desk: Desk, tools: LoginTools, ana: str) -> None:
    first, second = (enter(desk, tools, ana, kind=SessionKind.COOKIE) for _ in range(2))
    assert first.session.session_id != second.session.session_id
    assert first.cookie.partition(".")[2] != second.cookie.partition(".")[2]


class Counting:
    """Counts the hashes that are computed."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.calls: list[tuple[str, str | None]] = []

    def hash(self, password: str) -> str:
        return str(self.inner.hash(password))

    def verify(self, password: str, stored: str | None) -> bool:
        self.calls.append((password, stored))
        return bool(self.inner.verify(password, stored))

    def is_outdated(self, stored: str) -> bool:
        return bool(self.inner.is_outdated(stored))


def test_an_unknown_user_costs_what_a_wrong_password_costs(desk: Desk, tools: LoginTools, ana: str) -> None:
    counting = Counting(tools.passwords)
    watched = replace(tools, passwords=counting)
    messages = set()
    for email in (ana, f"nobody@{desk.org}.example.com"):
        with pytest.raises(Unauthorized) as refused:
            enter(desk, watched, email, "not the password of anybody")
        messages.add((refused.value.message, refused.value.code, str(refused.value.details)))
    assert len(messages) == 1
    known, unknown = counting.calls
    assert known[1] is not None
    assert unknown[1] is None


def test_an_unknown_users_hash_has_the_parameters_of_a_known_ones() -> None:
    hasher = Argon2Passwords(Argon2Parameters(2, 64, 2))
    assert hasher.hash("some password").split("$")[:4] == hasher._nobody.split("$")[:4]
    assert len(hasher.hash("some password")) == len(hasher._nobody)
    assert not hasher.verify("some password", None)


def test_after_ten_failures_the_right_password_is_not_taken_either(desk: Desk, tools: LoginTools, ana: str) -> None:
    for place in range(10):
        with pytest.raises(Unauthorized):
            enter(desk, tools, ana, "wrong again, sorry", address=f"192.0.2.{place}")
    with pytest.raises(RateLimited) as refused:
        enter(desk, tools, ana)
    assert 0 < refused.value.retry_after <= 900
    desk.now += timedelta(seconds=refused.value.retry_after)
    assert enter(desk, tools, ana).access_token


def test_unknown_addresses_are_counted_alike(desk: Desk, tools: LoginTools) -> None:
    for place in range(10):
        with pytest.raises(Unauthorized):
            enter(desk, tools, "nobody@example.org", "wrong again, sorry", address=f"198.51.100.{place}")
    with pytest.raises(RateLimited):
        enter(desk, tools, "nobody@example.org", address="198.51.100.99")
    desk.now += timedelta(hours=1)


def test_an_address_that_guesses_many_accounts_is_stopped(desk: Desk, tools: LoginTools, ana: str) -> None:
    for number in range(50):
        with pytest.raises(Unauthorized):
            enter(
                desk,
                tools,
                f"user{number}@{desk.org}.example.net",
                "wrong again, sorry",
                address=f"2001:db8::{number:x}",
            )
    with pytest.raises(RateLimited):
        enter(desk, tools, ana, address="2001:db8::ffff:1:2:3")
    assert enter(desk, tools, ana, address="2001:db8:1::1").access_token


def test_a_success_forgets_the_failures_of_the_account(desk: Desk, tools: LoginTools, ana: str) -> None:
    for _ in range(3):
        for _ in range(9):
            with pytest.raises(Unauthorized):
                enter(desk, tools, ana, "wrong again, sorry", address=None)
        assert enter(desk, tools, ana, address="203.0.113.1").access_token


def test_of_many_guesses_at_once_no_more_are_heard_than_may(desk: Desk, tools: LoginTools, ana: str) -> None:
    counting = Counting(Argon2Passwords(Argon2Parameters(1, 8, 1)))
    counting.inner._turn = threading.BoundedSemaphore(32)
    watched = replace(tools, passwords=counting)
    found = in_threads(24, lambda n: enter(desk, watched, ana, f"guess number {n} of many", address=f"203.0.113.{n}"))
    kinds = [type(one).__name__ for one in found]
    assert len(counting.calls) + kinds.count("Unavailable") == 10
    assert kinds.count("RateLimited") == 14


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    found: list[Any] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            found[number] = work(number)
        except CostOpsError as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_homoglyphs_and_oversized_passwords_are_refused_before_any_hashing(
    desk: Desk, tools: LoginTools, ana: str
) -> None:
    counting = Counting(tools.passwords)
    watched = replace(tools, passwords=counting)
    cases = [
        (ana.replace("a", "а"), PASSWORD),
        (ana, "x" * 1_000_000),
        (ana, "é" * 600),
        (f"{ana}\x00", PASSWORD),
        ("", PASSWORD),
    ]
    for email, password in cases:
        with pytest.raises(InvalidInput):
            enter(desk, watched, email, password)
    assert counting.calls == []


def test_the_address_may_be_typed_in_any_case(desk: Desk, tools: LoginTools, ana: str) -> None:
    assert enter(desk, tools, f"  {ana.upper()} ").access_token


def test_a_password_is_the_same_however_a_keyboard_composes_it(desk: Desk, tools: LoginTools, ana: str) -> None:
    link = passwords.reset_for(desk.ctx, tools, ana).link
    passwords.confirm(stranger(desk), tools, link.partition("#token=")[2], "caf\u00e9 au lait et croissant")
    assert enter(desk, tools, ana, "cafe\u0301 au lait et croissant").access_token


def test_several_organisations_are_listed_only_to_who_knows_the_password(
    desk: Desk, tools: LoginTools, ana: str
) -> None:
    other = f"{desk.org}-b"
    organizations.ensure(desk.ctx, other)
    join(desk.ctx, tools, other, ana, "viewer")
    with pytest.raises(InvalidInput) as refused:
        enter(desk, tools, ana)
    assert refused.value.details["organizations"] == [desk.org, other]
    with pytest.raises(Unauthorized):
        enter(desk, tools, ana, "not the password of anybody")
    assert identify(desk, tools, enter(desk, tools, ana, organization_id=other)).role == "viewer"
    for foreign in ("org-of-somebody-else", "no-such-organisation"):
        with pytest.raises(NotFound, match="for this user"):
            enter(desk, tools, ana, organization_id=foreign)


def test_an_outdated_hash_is_renewed_at_the_next_log_in(desk: Desk, tools: LoginTools, ana: str) -> None:
    stronger = replace(tools, passwords=Argon2Passwords(Argon2Parameters(2, 16, 1)))
    assert enter(desk, stronger, ana).access_token
    with desk.ctx.storage.installation() as installation:
        user = installation.credentials.user_by_email(ana)
    assert user is not None
    assert "m=16,t=2,p=1" in (user.password_hash or "")
    assert enter(desk, stronger, ana).access_token


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session(desk: Desk, tools: LoginTools, ana: str) -> None:
    entered = enter(desk, tools, ana)
    renewed = login.refresh(stranger(desk), tools, entered.refresh_token)
    assert identify(desk, tools, renewed).role == "engineer"
    with pytest.raises(Unauthorized):
        login.refresh(stranger(desk), tools, entered.refresh_token)
    assert "auth.refresh_reused" in actions(desk)
    for token in (renewed.access_token, entered.access_token):
        with pytest.raises(Unauthorized):
            login.identify_token(desk.ctx, tools, token)
    with pytest.raises(Unauthorized):
        login.refresh(stranger(desk), tools, renewed.refresh_token)


def test_of_two_that_present_a_refresh_token_at_once_exactly_one_wins(desk: Desk, tools: LoginTools, ana: str) -> None:
    for _ in range(3):
        entered = enter(desk, tools, ana)
        token = entered.refresh_token
        found = in_threads(4, partial(refresh_as, desk, tools, token))
        won = [one for one in found if isinstance(one, LoggedIn)]
        assert len(won) == 1
        assert sum(isinstance(one, Unauthorized) for one in found) == 3
        with pytest.raises(Unauthorized):
            identify(desk, tools, won[0])


def test_a_session_moves_on_with_use_but_not_for_ever(desk: Desk, tools: LoginTools, ana: str) -> None:
    entered = enter(desk, tools, ana)
    began = desk.now
    while desk.now + timedelta(days=25) < began + LONGEST:
        desk.now += timedelta(days=25)
        entered = login.refresh(stranger(desk), tools, entered.refresh_token)
        assert entered.session.expires_at <= began + LONGEST
    desk.now = began + LONGEST
    with pytest.raises(Unauthorized):
        login.refresh(stranger(desk), tools, entered.refresh_token)


def test_everything_is_over_when_its_time_is(desk: Desk, tools: LoginTools, ana: str) -> None:
    by_token, by_cookie = enter(desk, tools, ana), enter(desk, tools, ana, kind=SessionKind.COOKIE)
    began = desk.now
    desk.now = began + timedelta(minutes=15)
    with pytest.raises(Unauthorized):
        identify(desk, tools, by_token)
    assert identify(desk, tools, by_cookie).role == "engineer"
    desk.now = began + COOKIE_TIME
    with pytest.raises(Unauthorized):
        identify(desk, tools, by_cookie)
    desk.now = began + SESSION_TIME
    with pytest.raises(Unauthorized):
        login.refresh(stranger(desk), tools, by_token.refresh_token)


def test_logging_out_ends_this_session_only(desk: Desk, tools: LoginTools, ana: str) -> None:
    one, other = enter(desk, tools, ana), enter(desk, tools, ana, kind=SessionKind.COOKIE)
    mine = identify(desk, tools, one)
    listed = sessions.my_sessions(desk.context(mine))
    assert {s.session_id for s in listed} == {one.session.session_id, other.session.session_id}
    sessions.log_out(desk.context(mine))
    with pytest.raises(Unauthorized):
        identify(desk, tools, one)
    with pytest.raises(Unauthorized):
        login.refresh(stranger(desk), tools, one.refresh_token)
    assert identify(desk, tools, other).role == "engineer"
    sessions.end_session(desk.context(mine), other.session.session_id)
    with pytest.raises(Unauthorized):
        identify(desk, tools, other)


def test_nobody_ends_the_session_of_another(desk: Desk, tools: LoginTools, ana: str) -> None:
    ben = f"ben@{desk.org}.example.com"
    join(desk.ctx, tools, desk.org, ben, "admin")
    entered, admin = enter(desk, tools, ana), identify(desk, tools, enter(desk, tools, ben))
    for principal in (admin, OWNER):
        with pytest.raises(NotFound):
            sessions.end_session(desk.context(principal), entered.session.session_id)
    assert identify(desk, tools, entered).role == "engineer"


def _remove(desk: Desk, user_id: str, _tools: LoginTools) -> None:
    people.remove(desk.ctx, desk.org, user_id)


def _disable(desk: Desk, user_id: str, _tools: LoginTools) -> None:
    people.change(desk.ctx, desk.org, user_id, MemberChange(disabled=True))


def _reset(desk: Desk, user_id: str, tools: LoginTools) -> None:
    email = people.member(desk.ctx, desk.org, user_id).email
    link = passwords.reset_for(desk.ctx, tools, email).link
    passwords.confirm(stranger(desk), tools, link.partition("#token=")[2], OTHER_PASSWORD)


@pytest.mark.parametrize("end", [_remove, _disable, _reset])
def test_what_ends_a_person_ends_their_sessions(end: Any, desk: Desk, tools: LoginTools, ana: str) -> None:
    entered = [enter(desk, tools, ana), enter(desk, tools, ana, kind=SessionKind.COOKIE)]
    end(desk, entered[0].session.user_id, tools)
    for one in entered:
        with pytest.raises(Unauthorized):
            identify(desk, tools, one)
    with pytest.raises(Unauthorized):
        login.refresh(stranger(desk), tools, entered[0].refresh_token)
    with pytest.raises(Unauthorized):
        enter(desk, tools, ana)


def test_a_disabled_user_can_come_back(desk: Desk, tools: LoginTools, ana: str) -> None:
    user_id = enter(desk, tools, ana).session.user_id
    people.change(desk.ctx, desk.org, user_id, MemberChange(disabled=True))
    people.change(desk.ctx, desk.org, user_id, MemberChange(disabled=False))
    assert enter(desk, tools, ana).access_token


def test_another_role_shows_in_the_same_session(desk: Desk, tools: LoginTools, ana: str) -> None:
    entered = enter(desk, tools, ana)
    people.change(desk.ctx, desk.org, entered.session.user_id, MemberChange(role="viewer"))
    assert not identify(desk, tools, entered).may("usage:write")


def test_a_member_bound_to_projects_is_so_in_every_session(desk: Desk, tools: LoginTools) -> None:
    email = f"zoe@{desk.org}.example.com"
    join(desk.ctx, tools, desk.org, email, "analyst", projects=("shop",))
    principal = identify(desk, tools, enter(desk, tools, email))
    assert principal.scope.only == (("project", frozenset({"shop"})),)


def test_a_new_signing_key_signs_and_the_old_one_still_verifies(desk: Desk, tools: LoginTools, ana: str) -> None:
    before = enter(desk, tools, ana)
    rotated = signing_keys.rotate(desk.ctx)
    after = enter(desk, tools, ana)
    kids = [tools.signer.key_of(e.access_token, "at+jwt") for e in (before, after)]  # type: ignore[arg-type]
    assert kids[0] != kids[1] == rotated.key.kid
    assert identify(desk, tools, before).role == "engineer"
    assert identify(desk, tools, after).role == "engineer"
    assert login.refresh(stranger(desk), tools, before.refresh_token).session.generation == 2
    desk.now += SESSION_TIME + timedelta(minutes=1)
    assert signing_keys.rotate(desk.ctx).forgotten >= 1


def test_a_signing_key_that_others_may_know_is_forgotten_at_once(desk: Desk, tools: LoginTools, ana: str) -> None:
    before = enter(desk, tools, ana)
    signing_keys.rotate(desk.ctx, end_sessions=True)
    with pytest.raises(Unauthorized):
        identify(desk, tools, before)
    with pytest.raises(Unauthorized):
        login.refresh(stranger(desk), tools, before.refresh_token)
    assert identify(desk, tools, enter(desk, tools, ana)).role == "engineer"


def test_replicas_that_make_the_first_key_at_once_accept_each_others_tokens(
    desk: Desk, tools: LoginTools, ana: str
) -> None:
    signing_keys.rotate(desk.ctx, end_sessions=True)
    with desk.ctx.storage.installation() as installation:
        installation.credentials.forget_signing_keys(desk.now + timedelta(days=1))
    entered = in_threads(4, lambda n: enter(desk, tools, ana, address=f"203.0.113.{n}"))
    assert [identify(desk, tools, one).role for one in entered] == ["engineer"] * 4


def test_with_another_secret_of_the_installation_no_token_is_good(desk: Desk, tools: LoginTools, ana: str) -> None:
    entered = enter(desk, tools, ana)
    with pytest.raises(Unauthorized):
        identify(desk, replace(tools, signer=JoseTokens("another secret")), entered)


def test_a_failed_log_in_is_audited_where_it_concerns(desk: Desk, tools: LoginTools, ana: str) -> None:
    with pytest.raises(Unauthorized):
        enter(desk, tools, ana, "not the password of anybody")
    with desk.ctx.storage.ledger(desk.org) as ledger:
        event = next(e for e in ledger.audit.page(limit=10)[0] if e.action == "auth.login_failed")
    assert (event.actor, event.address) == ("unknown", "192.0.2.7")
    assert ana not in str(event)


def test_a_key_has_no_session_and_no_password(desk: Desk, tools: LoginTools) -> None:
    key = Principal(desk.org, "abcd1234", frozenset({"costs:read"}))
    with pytest.raises(InvalidInput):
        sessions.log_out(desk.context(key))
    with pytest.raises(InvalidInput):
        passwords.change(desk.context(key), tools, PASSWORD, OTHER_PASSWORD)
    assert sessions.my_sessions(desk.context(key)) == []
