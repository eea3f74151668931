"""Commands and groups that take the global options wherever they stand, and report errors the same way."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any, NoReturn

import rich_click as click
from click.exceptions import Exit

OPTIONS = "cost_ops.cli.options"
"""Where a context's `meta` holds the global options that were given: name → value; the one given last wins."""

FORMATS = ("table", "json", "csv", "yaml")
PANEL = "Global options"


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if value:
        ctx.meta.setdefault(OPTIONS, {})[parameter.name] = value
    return value


def _option(*names: str, help: str, **attributes: Any) -> click.Option:
    return click.RichOption(names, help=help, panel=PANEL, expose_value=False, callback=_remember, **attributes)


def _global_options() -> list[click.Option]:
    return [
        _option("--organization", metavar="ID", help="organisation that is meant"),
        _option("--output", "-o", type=click.Choice(FORMATS), help="how results are written; a table by default"),
        _option("--quiet", "-q", is_flag=True, help="results and errors only"),
        _option("--verbose", "-v", count=True, help="say more; twice: with tracebacks"),
        _option("--no-color", is_flag=True, help="no colours (NO_COLOR does the same)"),
        _option("--config", metavar="FILE", help="configuration file instead of ./cost-ops.toml"),
        _option("--database-url", metavar="URL", help="sqlite:FILE or postgresql://user:password@host/db"),
        _option("--api-url", metavar="URL", help="talk to this server instead of a database"),
        _option("--api-key", metavar="KEY", help="key for that server"),
    ]


def _add_global_options(command: click.Command) -> None:
    taken = {name for parameter in command.params for name in parameter.opts}
    for option in _global_options():
        if taken.isdisjoint(option.opts):
            command.params.append(option)


def _write_examples(examples: Sequence[str], formatter: click.RichHelpFormatter) -> None:
    if examples:
        from rich.text import Text

        formatter.write(Text("\n".join(("", " Examples:", *(f"   {line}" for line in examples), ""))))


class Command(click.RichCommand):
    """A command with the global options, whose errors become messages and exit codes.

    `examples` end its help page.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples
        _add_global_options(self)

    def format_epilog(self, ctx: click.RichContext, formatter: click.RichHelpFormatter) -> None:  # type: ignore[override]  # noqa: ARG002
        """The examples, line by line as they are."""
        _write_examples(self.examples, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is raised on purpose is told to the user."""
        try:
            return super().invoke(ctx)
        except (Exit, click.Abort, click.ClickException):
            raise
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output has read enough: click ends quietly
                raise
            return self._report(ctx, error)
        except Exception as error:  # noqa: BLE001 (the last place that can tell the user)
            return self._report(ctx, error)

    def _report(self, ctx: click.Context, error: Exception) -> NoReturn:
        from cost_ops.cli.errors import report

        ctx.exit(report(error, verbose=ctx.meta.get(OPTIONS, {}).get("verbose", 0)))


class Group(click.RichGroup):
    """A group of commands with the global options."""

    command_class = Command

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples
        _add_global_options(self)

    def format_epilog(self, ctx: click.RichContext, formatter: click.RichHelpFormatter) -> None:  # type: ignore[override]  # noqa: ARG002
        """The examples, line by line as they are."""
        _write_examples(self.examples, formatter)


Group.group_class = Group
