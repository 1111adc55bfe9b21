"""`aion-trio completion`: completion of verbs and options by the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .verbs import verb

VARIABLE = "_AION_TRIO_COMPLETE"


@verb("completion", "completion bash > ~/.local/share/bash-completion/completions/aion-trio", "completion fish | source")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, /, shell: str) -> None:
    """Print a script that lets the shell complete verbs and options; it is sourced, or put where the shell looks for such scripts."""
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, "aion-trio", VARIABLE).source())
