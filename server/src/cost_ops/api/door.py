"""The door: every request passes it before its body is read. Who is it, may they do this, and not too often?"""

from __future__ import annotations

import asyncio

from cost_ops.api.arrival import Arrival, HeaderPairs, session_cookie
from cost_ops.api.authentication import Authenticator
from cost_ops.api.limiter import Limiter
from cost_ops.api.refusals import Refusals
from cost_ops.api.tickets import TooMany
from cost_ops.bootstrap import Application
from cost_ops.domain.access import Principal
from cost_ops.domain.csrf import check_csrf
from cost_ops.domain.decisions import Asked, effective, refusal
from cost_ops.domain.errors import CostOpsError, Forbidden, Unauthorized
from cost_ops.domain.plans import DEFAULT_PLAN

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Door:
    """Admits requests. Lives on one event loop."""

    def __init__(
        self, application: Application, authenticator: Authenticator, limiter: Limiter, refusals: Refusals
    ) -> None:
        self._clock = application.clock
        self._authenticator = authenticator
        self._limiter = limiter
        self._refusals = refusals

    async def admit(self, arrival: Arrival, permission: str | None) -> Principal:
        """Who sent a request that takes a permission (None: anybody who is known).

        Raises Unauthorized, Forbidden, RateLimited, Unavailable.
        """
        principal = self._authenticator.remembered(arrival.headers.get(b"authorization"))
        if principal is None:
            principal = await self._identify(arrival)
        if principal.policies or principal.quota.plan != DEFAULT_PLAN:
            principal = effective(principal, self._clock(), arrival.address)
        arrival.principal = principal
        limits = principal.quota.limits
        if not limits.unlimited and principal.organization_id is not None:
            try:
                ticket = self._limiter.admit(principal.organization_id, limits)
                if ticket is None:
                    ticket = await self._limiter.admit_slow(principal.organization_id, limits)
            except TooMany as refused:
                arrival.ticket = refused.ticket
                raise
            arrival.ticket = ticket
        if permission is not None and not principal.may(permission):
            raise refusal(principal, Asked(permission, self._clock(), arrival.address))
        return principal

    def admit_anybody(self, arrival: Arrival) -> None:
        """A request to a route that is open to all, such as a log-in. Raises RateLimited."""
        arrival.ticket = self._limiter.admit_stranger(arrival.address)

    def limit_headers(self, arrival: Arrival) -> HeaderPairs:
        """How many requests are left to whoever sent this one, for its answer."""
        if arrival.ticket is not None:
            return self._limiter.header_pairs(arrival.ticket)
        if arrival.principal is not None:
            return self._limiter.unlimited_pairs()
        return self._limiter.stranger_pairs(arrival.address)

    async def close(self) -> None:
        """Nobody comes any more."""
        await self._limiter.close()

    def leave(self, arrival: Arrival) -> None:
        """The request was answered."""
        if arrival.ticket is not None:
            self._limiter.leave(arrival.ticket)

    def refused(self, arrival: Arrival, error: CostOpsError, status: int) -> None:
        """Keep that a request was refused, where it was for who sent it."""
        if status not in (401, 403, 429):
            return
        self._refusals.note(
            arrival.principal,
            method=arrival.method,
            route=arrival.route,
            status=status,
            permission=error.details.get("required_permission"),
            reason=error.details.get("reason"),
            address=arrival.address,
            request_id=arrival.request_id,
        )

    async def _identify(self, arrival: Arrival) -> Principal:
        try:
            header = arrival.headers.get(b"authorization")
            if header is None:
                return await self._by_cookie(arrival)
            if header[:7].lower() != b"bearer ":
                raise Unauthorized
            return await self._authenticator.authenticate(header[7:])
        except Unauthorized:
            await self._turn_away(arrival)
            raise

    async def _turn_away(self, arrival: Arrival) -> None:
        """Count a failure where it came from; whoever fails often waits for the answer. Raises RateLimited."""
        try:
            arrival.ticket = self._limiter.admit_stranger(arrival.address)
        finally:
            await asyncio.sleep(self._limiter.patience(arrival.address))

    async def _by_cookie(self, arrival: Arrival) -> Principal:
        value = session_cookie(arrival.headers)
        if value is None:
            raise Unauthorized
        principal = await self._authenticator.authenticate_cookie(value.encode("latin-1", "replace"))
        if arrival.method not in _SAFE_METHODS and (fault := check_csrf(value, arrival.headers)) is not None:
            arrival.principal = principal
            raise Forbidden("session", fault)
        return principal
