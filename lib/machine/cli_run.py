"""Juju's `run` and `exec`: actions and commands on units, with the output of Juju 3.6."""

from __future__ import annotations

import itertools
import re
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from machine.client import ActionResult, Queued, TimeoutExpiredError
from machine.console import (
    APPLICATION,
    CommandError,
    Format,
    FormatOption,
    ModelOption,
    UsageError,
    agent,
    duration,
    emit,
    inform,
    units_of,
)
from machine.juju_client import JujuClient
from machine.task_output import print_outputs, print_results

_EXEC = "juju-exec"
_UNIT = re.compile(rf"{APPLICATION.pattern}/(0|[1-9]\d*|leader)")
_ACTION = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_KEY = re.compile(rf"{_ACTION.pattern}(?:\.{_ACTION.pattern})*")
_Background = Annotated[bool, typer.Option("--background", help="Do not wait for the end.")]
_Utc = Annotated[bool, typer.Option("--utc", help="Accepted.")]
_Color = Annotated[bool, typer.Option("--color/--no-color", help="Accepted.")]


def run(
    arguments: Annotated[list[str], typer.Argument(metavar="UNIT... ACTION [KEY=VALUE...]")],
    model: ModelOption = None,
    form: FormatOption = Format.PLAIN,
    params: Annotated[Path | None, typer.Option("--params", help="YAML file of them.")] = None,
    string_args: Annotated[
        bool, typer.Option("--string-args", help="Values are text, not YAML.")
    ] = False,
    wait: Annotated[
        str | None, typer.Option("--wait", help="How long, e.g. 90s; 0: as long as.")
    ] = None,
    background: _Background = False,
    utc: _Utc = False,
    color: _Color = False,
) -> None:
    """Run an action on units and print its results."""
    if background and wait is not None:
        raise UsageError("cannot specify both --wait and --background")
    units, action, pairs = _order(arguments)
    given = _params(params, pairs, string_args)
    limit = duration("60s" if wait is None else wait) or None
    client = agent(model)
    queued = client.enqueue(units, action, given)
    _unscheduled(queued)
    if background:
        _scheduled(queued)
        return
    if queued.tasks:
        inform(_running(queued))
    results = _results(client, queued, limit)
    print_results(results, form)
    _check(results)


def _order(arguments: Sequence[str]) -> tuple[list[str], str, Sequence[str]]:
    """Units, the action, and its parameters (cmd/juju/action/run.go)."""
    units = list(itertools.takewhile(_UNIT.fullmatch, arguments))
    action, *pairs = [*arguments[len(units) :], ""]
    if action and not _ACTION.fullmatch(action):
        raise UsageError(f'invalid unit or action name "{action}"')
    if not units or not action:
        raise UsageError("no action specified" if units else "no unit specified")
    if len({unit.partition("/")[0] for unit in units}) > 1:
        raise UsageError("all units must be of the same application")
    return units, action, pairs[:-1]


def execute(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="For the shell.")],
    model: ModelOption = None,
    unit: Annotated[list[str] | None, typer.Option("--unit", "-u", help="With commas.")] = None,
    application: Annotated[
        list[str] | None, typer.Option("--application", "--app", "-a", help="All their units.")
    ] = None,
    machine: Annotated[str | None, typer.Option("--machine", help="Not offered.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Not offered.")] = False,
    form: FormatOption = Format.PLAIN,
    wait: Annotated[str, typer.Option("--wait", help="How long; 0: as long as.")] = "5m",
    background: _Background = False,
    parallel: Annotated[
        bool, typer.Option("--parallel/--no-parallel", help="Accepted: units run side by side.")
    ] = True,
    execution_group: Annotated[str, typer.Option(help="Accepted.")] = "",
    operator: Annotated[bool, typer.Option("--operator", help="Not offered.")] = False,
    utc: _Utc = False,
    color: _Color = False,
) -> None:
    """Run a command of the shell on units, with the tools of a hook."""
    if operator:
        raise CommandError("exec --operator is not offered on this host: it is for Kubernetes")
    if machine is not None or every:
        option = "--all" if every else "--machine"
        raise CommandError(f"exec {option} is not offered on this host: name a --unit")
    limit = duration(wait) or None
    if not unit and not application:
        raise UsageError(
            "You must specify a target, either through --all, --machine, --application or --unit"
        )
    units = [name for text in unit or () for name in text.split(",")]
    if wrong := [f'  "{u}" is not a valid unit name' for u in units if not _UNIT.fullmatch(u)]:
        raise UsageError("\n".join(["The following exec targets are not valid:", *wrong]))
    client = agent(model)
    for name in (name for text in application or () for name in text.split(",")):
        units += _units_of(client, name)
    text = command[0] if len(command) == 1 else shlex.join(command)
    queued = client.enqueue(units, _EXEC, {"command": text})
    _unscheduled(queued)
    if background:
        _scheduled(queued)
        return
    # A command's own output is the answer here (Juju's exec hides progress).
    if queued.tasks:
        inform(_running(queued), detail=True)
    results = _results(client, queued, limit, hidden=True)
    print_outputs(results, form)
    _check(results)


