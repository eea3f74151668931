"""The token of whoever is logged in to a server, renewed when it runs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cost_ops.cli import credentials
from cost_ops.cli.credentials import StoredLogin
from cost_ops.cli.errors import RemoteError

if TYPE_CHECKING:
    from cost_ops.cli.remote.client import Client


class LoginTokens:
    """Gives the access token, and gets a new one with the refresh token where it is over."""

    def __init__(self, url: str) -> None:
        """Nothing is read yet."""
        self._url = url
        self._held: StoredLogin | None = None

    def bearer(self) -> str:
        """The access token; empty where nobody is logged in. Raises RemoteError where the session is over."""
        if self._held is None:
            self._held = credentials.read(self._url)
        if self._held is not None and not self._held.usable_at(credentials.now()):
            self._held = self._renewed(self._held)
        return "" if self._held is None else self._held.access_token

    def renew(self) -> bool:
        """Get a new token though the clock says that the old one is good: the server does not; False without one."""
        if self._held is None:
            return False
        self._held = self._renewed(self._held)
        return self._held is not None

    def _renewed(self, old: StoredLogin) -> StoredLogin | None:
        """A newer log-in: one that another process got meanwhile, else one of our own."""
        with credentials.locked(self._url):
            stored = credentials.read(self._url)
            if stored is None:
                return None
            if stored.access_token != old.access_token and stored.usable_at(credentials.now()):
                return stored
            try:
                answer = self._client().send(
                    "POST", "/auth/refresh", body={"refresh_token": stored.refresh_token}, attempts=1
                )
            except RemoteError as error:
                if error.status == 401:
                    credentials.forget(self._url)
                    message = "your session is over; log in again with `cost-ops auth login`"
                    raise RemoteError(401, "UNAUTHORIZED", message, error.request_id) from error
                raise
            renewed = credentials.login_of(self._url, answer["data"])
            credentials.write(renewed)
            return renewed

    def _client(self) -> Client:
        from cost_ops.cli.remote.client import Client

        return Client(self._url, "")
