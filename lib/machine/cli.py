"""A command line compatible with Juju's, on the agent: output, JSON and exit codes of Juju 3.6.

`python -m machine juju COMMAND`; jubilant drives it as its `cli_binary`. The environment variable
`MACHINE_SOCKET` says where the agent listens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from machine import (
    cli_change,
    cli_host,
    cli_model,
    cli_part,
    cli_run,
    cli_scale,
    cli_secret,
    cli_show,
    cli_task,
    cli_wait,
)
from machine.client import Error
from machine.console import CommandError

_FAILED, _USAGE = 1, 2


class _Commands(TyperGroup):
    """Juju's commands, of which some are not offered: those are refused by name."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command.

        Raises:
            CommandError: it is not offered here.
        """
        if args and self.get_command(ctx, args[0]) is None:
            offered = ", ".join(self.list_commands(ctx))
            raise CommandError(f'juju: "{args[0]}" is not offered on this host; {offered} are')
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="juju",
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Juju's commands, on the machine agent of this host.",
)
_MODULES = (
    cli_show,
    cli_model,
    cli_part,
    cli_change,
    cli_host,
    cli_scale,
    cli_run,
    cli_task,
    cli_secret,
    cli_wait,
)
_AS_GIVEN = {"allow_interspersed_args": False}
_LEAVES_OPTIONS: Mapping[str, dict[str, Any]] = {
    "add-machine": {"ignore_unknown_options": True},
    "exec": _AS_GIVEN,
    "scp": {**_AS_GIVEN, "ignore_unknown_options": True},
    "ssh": _AS_GIVEN,
}
"""Commands with options of another program among their arguments."""
for _module in _MODULES:
    for _name, _command in _module.COMMANDS.items():
        app.command(_name, context_settings=_LEAVES_OPTIONS.get(_name))(_command)


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code that Juju would."""
    try:
        result = app(list(arguments), prog_name="juju", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except TyperException as wrong:
        return _report(wrong.format_message(), _USAGE)
    except (CommandError, Error) as error:
        return _report(str(error), _FAILED)
    except (typer.Abort, KeyboardInterrupt):
        return _report("interrupted", _FAILED)
    except BrokenPipeError:
        # The reader has enough; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED


def _report(message: str, code: int) -> int:
    typer.echo(f"ERROR {message}", err=True)
    return code
