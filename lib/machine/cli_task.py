"""Juju's commands about actions that ran: actions, operations, show-operation, show-task."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from machine.cli_run import by_operation
from machine.client import ChangeError, TimeoutExpiredError, action_result
from machine.console import (
    CommandError,
    Format,
    FormatOption,
    ModelOption,
    UsageError,
    agent,
    duration,
    emit,
    inform,
)
from machine.juju_client import JujuClient
from machine.tabular import table
from machine.task_output import as_task, moment, print_results, timing

_Names = list[str] | None
_Wait = Annotated[
    str | None, typer.Option("--wait", help="For its end, how long; 0s: as long as it takes.")
]
_Watch = Annotated[bool, typer.Option("--watch", help="Wait for its end.")]
_Utc = Annotated[bool, typer.Option("--utc", help="Accepted.")]
_NUMBER = re.compile(r"0|[1-9]\d*")


def actions(
    application: Annotated[str, typer.Argument(help="The application.")],
    model: ModelOption = None,
    schema: Annotated[bool, typer.Option("--schema", help="With their parameters.")] = False,
    form: FormatOption = Format.TABULAR,
) -> None:
    """List the actions of an application's charm."""
    found = agent(model).juju_charm_actions(application)
    if schema:
        emit(found, Format.JSON if form is Format.JSON else Format.YAML)
        return
    described = {name: action["description"] for name, action in found.items()}
    if form in (Format.JSON, Format.YAML):
        emit(described, form)
    elif described:
        typer.echo(table(("Action", "Description"), list(described.items())))
    else:
        inform(f"No actions defined for {application}.")


def show_action(
    application: Annotated[str, typer.Argument(help="The application.")],
    action: Annotated[str, typer.Argument(help="Its action.")],
    model: ModelOption = None,
    form: FormatOption = Format.YAML,
) -> None:
    """Show what an action is for and what it takes."""
    found = agent(model).juju_charm_actions(application)
    if action not in found:
        raise CommandError(f'unknown action "{action}"')
    emit(found[action], form)


def operations(
    model: ModelOption = None,
    form: FormatOption = Format.TABULAR,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Only the last so many.")] = 50,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Without the first.")] = 0,
    named: Annotated[_Names, typer.Option("--actions", help="Only these.")] = None,
    applications: Annotated[_Names, typer.Option("--applications", "--apps")] = None,
    units: Annotated[_Names, typer.Option("--units", help="Only of these.")] = None,
    machines: Annotated[_Names, typer.Option("--machines", help="None is of a machine.")] = None,
    status: Annotated[_Names, typer.Option("--status", help="Only in this one.")] = None,
    utc: _Utc = False,
) -> None:
    """List the actions and commands that ran or run."""
    wanted = {
        "name": _words(named),
        "application": _words(applications),
        "unit": _words(units),
        "status": _words(status),
        "machine": _words(machines),
    }
    found = {
        number: tasks
        for number, tasks in by_operation(agent(model).juju_actions()).items()
        if _wanted(tasks, wanted)
    }
    chosen = list(found.items())[offset:]
    last = dict(chosen[-limit:] if limit else chosen)
    if form in (Format.JSON, Format.YAML):
        emit({number: _operation(tasks) for number, tasks in last.items()}, form)
        return
    if not last:
        inform("no matching operations")
        return
    header = ("ID", "Status", "Started", "Finished", "Task IDs", "Summary")
    typer.echo(table(header, [_row(number, tasks) for number, tasks in last.items()]))


def _words(texts: _Names) -> set[str]:
    return {word for text in texts or () for word in text.split(",")}


def _wanted(tasks: Sequence[Mapping[str, Any]], wanted: Mapping[str, set[str]]) -> bool:
    def has(key: str) -> set[str]:
        if key == "status":
            return {_status(tasks)}
        if key == "machine":
            return set()  # commands are run on units alone
        if key == "application":
            return {task["unit"].rpartition("/")[0] for task in tasks}
        return {task[key] for task in tasks}

    return all(not words or words & has(key) for key, words in wanted.items())


def show_operation(
    number: Annotated[str, typer.Argument(metavar="ID", help="The operation.")],
    model: ModelOption = None,
    form: FormatOption = Format.YAML,
    wait: _Wait = None,
    watch: _Watch = False,
    utc: _Utc = False,
) -> None:
    """Show an operation."""
    waits, limit = _patience(wait, watch)
    if not _NUMBER.fullmatch(number):
        raise UsageError(f'operation ID "{number}" not valid')
    client = agent(model)
    tasks = by_operation(client.juju_actions()).get(number)
    if tasks is None:
        raise CommandError(f'operation "{number}" not found')
    if waits:
        for task in tasks:
            _until_ended(client, task["id"], limit)
        tasks = by_operation(client.juju_actions())[number]
    emit(_operation(tasks), form)


