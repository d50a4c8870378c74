"""Juju's `run`: actions on units, with the output of Juju 3.6."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from machine.client import ActionResult, ChangeError, TimeoutExpiredError
from machine.console import CommandError, Format, ModelOption, agent, duration, emit
from machine.juju_client import JujuClient


def run(
    arguments: Annotated[list[str], typer.Argument(metavar="UNIT... ACTION [KEY=VALUE...]")],
    model: ModelOption = None,
    form: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.PLAIN,
    params: Annotated[Path | None, typer.Option("--params", help="YAML file of them.")] = None,
    string_args: Annotated[bool, typer.Option(help="Values are text, not YAML.")] = False,
    wait: Annotated[
        str, typer.Option("--wait", help="How long, e.g. 90s; 0: as long as.")
    ] = "60s",
    utc: Annotated[bool, typer.Option("--utc", help="Accepted.")] = False,
) -> int:
    """Run an action on units and print its results."""
    units = [a for a in arguments if "/" in a.partition("=")[0]]
    named = [a for a in arguments[len(units) :] if "=" not in a]
    if not units or arguments[: len(units)] != units or len(named) != 1:
        raise CommandError("expected units, one action, and its parameters as KEY=VALUE")
    given = _params(params, arguments[len(units) + 1 :], string_args)
    client, timeout = agent(model), duration(wait) or None
    results = _on_each(units, lambda unit: client.run(unit, named[0], given, timeout, _told))
    print_results(results, form)
    _check(results)
    return 0


def execute(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="For the shell.")],
    model: ModelOption = None,
    unit: Annotated[list[str] | None, typer.Option("--unit", "-u", help="With commas.")] = None,
    application: Annotated[
        list[str] | None, typer.Option("--application", "--app", "-a", help="All their units.")
    ] = None,
    machine: Annotated[str | None, typer.Option("--machine", help="Not offered.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.PLAIN,
    wait: Annotated[str, typer.Option("--wait", help="How long; 0: as long as.")] = "5m",
    utc: Annotated[bool, typer.Option("--utc", help="Accepted.")] = False,
) -> int:
    """Run a command of the shell on units, with the tools of a hook."""
    if machine is not None:
        raise CommandError("exec --machine is not offered on this host: name a --unit")
    client, timeout = agent(model), duration(wait) or None
    units = [name for text in unit or () for name in text.split(",")]
    for name in (name for text in application or () for name in text.split(",")):
        units += _units_of(client, name)
    if not units:
        raise CommandError("You must specify a target, either through --application or --unit")
    text = command[0] if len(command) == 1 else shlex.join(command)
    results = _on_each(units, lambda unit: client.execute(unit, text, timeout))
    if form is Format.PLAIN and len(results) == 1:
        typer.echo(results[0].results.get("stdout", ""), nl=False)
        typer.echo(results[0].results.get("stderr", ""), nl=False, err=True)
    else:
        emit({result.unit: as_task(result) for result in results}, form)
    _check(results)
    return 0


def _units_of(client: JujuClient, application: str) -> list[str]:
    known = client.status()["applications"]
    if application not in known:
        raise CommandError(f'application "{application}" not found')
    return list(known[application].get("units", {}))


def _on_each(units: Sequence[str], run: Callable[[str], ActionResult]) -> list[ActionResult]:
    """Run on all units at a time; without those where it could not be scheduled."""
    with ThreadPoolExecutor(len(units)) as threads:
        runs = [threads.submit(_run, unit, run) for unit in units]
    return [r for r in (run.result() for run in runs) if r is not None]


def _check(results: Iterable[ActionResult]) -> None:
    """Complain about the tasks that failed, as Juju does."""
    codes = {result.id: as_task(result)["results"]["return-code"] for result in results}
    failed = [f' - id "{number}" with return code {c}' for number, c in codes.items() if c]
    if failed:
        tasks = "\n".join(failed)
        raise CommandError(f"the following task{'s' * (len(failed) > 1)} failed:\n{tasks}\n")


def _told(line: str) -> None:
    """Print what an action logs, as it comes."""
    typer.echo(f"{time.strftime('%H:%M:%S')} {line}", err=True)


def _run(unit: str, run: Callable[[str], ActionResult]) -> ActionResult | None:
    """Run the action; None where it could not be scheduled, which Juju tells and forgives."""
    try:
        result = run(unit)
    except TimeoutExpiredError:
        raise CommandError(f"timed out waiting for results from: unit {unit}") from None
    except ChangeError as e:
        typer.echo(f"Operation failed to schedule any tasks:\n{e}", err=True)
        return None
    tag = f"unit-{result.unit.replace('/', '-')}"
    typer.echo(f"Running operation {result.id} with 1 task", err=True)
    typer.echo(f"  - task {result.id} on {tag}\n", err=True)
    return result


def print_results(results: Iterable[ActionResult], form: Format) -> None:
    """Print what tasks gave."""
    if form is not Format.PLAIN:
        emit({result.unit: as_task(result) for result in results}, form)
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
        *above, last = key.split(".")
        inner = params
        for step in above:
            inner = inner.setdefault(step, {})
        inner[last] = value if text else _yaml(value)
    return params


def _yaml(value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


COMMANDS = {"run": run, "exec": execute}
