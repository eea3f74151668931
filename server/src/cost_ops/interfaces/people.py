"""What access needs of a database: keys, people, roles, policies, projects, sessions, tokens, quotas.

Those of an organisation hang on its unit of work (`Ledger.people`); those that are found before it is known whose they
are hang on the installation's (`Installation.credentials`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cost_ops.domain.access import ApiKey, Organization
from cost_ops.domain.plans import Quota
from cost_ops.domain.policies import Policy
from cost_ops.domain.roles import Role
from cost_ops.domain.sessions import OneTimeToken, Purpose, Session, SigningKey
from cost_ops.domain.users import Membership, Project, Team, User


class ApiKeyRepository(Protocol):
    """API keys of the bound organisation; on `Installation.api_keys`, of all."""

    def get(self, key_id: str) -> ApiKey | None:
        """One key, revoked ones included."""

    def list(self) -> list[ApiKey]:
        """All keys, newest first."""

    def add(self, key: ApiKey) -> None:
        """Store a new key."""

    def update(self, key: ApiKey) -> None:
        """Replace name, permissions, projects, expiry, revocation and successor of a stored key."""

    def used(self, last_used: Sequence[tuple[str, datetime]]) -> None:
        """Note when keys were last used; never moves an instant back."""


class PeopleRepository(Protocol):
    """Members, roles, policies, projects and teams of the bound organisation."""

    def member(self, user_id: str) -> Membership | None:
        """One member."""

    def members(self) -> list[Membership]:
        """All members by e-mail address."""

    def add_member(self, membership: Membership) -> None:
        """Store a new member. Raises Conflict where they are one."""

    def update_member(self, membership: Membership) -> None:
        """Replace name, role, projects and teams of a member. Raises NotFound."""

    def hold_admins(self) -> list[str]:
        """The ids of members with the role admin and the whole organisation, who stay so until this work is done."""

    def remove_member(self, user_id: str, now: datetime) -> None:
        """Take a member out and end their sessions here. Raises NotFound."""

    def roles(self) -> list[Role]:
        """The organisation's own roles by name."""

    def save_role(self, role: Role, now: datetime) -> None:
        """Store a role, or put it in place of the one with its name."""

    def remove_role(self, name: str) -> None:
        """Take a role out. Raises NotFound, and Conflict where a member has it."""

    def policies(self) -> list[Policy]:
        """The organisation's policies by name."""

    def save_policy(self, policy: Policy) -> None:
        """Store a policy, or put it in place of the one with its id."""

    def remove_policy(self, policy_id: str) -> None:
        """Take a policy out. Raises NotFound."""

    def teams(self) -> list[Team]:
        """The organisation's teams by id."""

    def save_team(self, team: Team) -> None:
        """Store a team, or put it in place of the one with its id."""

    def remove_team(self, team_id: str) -> None:
        """Take a team out. Raises NotFound, and Conflict where a member or a project belongs to it."""

    def projects(self) -> list[Project]:
        """The declared projects by id."""

    def save_project(self, project: Project) -> None:
        """Store a project, or put it in place of the one with its id."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that says what a member may do, read at once."""

    user: User
    membership: Membership
    quota: Quota
    roles: tuple[Role, ...]
    policies: tuple[Policy, ...]
    projects: tuple[Project, ...]


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """Everything that says what a key may do, read at once."""

    key: ApiKey
    quota: Quota
    policies: tuple[Policy, ...]


class CredentialRepository(Protocol):
    """What is looked up to find out who somebody is, across organisations; read before any unit of work is bound."""

    def key(self, key_id: str) -> KeyStanding | None:
        """A key and what concerns it, revoked ones included."""

    def standing(self, user_id: str, organization_id: str) -> Standing | None:
        """A user as a member of an organisation; None where they are none."""

    def user(self, user_id: str) -> User | None:
        """One user."""

    def user_by_email(self, email: str) -> User | None:
        """The user with an address in its normal form."""

    def organizations_of(self, user_id: str) -> list[Organization]:
        """Where a user is a member, by id."""

    def add_user(self, user: User) -> None:
        """Store a new user. Raises Conflict where the address is known."""

    def set_password(self, user_id: str, password_hash: str, now: datetime) -> None:
        """Put a password in place of the old one."""

    def rehash_password(self, user_id: str, old_hash: str, new_hash: str) -> None:
        """Store the same password in another form, unless it was changed meanwhile."""

    def set_disabled(self, user_id: str, disabled_at: datetime | None) -> None:
        """Let a user in no more, or again (None)."""

    def logged_in(self, user_id: str, organization_id: str, now: datetime) -> None:
        """Note a log-in on the membership."""

    def session(self, session_id: str) -> Session | None:
        """One session."""

    def sessions_of(self, user_id: str) -> list[Session]:
        """A user's sessions that are not over, newest first."""

    def add_session(self, session: Session) -> None:
        """Store a new session."""

    def advance_session(self, session_id: str, generation: int, expires_at: datetime) -> bool:
        """Move a usable session from one generation of refresh tokens to the next; False where it is at another."""

    def revoke_session(self, session_id: str, now: datetime) -> None:
        """End a session; again changes nothing."""

    def revoke_sessions_of(self, user_id: str, now: datetime, *, but: str | None = None) -> int:
        """End all sessions of a user, but one where it is named; how many there were."""

    def forget_sessions_of(self, user_id: str, over_before: datetime) -> None:
        """Take out sessions of a user that have long been over."""

    def add_one_time_token(self, token: OneTimeToken) -> None:
        """Store a token that was sent; earlier ones of the user and purpose are no good any more."""

    def take_one_time_token(self, token_hash: bytes, purposes: Sequence[Purpose], now: datetime) -> OneTimeToken | None:
        """Use up a token; None where it is unknown, used or over. Of several at once exactly one gets it."""

    def one_time_token(self, token_hash: bytes, purposes: Sequence[Purpose], now: datetime) -> OneTimeToken | None:
        """A token that is still good, without using it up."""

    def forget_one_time_tokens(self, user_id: str) -> None:
        """No token that was sent to a user is good any more."""

    def signing_keys(self) -> list[SigningKey]:
        """The keys that sign or still verify tokens, newest first."""

    def add_signing_key(self, key: SigningKey) -> None:
        """Store a new key and retire the others as of its birth."""

    def forget_signing_keys(self, retired_before: datetime) -> int:
        """Take out keys that were retired before an instant; how many there were."""

    def set_quota(self, organization_id: str, quota: Quota) -> None:
        """Put an organisation's plan and limits in place of the old. Raises NotFound."""