def show_task(
    number: Annotated[str, typer.Argument(metavar="ID", help="The task.")],
    model: ModelOption = None,
    form: FormatOption = Format.PLAIN,
    wait: _Wait = None,
    watch: _Watch = False,
    utc: _Utc = False,
) -> None:
    """Show what a task gave."""
    waits, limit = _patience(wait, watch)
    _check_task(number)
    client = agent(model)
    if waits:
        _until_ended(client, number, limit)
    found = client.juju_actions()
    if number not in found:
        raise CommandError(f'task "{number}" not found')
    result = action_result(found[number])
    if form is Format.PLAIN:
        print_results([result], form)
    else:
        emit(as_task(result), form)


def _patience(wait: str | None, watch: bool) -> tuple[bool, float | None]:
    """Whether to wait for an end, and for how many seconds; None is as long as it takes."""
    if watch and wait is not None:
        raise UsageError("specify either --watch or --wait but not both")
    if watch or wait is None:
        return watch, None
    limit = duration(wait.removeprefix("-"))
    return not wait.startswith("-"), limit or None


def _check_task(number: str) -> None:
    if not _NUMBER.fullmatch(number):
        raise UsageError(f'task ID "{number}" not valid')


def _until_ended(client: JujuClient, number: str, timeout: float | None) -> None:
    try:
        client.ended(number, timeout)
    except TimeoutExpiredError:
        raise CommandError("timed out waiting for results") from None


def cancel_task(
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="The tasks.")
    ] = None,
    model: ModelOption = None,
    form: FormatOption = Format.YAML,
) -> None:
    """Take back tasks, and have those that run ended."""
    if not numbers:
        raise CommandError("no task IDs specified")
    for number in numbers:
        _check_task(number)
    client = agent(model)
    emit({"actions": [_cancelled(client, number) for number in numbers]}, form)


def _cancelled(client: JujuClient, number: str) -> dict[str, Any]:
    """A task in the shape of `juju cancel-task` (cmd/juju/action/cancel.go).

    One that there is not is no failure: it is told of among the others.
    """
    try:
        task = client.cancel_task(number)
    except ChangeError:
        error = f'action "{number}" not found'
        unknown = {"action": "", "completed at": "n/a", "error": error, "id": number}
        return {**unknown, "status": "", "unit": ""}
    ended = task["completed"]
    return {
        "action": task["name"],
        "completed at": "n/a" if ended is None else moment(ended).removesuffix(" +0000 UTC"),
        "id": task["id"],
        "status": task["status"],
        "unit": task["unit"],
    }


# ---- in Juju's shapes


def _operation(tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = tasks[0]
    return {
        "summary": _summary(tasks),
        "status": _status(tasks),
        "action": {"name": first["name"], "parameters": first["params"]},
        "timing": _timing_of_all(tasks),
        "tasks": {
            task["id"]: {
                "host": task["unit"],
                **as_task(action_result(task)),
            }
            for task in tasks
        },
    }


def _status(tasks: Sequence[Mapping[str, Any]]) -> str:
    """What an operation is: running while any task is, else as the worst of them."""
    found = {task["status"] for task in tasks}
    for status in ("running", "aborting", "pending", "failed", "aborted", "cancelled"):
        if status in found:
            return status
    return "completed"


def _summary(tasks: Sequence[Mapping[str, Any]]) -> str:
    tags = (f"unit-{task['unit'].replace('/', '-')}" for task in tasks)
    return f"{tasks[0]['name']} run on {','.join(tags)}"


def _row(number: str, tasks: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    times = _timing_of_all(tasks)
    # In a table without zone, and with so many ids (cmd/juju/action/listoperations.go).
    moments = (times.get(key, "")[:19].replace(" ", "T") for key in ("started", "completed"))
    ids = ",".join(task["id"] for task in tasks[:5]) + "..." * (len(tasks) > 5)
    return number, _status(tasks), *moments, ids, _summary(tasks)


def _timing_of_all(tasks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    first = {key: min(_known(tasks, key), default=None) for key in ("enqueued", "started")}
    ended = list(_known(tasks, "completed"))
    return timing({**first, "completed": max(ended) if len(ended) == len(tasks) else None})


def _known(tasks: Sequence[Mapping[str, Any]], key: str) -> Iterator[float]:
    return (task[key] for task in tasks if task[key] is not None)
