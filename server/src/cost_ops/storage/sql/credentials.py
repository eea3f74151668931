"""Finding out who somebody is: keys, users, sessions and tokens, across organisations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from cost_ops.domain.access import Organization
from cost_ops.domain.errors import NotFound
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.plans import Quota
from cost_ops.domain.sessions import OneTimeToken, Purpose, Session, SigningKey
from cost_ops.domain.users import User
from cost_ops.interfaces.people import KeyStanding, Standing
from cost_ops.storage.access_tables import memberships, one_time_tokens, sessions, signing_keys, users
from cost_ops.storage.sql import access_rows as rows
from cost_ops.storage.sql.api_keys import StoredApiKeys
from cost_ops.storage.sql.people import StoredPeople
from cost_ops.storage.tables import organizations
from cost_ops.storage.transaction import Transaction

o, s = organizations.c, sessions.c
_MAX_AGENT = 256


class StoredCredentials:
    """Read before it is known to whom something belongs."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def key(self, key_id: str) -> KeyStanding | None:
        """A key and what concerns it, revoked ones included."""
        key = StoredApiKeys(self._tx, None).get(key_id)
        if key is None:
            return None
        if key.organization_id is None:
            return KeyStanding(key, Quota(), ())
        policies = tuple(StoredPeople(self._tx, key.organization_id).policies())
        return KeyStanding(key, self._quota(key.organization_id), policies)

    def standing(self, user_id: str, organization_id: str) -> Standing | None:
        """A user as a member of an organisation; None where they are none."""
        people = StoredPeople(self._tx, organization_id)
        user, membership = self.user(user_id), people.member(user_id)
        if user is None or membership is None:
            return None
        projects = tuple(people.projects()) if membership.teams else ()
        return Standing(
            user, membership, self._quota(organization_id), tuple(people.roles()), tuple(people.policies()), projects
        )

    def _quota(self, organization_id: str) -> Quota:
        found = self._tx.rows(select(o.plan, o.limits).where(o.organization_id == organization_id))
        return rows.quota_of(found[0]) if found else Quota()

    def user(self, user_id: str) -> User | None:
        """One user."""
        return self._user(users.c.user_id == user_id)

    def user_by_email(self, email: str) -> User | None:
        """The user with an address in its normal form."""
        return self._user(users.c.email == email)

    def _user(self, condition: Any) -> User | None:
        found = self._tx.rows(select(users).where(condition))
        return rows.user_of(found[0]) if found else None

    def organizations_of(self, user_id: str) -> list[Organization]:
        """Where a user is a member, by id."""
        joined = organizations.join(memberships, memberships.c.organization_id == o.organization_id)
        theirs = (
            select(o.organization_id, o.name, o.created_at, o.plan, o.limits)
            .select_from(joined)
            .where(memberships.c.user_id == user_id)
            .order_by(o.organization_id)
        )
        return [
            Organization(row.organization_id, row.name, from_us(row.created_at), rows.quota_of(row))
            for row in self._tx.rows(theirs)
        ]

    def add_user(self, user: User) -> None:
        """Store a new user. Raises Conflict where the address is known."""
        self._tx.write(insert(users).values(rows.user_values(user)))

    def set_password(self, user_id: str, password_hash: str, now: datetime) -> None:
        """Put a password in place of the old one."""
        new = {"password_hash": password_hash, "password_changed_at": to_us(now)}
        self._tx.write(update(users).where(users.c.user_id == user_id).values(new))

    def rehash_password(self, user_id: str, old_hash: str, new_hash: str) -> None:
        """Store the same password in another form, unless it was changed meanwhile."""
        same = (users.c.user_id == user_id) & (users.c.password_hash == old_hash)
        self._tx.write(update(users).where(same).values(password_hash=new_hash))

    def set_disabled(self, user_id: str, disabled_at: datetime | None) -> None:
        """Let a user in no more, or again (None)."""
        self._tx.write(update(users).where(users.c.user_id == user_id).values(disabled_at=rows.stored(disabled_at)))

    def logged_in(self, user_id: str, organization_id: str, now: datetime) -> None:
        """Note a log-in on the membership."""
        m = memberships.c
        theirs = (m.user_id == user_id) & (m.organization_id == organization_id)
        self._tx.write(update(memberships).where(theirs).values(last_login_at=to_us(now)))

    def session(self, session_id: str) -> Session | None:
        """One session."""
        found = self._tx.rows(select(sessions).where(s.session_id == session_id))
        return rows.session_of(found[0]) if found else None

    def sessions_of(self, user_id: str) -> list[Session]:
        """A user's sessions that are not over, newest first."""
        live = select(sessions).where(s.user_id == user_id, s.revoked_at.is_(None)).order_by(s.created_at.desc())
        return [rows.session_of(row) for row in self._tx.rows(live)]

    def add_session(self, session: Session) -> None:
        """Store a new session."""
        values = rows.session_values(session)
        if values["user_agent"]:
            values["user_agent"] = values["user_agent"][:_MAX_AGENT]
        self._tx.write(insert(sessions).values(values))

    def advance_session(self, session_id: str, generation: int, expires_at: datetime) -> bool:
        """Move a usable session from one generation of refresh tokens to the next; False where it is at another."""
        at = (s.session_id == session_id) & (s.generation == generation) & s.revoked_at.is_(None)
        new = {"generation": generation + 1, "expires_at": to_us(expires_at)}
        return bool(self._tx.write(update(sessions).where(at).values(new)).rowcount)

    def revoke_session(self, session_id: str, now: datetime) -> None:
        """End a session; again changes nothing."""
        live = (s.session_id == session_id) & s.revoked_at.is_(None)
        self._tx.write(update(sessions).where(live).values(revoked_at=to_us(now)))

    def revoke_sessions_of(self, user_id: str, now: datetime, *, but: str | None = None) -> int:
        """End all sessions of a user, but one where it is named; how many there were."""
        live = (s.user_id == user_id) & s.revoked_at.is_(None) & (s.session_id != (but or ""))
        return int(self._tx.write(update(sessions).where(live).values(revoked_at=to_us(now))).rowcount)

    def forget_sessions_of(self, user_id: str, over_before: datetime) -> None:
        """Take out sessions of a user that have long been over."""
        self._tx.write(delete(sessions).where(s.user_id == user_id, s.expires_at < to_us(over_before)))

    def add_one_time_token(self, token: OneTimeToken) -> None:
        """Store a token that was sent; earlier ones of the user and purpose are no good any more."""
        t = one_time_tokens.c
        same = (t.user_id == token.user_id) & (t.purpose == str(token.purpose))
        self._tx.write(delete(one_time_tokens).where(same))
        values = {
            "token_hash": token.token_hash,
            "user_id": token.user_id,
            "purpose": str(token.purpose),
            "created_at": to_us(token.created_at),
            "expires_at": to_us(token.expires_at),
        }
        self._tx.write(insert(one_time_tokens).values(values))

    def one_time_token(self, token_hash: bytes, purposes: Sequence[Purpose], now: datetime) -> OneTimeToken | None:
        """A token that is still good, without using it up."""
        return _still_good(self._tx.rows(select(one_time_tokens).where(_sent(token_hash, purposes))), now)

    def take_one_time_token(self, token_hash: bytes, purposes: Sequence[Purpose], now: datetime) -> OneTimeToken | None:
        """Use up a token; None where it is unknown, used or over. Of several at once exactly one gets it."""
        taken = delete(one_time_tokens).where(_sent(token_hash, purposes)).returning(one_time_tokens)
        return _still_good(self._tx.write(taken).all(), now)

    def forget_one_time_tokens(self, user_id: str) -> None:
        """No token that was sent to a user is good any more."""
        self._tx.write(delete(one_time_tokens).where(one_time_tokens.c.user_id == user_id))

    def signing_keys(self) -> list[SigningKey]:
        """The keys that sign or still verify tokens, newest first."""
        newest_first = select(signing_keys).order_by(signing_keys.c.created_at.desc(), signing_keys.c.kid)
        return [rows.signing_key_of(row) for row in self._tx.rows(newest_first)]

    def add_signing_key(self, key: SigningKey) -> None:
        """Store a new key and retire the others as of its birth."""
        k = signing_keys.c
        others = update(signing_keys).where(k.retired_at.is_(None)).values(retired_at=to_us(key.created_at))
        self._tx.write(others)
        values = {
            "kid": key.kid,
            "secret": key.secret,
            "created_at": to_us(key.created_at),
            "retired_at": rows.stored(key.retired_at),
        }
        self._tx.write(insert(signing_keys).values(values))

    def forget_signing_keys(self, retired_before: datetime) -> int:
        """Take out keys that were retired before an instant; how many there were."""
        k = signing_keys.c
        return int(self._tx.write(delete(signing_keys).where(k.retired_at < to_us(retired_before))).rowcount)

    def set_quota(self, organization_id: str, quota: Quota) -> None:
        """Put an organisation's plan and limits in place of the old. Raises NotFound."""
        limits = None if quota.own is None else quota.own.to_json()
        new = update(organizations).where(o.organization_id == organization_id)
        if self._tx.write(new.values(plan=quota.plan, limits=limits)).rowcount == 0:
            raise NotFound(f"No organization {organization_id[:64]!r}")


def _sent(token_hash: bytes, purposes: Sequence[Purpose]) -> Any:
    t = one_time_tokens.c
    return (t.token_hash == token_hash) & t.purpose.in_([str(purpose) for purpose in purposes])


def _still_good(found: Sequence[Any], now: datetime) -> OneTimeToken | None:
    if not found or from_us(found[0].expires_at) <= now:
        return None
    row = found[0]
    return OneTimeToken(
        bytes(row.token_hash), row.user_id, Purpose(row.purpose), from_us(row.created_at), from_us(row.expires_at)
    )
