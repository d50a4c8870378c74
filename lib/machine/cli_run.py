"""Juju's `run` and `exec`: actions and commands on units, with the output of Juju 3.6."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from machine.client import ActionResult, Queued, TimeoutExpiredError
from machine.console import (
    CommandError,
    Format,
    FormatOption,
    ModelOption,
    agent,
    duration,
    emit,
    inform,
)
from machine.juju_client import JujuClient

_EXEC = "juju-exec"
_KEY = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z](?:[a-z0-9-]*[a-z0-9])?)*")
_Background = Annotated[bool, typer.Option("--background", help="Do not wait for the end.")]
_Utc = Annotated[bool, typer.Option("--utc", help="Accepted.")]


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
) -> None:
    """Run an action on units and print its results."""
    units = [a for a in arguments if "/" in a.partition("=")[0]]
    named = [a for a in arguments[len(units) :] if "=" not in a]
    if not units or arguments[: len(units)] != units or len(named) != 1:
        raise CommandError("expected units, one action, and its parameters as KEY=VALUE")
    if background and wait is not None:
        raise CommandError("cannot specify both --wait and --background")
    given = _params(params, arguments[len(units) + 1 :], string_args)
    limit = duration("60s" if wait is None else wait) or None
    client = agent(model)
    queued = client.enqueue(units, named[0], given)
    _unscheduled(queued)
    if background:
        _scheduled(queued)
        return
    if queued.tasks:
        inform(_listed("Running", queued) + "\n")
    results = _results(client, queued, limit)
    print_results(results, form)
    _check(results)


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
    utc: _Utc = False,
) -> None:
    """Run a command of the shell on units, with the tools of a hook."""
    if machine is not None or every:
        option = "--all" if every else "--machine"
        raise CommandError(f"exec {option} is not offered on this host: name a --unit")
    client, limit = agent(model), duration(wait) or None
    units = [name for text in unit or () for name in text.split(",")]
    for name in (name for text in application or () for name in text.split(",")):
        units += _units_of(client, name)
    if not units:
        raise CommandError("You must specify a target, either through --application or --unit")
    text = command[0] if len(command) == 1 else shlex.join(command)
    queued = client.enqueue(units, _EXEC, {"command": text})
    _unscheduled(queued)
    if background:
        _scheduled(queued)
        return
    # A command's own output is the answer here (Juju's exec hides progress).
    if queued.tasks:
        inform(_listed("Running", queued) + "\n", detail=True)
    results = _results(client, queued, limit)
    if form is Format.PLAIN and len(results) == 1:
        typer.echo(results[0].results.get("stdout", ""), nl=False)
        typer.echo(results[0].results.get("stderr", ""), nl=False, err=True)
    else:
        print_results(results, form)
    _check(results)


def _units_of(client: JujuClient, application: str) -> list[str]:
    known = client.status()["applications"]
    if application not in known:
        raise CommandError(f'application "{application}" not found')
    return list(known[application].get("units", {}))


def _unscheduled(queued: Queued) -> None:
    """Say what could not be scheduled, which Juju tells and forgives."""
    if queued.errors:
        what = "some" if queued.tasks else "any"
        errors = "\n".join(queued.errors.values())
        inform(f"Operation failed to schedule {what} tasks:\n{errors}")


def _scheduled(queued: Queued) -> None:
    """Say what runs in the background, and how it is looked after."""
    tasks, number = list(queued.tasks.values()), queued.operation
    if not tasks:
        return
    if len(tasks) == 1:
        inform(f"Scheduled operation {number} with task {tasks[0]}")
    else:
        inform(_listed("Scheduled", queued))
    inform(f"Check operation status with 'juju show-operation {number}'")
    which = tasks[0] if len(tasks) == 1 else "<id>"
    inform(f"Check task status with 'juju show-task {which}'")


def _listed(done: str, queued: Queued) -> str:
    """The operation with its tasks, each in a line."""
    plural = "s" * (len(queued.tasks) > 1)
    first = f"{done} operation {queued.operation} with {len(queued.tasks)} task{plural}"
    tasks = queued.tasks.items()
    return "\n".join(
        [first, *(f"  - task {task} on unit-{unit.replace('/', '-')}" for unit, task in tasks)]
    )


def _results(client: JujuClient, queued: Queued, timeout: float | None) -> list[ActionResult]:
    """How the tasks ended.

    Raises:
        CommandError: some have not ended in `timeout` seconds.
    """

    def ended(task: str) -> ActionResult | None:
        try:
            return client.ended(task, timeout, _told)
        except TimeoutExpiredError:
            return None

    if not queued.tasks:
        return []
    with ThreadPoolExecutor(len(queued.tasks)) as threads:
        found = dict(zip(queued.tasks, threads.map(ended, queued.tasks.values()), strict=True))
    late = [f"unit {unit}" for unit, result in found.items() if result is None]
    if late:
        raise CommandError(f"timed out waiting for results from: {', '.join(late)}")
    return [result for result in found.values() if result is not None]


def _check(results: Iterable[ActionResult]) -> None:
    """Complain about the tasks that failed, as Juju does."""
    codes = {result.id: as_task(result)["results"]["return-code"] for result in results}
    failed = [f' - id "{number}" with return code {c}' for number, c in codes.items() if c]
    if failed:
        tasks = "\n".join(failed)
        raise CommandError(f"the following task{'s' * (len(failed) > 1)} failed:\n{tasks}\n")


def _told(line: str) -> None:
    """Print what an action logs, as it comes."""
    inform(f"{time.strftime('%H:%M:%S')} {line}")


def print_results(results: Sequence[ActionResult], form: Format) -> None:
    """Print what tasks gave."""
    if form is not Format.PLAIN or len(results) > 1:
        emit(
            {result.unit: as_task(result) for result in results},
            Format.YAML if form is Format.PLAIN else form,
        )
        return
    for result in results:
        if shown := {k: v for k, v in result.results.items() if k != "return-code"}:
            emit(shown, Format.YAML)
        if result.message:
            typer.echo(result.message, err=True)


def as_task(result: ActionResult) -> dict[str, Any]:
    """A task in the shape of `juju run --format json`."""
    code = 0 if result.status == "completed" else 1
    return {
        "id": result.id,
        **({"log": list(result.log)} if result.log else {}),
        **({"message": result.message} if result.message else {}),
        "results": {"return-code": code, **result.results},
        "status": result.status,
        "unit": result.unit,
    }


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
        key, _, value = pair.partition("=")
        _put(params, key, value if text else _yaml(value))
    return params


def _put(params: dict[str, Any], key: str, value: Any) -> None:
    if not _KEY.fullmatch(key):
        raise CommandError(
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
