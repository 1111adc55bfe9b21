"""The root command, and what becomes of errors: one line that says what is wrong, and where there is one, a hint."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

import aion_trio
from aion_trio.errors import AionError
from aion_trio.stores import StoreError

from .hints import hint_for
from .verbs import SETTINGS, Verbs

TABLE = {
    "demo": "demo:command",
    "new": "new:command",
    "dev": "dev:command",
    "serve": "serve:command",
    "workflow": "workflow:command",
    "journal": "journal:command",
    "recovery": "inspection:recovery",
    "tree": "inspection:tree",
    "bench": "bench:command",
    "completion": "completion:command",
}
"""Each verb, and where it is in this package."""

DOC = """Durable execution for Trio: workflows that survive kill -9.

Begin with `aion-trio demo`: it runs orders through an engine that it kills again and again. `aion-trio new` makes a project
of your own. Exit status: 0 success, 1 a failure that was found, 2 wrong usage.
"""


class Root(Verbs):
    """The command `aion-trio`. Whatever a verb fails with ends here, as one line and a hint on standard error."""

    table = TABLE
    examples = ("demo", "new shop", "dev shop.workflows", "workflow list --status failed")

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line, and in standalone mode exit with its status."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            status = self._run_bare(args, prog_name, complete_var, extra)
        except click.UsageError as error:
            _refuse(error)
        except click.ClickException as error:
            fail(error.format_message(), "", error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            fail("interrupted", "")
        except (AionError, StoreError, OSError) as error:
            fail(str(error), hint_for(error), _status_of(error))
        sys.exit(status if isinstance(status, int) else 0)

    def _run_bare(self, args: Sequence[str] | None, prog_name: str | None, complete_var: str | None, extra: dict[str, Any]) -> Any:
        """Run the command; an error that came out of nurseries is raised without their groups."""
        try:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except BaseExceptionGroup as group:
            bare = _bare(group)
            raise bare from bare.__cause__


def _bare(error: BaseException) -> BaseException:
    """The one error in groups of one; the error itself where there are several, or none."""
    parts = _parts(error)
    return _bare(parts[0]) if len(parts) == 1 else error


def _parts(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions if isinstance(error, BaseExceptionGroup) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


def fail(message: str, hint: str, status: int = 1) -> NoReturn:
    """Say in one line what is wrong, and in another what to do; exit."""
    click.echo(f"aion-trio: {' '.join(message.split())}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    sys.exit(status)


def _status_of(error: Exception) -> int:
    """Wrong settings are wrong usage; the rest is a failure that was found."""
    from aion_trio.protocol import ConfigurationError

    return 2 if isinstance(error, ConfigurationError) else 1


def _refuse(error: click.UsageError) -> NoReturn:
    """Refuse wrong usage; where the command alone was given, its help says what it takes."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        sys.exit(0)
    path = error.ctx.command_path if error.ctx is not None else "aion-trio"
    fail(error.format_message(), f"`{path} --help` shows what it takes, with examples", error.exit_code)


def _root(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


root = Root("aion-trio", callback=click.pass_context(_root), help=DOC, invoke_without_command=True, context_settings=dict(SETTINGS))
click.version_option(aion_trio.__version__, prog_name="aion-trio")(root)


def run() -> None:
    """Run the command line. Exit status: 0 success, 1 a failure that was found, 2 wrong usage."""
    root(prog_name="aion-trio")
