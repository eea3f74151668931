"""One run of a command: its settings, the ledger behind it and the way results are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import rich_click as click

from cost_ops.cli.options import OPTIONS

if TYPE_CHECKING:
    from cost_ops.cli.backend import Backend
    from cost_ops.cli.output import Output
    from cost_ops.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


class Session:
    """The global options of a command and what follows from them, made when first asked for."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Nothing is read or opened yet."""
        self.options = options
        self._close: list[Callable[[], None]] = []

    @cached_property
    def settings(self) -> Settings:
        """File < environment < flags. Raises InvalidInput."""
        from cost_ops.settings import load_settings

        flags = {
            "database.url": self.options.get("database_url"),
            "defaults.api_url": self.options.get("api_url"),
            "defaults.api_key": self.options.get("api_key"),
        }
        return load_settings(path=self.options.get("config"), flags=flags)

    @property
    def named_organization(self) -> str | None:
        """The organisation of the flag, if it was given."""
        return self.options.get("organization")

    @property
    def organization(self) -> str | None:
        """The organisation of the flag, else the configured default."""
        return self.named_organization or self.settings.defaults.organization or None

    @property
    def is_remote(self) -> bool:
        """Whether a server is asked. A database named by a flag is meant, whatever is configured."""
        if self.options.get("database_url"):
            if self.options.get("api_url"):
                raise click.UsageError("give either --database-url or --api-url, not both")
            return False
        return bool(self.settings.defaults.api_url)

    @cached_property
    def backend(self) -> Backend:
        """The ledger: a database, or a server where an API URL is set."""
        backend: Backend
        if self.is_remote:
            from cost_ops.cli.remote.backend import RemoteBackend

            backend = RemoteBackend(self.settings.defaults.api_url, self.settings.defaults.api_key)
        else:
            from cost_ops.cli.direct.backend import DirectBackend

            backend = DirectBackend(self.settings)
        self._close.append(backend.close)
        return backend

    @cached_property
    def output(self) -> Output:
        """Where results go."""
        from cost_ops.cli.output import Output

        return Output(
            self.options.get("output") or "table",
            quiet=bool(self.options.get("quiet")),
            no_color=bool(self.options.get("no_color")),
        )

    def close(self) -> None:
        """Let go of what was opened."""
        while self._close:
            self._close.pop()()


def current_context() -> click.Context:
    """The context of the running command."""
    context = click.get_current_context()
    assert context is not None  # noqa: S101 (it raises where there is none; the stub does not know)
    return context


def pass_session(command: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Give a command its session as first argument."""

    @wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> R:
        session = Session(current_context().meta.get(OPTIONS, {}))
        try:
            return command(session, *args, **options)
        finally:
            session.close()

    return run
