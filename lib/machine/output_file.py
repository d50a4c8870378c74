"""The option of Juju's commands that writes to a file what else is printed."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from machine.console import CommandError

_Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file instead.")]


def with_output(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with `-o`, if it has `--format`, as in Juju; else the command itself.

    The file is written when the command has done its work: one that is refused leaves it alone.
    """
    signature = inspect.signature(command, eval_str=True)
    if "form" not in signature.parameters:
        return command

    @functools.wraps(command)
    def run(*arguments: Any, output: Path | None, **options: Any) -> Any:
        if output is None:
            return command(*arguments, **options)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            result = command(*arguments, **options)
        try:
            output.write_text(printed.getvalue())
        except OSError as e:
            raise CommandError(f"cannot write {output}: {e.strerror}") from None
        return result

    kind = inspect.Parameter.KEYWORD_ONLY
    added = inspect.Parameter("output", kind, default=None, annotation=_Output)
    parameters = (*signature.parameters.values(), added)
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    return run
