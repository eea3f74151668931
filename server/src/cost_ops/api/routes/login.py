"""Logging in and out, who one is, one's sessions and password. Those without a credential yet are open to all."""

from __future__ import annotations

from starlette.responses import Response

from cost_ops.api.arrival import session_cookie
from cost_ops.api.errors import encoded
from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.reset_page import HEADERS, PAGE
from cost_ops.api.schemas.login import (
    CHANGED_PASSWORD,
    CONFIRMED,
    LOGIN,
    REFRESH,
    RESET,
    ROTATED,
    Done,
    DoneOne,
    LoginOne,
    SessionList,
    SigningKeyOne,
    SigningKeyView,
    WhoOne,
    login_view,
    session_view,
    who_view,
)
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.domain.csrf import COOKIE_NAME
from cost_ops.domain.sessions import COOKIE_TIME, SessionKind
from cost_ops.services import login, passwords, sessions, signing_keys
from cost_ops.services.login import LoginWanted

routes = Routes("Log-in")
_COOKIE = "Path=/; Secure; HttpOnly; SameSite=Strict"
_OPEN_ERRORS = (400, 429, 503)


def _secret(fields: Fields, name: str) -> str:
    """A required text of any characters: a password, or a token."""
    value = fields.values.get(name)
    if isinstance(value, str) and value:
        return value
    if value is None or value == "":
        fields.add(name, "missing_required_field", f"{name} is required")
    else:
        fields.add(name, "invalid_type", f"{name} must be a text")
    return ""


@routes.add(
    "POST",
    "/api/v1/auth/login",
    summary="Log in with e-mail address and password: tokens, or a cookie for a web page",
    answer=LoginOne,
    public=True,
    body=BodyOf(
        LOGIN,
        {
            "tokens": {"email": "ana@example.com", "password": "a horse of a different colour"},
            "cookie": {"email": "ana@example.com", "password": "a horse of a different colour", "cookie": True},
        },
    ),
    errors=(*_OPEN_ERRORS, 401, 404),
)
def log_in(call: Call) -> Response | LoginOne:
    """A new session; its id is made here, whatever the client sends."""
    fields = Fields(call.body, tuple(LOGIN["properties"]), what="a log-in")
    email, password = fields.text("email", required=True), _secret(fields, "password")
    organization_id = fields.parsed("organization_id", check_organization_id)
    kind = SessionKind.COOKIE if fields.truth("cookie") else SessionKind.TOKENS
    fields.done()
    agent = call.headers.get(b"user-agent", b"").decode("latin-1") or None
    wanted = LoginWanted(email or "", password, organization_id, kind, agent)
    entered = login.log_in(call.ctx, call.application.login_tools, wanted)
    if (before := session_cookie(call.headers)) is not None:
        login.leave(call.ctx, call.application.login_tools, before)
    if not entered.cookie:
        return LoginOne(login_view(entered))
    response = Response(encoded(LoginOne(login_view(entered))), media_type="application/json")
    seconds = int(COOKIE_TIME.total_seconds())
    response.headers["Set-Cookie"] = f"{COOKIE_NAME}={entered.cookie}; {_COOKIE}; Max-Age={seconds}"
    return response


@routes.add(
    "POST",
    "/api/v1/auth/refresh",
    summary="New tokens for a refresh token, which is good once; used twice, the whole session ends",
    answer=LoginOne,
    public=True,
    body=BodyOf(REFRESH, {"token": {"refresh_token": "eyJ…"}}),
    errors=(*_OPEN_ERRORS, 401),
)
def refresh(call: Call) -> LoginOne:
    """The session goes on."""
    fields = Fields(call.body, tuple(REFRESH["properties"]), what="a refresh")
    token = _secret(fields, "refresh_token")
    fields.done()
    return LoginOne(login_view(login.refresh(call.ctx, call.application.login_tools, token)))


@routes.add("POST", "/api/v1/auth/logout", summary="End the session that asks", answer=DoneOne)
def log_out(call: Call) -> Response:
    """Its tokens, or its cookie, stop within 5 seconds on every server."""
    sessions.log_out(call.ctx)
    response = Response(encoded(DoneOne(Done("ok", "You are logged out."))), media_type="application/json")
    response.headers["Set-Cookie"] = f"{COOKIE_NAME}=; {_COOKIE}; Max-Age=0"
    return response