def _units_of(client: JujuClient, application: str) -> list[str]:
    status = client.status()
    if application not in status["applications"]:
        raise CommandError(f'application "{application}" not found')
    return [unit for unit in units_of(status) if unit.rpartition("/")[0] == application]


def _unscheduled(queued: Queued) -> None:
    """Say what could not be scheduled, which Juju tells and forgives."""
    errors = "\n".join(queued.errors.values())
    if not queued.tasks:
        inform(f"Operation {queued.operation} failed to schedule any tasks:\n{errors}")
    elif errors:
        inform(f"Some actions could not be scheduled:\n{errors}\n\n")


def _scheduled(queued: Queued) -> None:
    """Say what runs in the background, and how it is looked after."""
    tasks, number = list(queued.tasks.values()), queued.operation
    if not tasks:
        return
    if len(tasks) == 1:
        inform(f"Scheduled operation {number} with task {tasks[0]}")
    else:
        inform(f"Scheduled operation {number} with {len(tasks)} tasks")
        emit({unit: {"id": task} for unit, task in queued.tasks.items()}, Format.YAML)
    inform(f"Check operation status with 'juju show-operation {number}'")
    which = tasks[0] if len(tasks) == 1 else "<id>"
    inform(f"Check task status with 'juju show-task {which}'")


def _running(queued: Queued) -> str:
    """The operation with its tasks, each in a line, and an empty one."""
    plural = "s" * (len(queued.tasks) > 1)
    first = f"Running operation {queued.operation} with {len(queued.tasks)} task{plural}"
    tasks = queued.tasks.items()
    return "\n".join(
        [first, *(f"  - task {task} on unit-{unit.replace('/', '-')}" for unit, task in tasks), ""]
    )


def _results(
    client: JujuClient, queued: Queued, timeout: float | None, *, hidden: bool = False
) -> list[ActionResult]:
    """How the tasks ended; what one that is alone logs is told as it comes.

    Raises:
        CommandError: some have not ended in `timeout` seconds.
    """
    deadline = timeout and time.monotonic() + timeout
    told = _told if len(queued.tasks) == 1 else _untold
    found: list[ActionResult] = []
    for number, task in enumerate(queued.tasks.values()):
        inform(f"Waiting for task {task}...\n", detail=hidden)
        left = deadline and max(deadline - time.monotonic(), 0.001)
        try:
            found.append(client.ended(task, left, told))
        except TimeoutExpiredError:
            late = ", ".join(f"unit {unit}" for unit in [*queued.tasks][number:])
            raise CommandError(f"timed out waiting for results from: {late}") from None
    return found


def _check(results: Iterable[ActionResult]) -> None:
    """Complain about the tasks that failed, as Juju does."""
    codes = {r.id: r.results.get("return-code", int(r.status != "completed")) for r in results}
    failed = [f' - id "{number}" with return code {c}' for number, c in codes.items() if c]
    if failed:
        tasks = "\n".join(failed)
        plural = "s" * (len(failed) > 1)
        raise CommandError(
            f"the following task{plural} failed:\n{tasks}\n\n"
            f"use 'juju show-task' to inspect the failure{plural}\n"
        )


def _told(line: str) -> None:
    """Print what an action logs, as it comes."""
    inform(f"{time.strftime('%H:%M:%S')} {line}")


def _untold(_: str) -> None:
    """Leave what one of several actions logs to the results."""


def _params(file: Path | None, pairs: Iterable[str], text: bool) -> dict[str, Any]:
    """Parameters of a YAML file, over which go the command line's, dotted keys nested."""
    params: dict[str, Any] = {}
    if file is not None:
        try:
            loaded = yaml.safe_load(file.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
            raise CommandError(f"cannot read {file}: {e}") from None
        if not isinstance(loaded, dict | None):
            raise CommandError(f"{file}: expected a mapping of parameters")
        params |= cast("dict[str, Any]", loaded or {})
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise UsageError(f'argument "{pair}" must be of the form key.key.key...=value')
        _put(params, key, value if text else _yaml(value))
    return params


def _put(params: dict[str, Any], key: str, value: Any) -> None:
    if not _KEY.fullmatch(key):
        raise UsageError(
            f'key "{key}" must start and end with lowercase alphanumeric, and contain only '
            "lowercase alphanumeric and hyphens"
        )
    *above, last = key.split(".")
    inner = params
    for step in above:
        below = inner.setdefault(step, {})
        if not isinstance(below, dict):
            raise CommandError(f'key "{key}" is below a value that is no mapping')
        inner = cast("dict[str, Any]", below)
    inner[last] = value


def _yaml(value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def by_operation(actions: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Tasks by the operation that they belong to, the oldest first."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for action in actions.values():
        found.setdefault(action["operation"] or action["id"], []).append(action)
    return found
