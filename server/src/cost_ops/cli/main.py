"""The command `cost-ops`. A sub-command's module is imported when it is named, and heavy things only when it runs."""

from __future__ import annotations

from importlib import import_module

import rich_click as click

from cost_ops import __version__
from cost_ops.cli.options import Group

COMMANDS = {
    "init": "database:init",
    "migrate": "database:migrate",
    "partitions": "database:partitions",
    "verify": "database:verify",
    "server": "server:server",
    "demo": "demo:demo",
    "ingest": "usage:ingest",
    "query": "costs:query",
    "summary": "costs:summary",
    "explain": "explain:explain",
    "reprice": "reprice:reprice",
    "correct": "changes:correct",
    "erase": "changes:erase",
    "retention": "retention:retention",
    "audit": "audit:audit",
    "export": "export:export",
    "budget": "budgets:budget",
    "alerts": "alerts:alerts",
    "webhooks": "webhooks:webhooks",
    "channels": "channels:channels",
    "pricing": "pricing:pricing",
    "contracts": "contracts:contracts",
    "currencies": "currencies:currencies",
    "auth": "auth:auth",
    "organizations": "organizations:organizations",
    "users": "users:users",
    "access": "access:access",
    "roles": "roles:roles",
    "policies": "policies:policies",
    "projects": "projects:projects",
    "teams": "teams:teams",
    "config": "config:config",
    "jobs": "jobs:jobs",
    "worker": "jobs:worker",
    "doctor": "doctor:doctor",
    "completion": "completion:completion",
}
"""Command → `module:attribute` under `cost_ops.cli`."""

PANELS = {
    "Set up": ["init", "demo", "server", "doctor", "config", "completion"],
    "Record and ask": ["ingest", "query", "summary", "explain", "export"],
    "Budgets": ["budget", "alerts", "webhooks", "channels"],
    "Prices": ["pricing", "contracts", "currencies"],
    "Who may do what": ["auth", "organizations", "users", "roles", "policies", "projects", "teams", "access"],
    "Correct": ["reprice", "correct", "erase", "retention", "audit"],
    "Look after": ["jobs", "worker", "migrate", "partitions", "verify"],
}


class LazyGroup(Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All commands, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """One command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(import_module(f"cost_ops.cli.{module}"), attribute)
        return found


@click.group(
    cls=LazyGroup,
    panels=[click.RichCommandPanel(name, commands=commands) for name, commands in PANELS.items()],
    context_settings={"help_option_names": ["--help", "-h"]},
    examples=(
        "cost-ops init --database-url sqlite:cost-ops.db",
        "cost-ops ingest --file usage.json",
        "cost-ops query --range last-7-days",
    ),
)
@click.version_option(__version__, prog_name="cost-ops")
def cli() -> None:
    """A ledger for LLM spend: usage in, exact cost out, with a proof.

    Commands work on the database (--database-url), or through a server (--api-url), the same either way.
    """


def main() -> None:
    """Run the command line."""
    cli(prog_name="cost-ops")


if __name__ == "__main__":
    main()