@routes.add("GET", "/api/v1/auth/whoami", summary="Who asks, and what they may do", answer=WhoOne)
def who_am_i(call: Call) -> WhoOne:
    """Works with any credential."""
    return WhoOne(who_view(sessions.who_am_i(call.ctx), call.ctx))


@routes.add("GET", "/api/v1/auth/sessions", summary="One's own sessions, newest first", answer=SessionList)
def list_sessions(call: Call) -> SessionList:
    """Those that are not over, of all organisations."""
    return SessionList([session_view(session, call.ctx) for session in sessions.my_sessions(call.ctx)])


@routes.add("DELETE", "/api/v1/auth/sessions/{session_id}", summary="End one of one's own sessions", answer=DoneOne)
def end_session(call: Call) -> DoneOne:
    """Again changes nothing."""
    sessions.end_session(call.ctx, call.path["session_id"])
    return DoneOne(Done("ok", "The session is over."))


@routes.add(
    "POST",
    "/api/v1/auth/password",
    summary="Change one's own password; all other sessions end",
    answer=DoneOne,
    body=BodyOf(
        CHANGED_PASSWORD,
        {"one": {"current_password": "a horse of a different colour", "password": "seven boats under the bridge"}},
    ),
    errors=(429,),
)
def change_password(call: Call) -> DoneOne:
    """It takes the current one."""
    fields = Fields(call.body, tuple(CHANGED_PASSWORD["properties"]), what="a change of password")
    current, password = _secret(fields, "current_password"), _secret(fields, "password")
    fields.done()
    passwords.change(call.ctx, call.application.login_tools, current, password)
    return DoneOne(Done("ok", "The password is changed; your other sessions are over."))


@routes.add(
    "POST",
    "/api/v1/auth/password/reset",
    summary="Ask for a link by e-mail; the answer is the same whether anybody has the address",
    answer=DoneOne,
    status=202,
    public=True,
    body=BodyOf(RESET, {"one": {"email": "ana@example.com"}}),
    errors=_OPEN_ERRORS,
)
def ask_for_reset(call: Call) -> Reply:
    """Everything that depends on the address happens after the answer."""
    fields = Fields(call.body, tuple(RESET["properties"]), what="a request for a link")
    email = fields.text("email", required=True)
    fields.done()
    passwords.request_reset(call.ctx, call.application.login_tools, email or "")
    return Reply(202, DoneOne(Done("accepted", "If somebody has this address, a link is on its way to it.")))


@routes.add(
    "POST",
    "/api/v1/auth/password/confirm",
    summary="Set a password with the token of a link; all sessions end",
    answer=DoneOne,
    public=True,
    body=BodyOf(CONFIRMED, {"one": {"token": "yaX4…", "password": "seven boats under the bridge"}}),
    errors=_OPEN_ERRORS,
)
def confirm_reset(call: Call) -> DoneOne:
    """The link is good once, and stays good where the password cannot be set."""
    fields = Fields(call.body, tuple(CONFIRMED["properties"]), what="a new password")
    token, password = _secret(fields, "token"), _secret(fields, "password")
    fields.done()
    passwords.confirm(call.ctx, call.application.login_tools, token, password)
    return DoneOne(Done("ok", "The password is set. You can log in with it now."))


@routes.add(
    "POST",
    "/api/v1/auth/signing-keys",
    summary="Sign tokens with a new key; with an admin key of the installation",
    answer=SigningKeyOne,
    status=201,
    permission=ADMIN,
    body=BodyOf(ROTATED, {"turn over": {}, "leaked": {"end_sessions": True}}),
)
def rotate_signing_key(call: Call) -> Reply:
    """The old key verifies until its tokens are over, unless `end_sessions`."""
    fields = Fields(call.body, tuple(ROTATED["properties"]), what="a rotation")
    end_sessions = fields.truth("end_sessions")
    fields.done()
    done = signing_keys.rotate(call.ctx, end_sessions=end_sessions)
    return Reply(201, SigningKeyOne(SigningKeyView(done.key.kid, done.key.created_at, done.forgotten)))


@routes.add(
    "GET",
    "/reset-password",
    summary="The page that links in letters lead to",
    answer=None,
    public=True,
    media="text/html",
)
def reset_page(_call: Call) -> Response:
    """A page without anything that is fetched from elsewhere."""
    return Response(PAGE, media_type="text/html", headers=HEADERS)
