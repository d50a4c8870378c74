"""The options that every command of Juju takes, of what it tells, its own log and logging in."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from machine.console import CommandError, telling

_OPTIONS = {
    "debug": (bool, False, ("--debug",)),
    "logging_config": (str, "", ("--logging-config",)),
    "no_browser_login": (bool, False, ("--no-browser-login", "-B")),
    "quiet": (bool, False, ("--quiet", "-q")),
    "show_log": (bool, False, ("--show-log",)),
    "verbose": (bool, False, ("--verbose", "-v")),
}
"""Type, default and names of each."""

TAKES_VALUE = {name: kind is not bool for kind, _, names in _OPTIONS.values() for name in names}
"""The names of all, and whether a value follows."""


def with_log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with these options, which it need not know: it has no such log, and no login.

    What it informs of is not told with `--quiet`, and details with `--verbose` alone (juju/cmd,
    logging.go).
    """
    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(*arguments: Any, quiet: bool, verbose: bool, **options: Any) -> Any:
        if quiet and verbose:
            raise CommandError(
                '"verbose" and "quiet" flags clash, please use one or the other, not both'
            )
        with telling(quiet=quiet, verbose=verbose):
            return command(*arguments, **{k: v for k, v in options.items() if k not in _OPTIONS})

    added = (
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, typer.Option(*names, help="Accepted.", hidden=True)],
        )
        for name, (kind, default, names) in _OPTIONS.items()
    )
    parameters = (*signature.parameters.values(), *added)
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    return run
