"""Juju's commands about actions that ran: operations, show-operation, show-task.

Here each operation has one task, and both have the same number.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from machine.cli_run import as_task, print_results
from machine.client import action_result
from machine.console import CommandError, Format, ModelOption, agent, emit
from machine.tabular import table

_TabularOption = Annotated[Format, typer.Option("--format", help="Form of the output.")]


def operations(
    model: ModelOption = None,
    form: _TabularOption = Format.TABULAR,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Only the last so many.")] = 50,
) -> None:
    """List the actions and commands that ran or run."""
    found = agent(model).juju_actions()
    last = dict(list(found.items())[-limit:] if limit else found)
    if form in (Format.JSON, Format.YAML):
        emit({number: _operation(action) for number, action in last.items()}, form)
        return
    header = ("ID", "Status", "Started", "Finished", "Task IDs", "Summary")
    typer.echo(table(header, [_row(number, action) for number, action in last.items()]))


def show_operation(
    number: Annotated[str, typer.Argument(metavar="ID", help="The operation.")],
    model: ModelOption = None,
    form: _TabularOption = Format.YAML,
) -> None:
    """Show an operation."""
    found = agent(model).juju_actions()
    if number not in found:
        raise CommandError(f'operation "{number}" not found')
    emit(_operation(found[number]), form)


def show_task(
    number: Annotated[str, typer.Argument(metavar="ID", help="The task.")],
    model: ModelOption = None,
    form: _TabularOption = Format.PLAIN,
) -> None:
    """Show what a task gave."""
    found = agent(model).juju_actions()
    if number not in found:
        raise CommandError(f'task "{number}" not found')
    result = action_result(found[number])
    if form is Format.PLAIN:
        print_results([result], form)
    else:
        emit({**as_task(result), "timing": _timing(found[number])}, form)


def _operation(action: Mapping[str, Any]) -> dict[str, Any]:
    unit, result = action["unit"], action_result(action)
    return {
        "summary": _summary(action),
        "status": action["status"],
        "action": {"name": action["name"], "parameters": action["params"]},
        "timing": _timing(action),
        "tasks": {action["id"]: {"host": unit, **as_task(result), "timing": _timing(action)}},
    }


def _summary(action: Mapping[str, Any]) -> str:
    return f"{action['name']} run on {action['unit']}"


def _row(number: str, action: Mapping[str, Any]) -> tuple[str, ...]:
    timing = _timing(action)
    moments = timing.get("started", ""), timing.get("completed", "")
    return number, action["status"], *moments, number, _summary(action)


def _timing(action: Mapping[str, Any]) -> dict[str, str]:
    moments = {name: action[name] for name in ("enqueued", "started", "completed")}
    return {name: _time(moment) for name, moment in moments.items() if moment is not None}


def _time(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


COMMANDS = {
    "operations": operations,
    "show-operation": show_operation,
    "show-task": show_task,
}
