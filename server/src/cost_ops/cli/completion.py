"""`cost-ops completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import current_context


@click.command(
    cls=Command,
    examples=(
        'eval "$(cost-ops completion bash)"',
        "cost-ops completion zsh > ~/.zfunc/_cost-ops",
        "cost-ops completion fish > ~/.config/fish/completions/cost-ops.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    root = current_context().find_root().command
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    script = found(root, {}, "cost-ops", "_COST_OPS_COMPLETE")
    click.echo(script.source_template % script.source_vars())
