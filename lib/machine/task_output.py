"""Tasks as `juju run`, `exec` and `show-task` print them (cmd/juju/action, common.go, exec.go)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from machine.client import ActionResult
from machine.console import Format, emit, in_yaml

RUNNING = ("pending", "running", "aborting")
"""What a task is that has not ended."""

_BY_THE_PROCESS = ("return-code", "stdout", "stderr")


def as_task(result: ActionResult) -> dict[str, Any]:
    """A task in the shape of `juju run --format json`."""
    ended = result.status not in RUNNING
    code = 0 if result.status == "completed" else 1
    lines = zip(result.logged, result.log, strict=False)
    log = [f"{moment(when)} {line}" for when, line in lines] or list(result.log)
    return {
        "id": result.id,
        **({"log": log} if log else {}),
        **({"message": result.message} if result.message else {}),
        **({"results": {"return-code": code, **result.results}} if ended else {}),
        "status": result.status,
        "timing": timing(result.times),
        "unit": result.unit,
    }


def timing(moments: Mapping[str, float | None]) -> dict[str, str]:
    """When a task was enqueued, started and completed, as far as it was."""
    return {key: moment(when) for key, when in moments.items() if when is not None}


def moment(seconds: float) -> str:
    """A time since the epoch as Go prints one."""
    time = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


def print_results(results: Sequence[ActionResult], form: Format) -> None:
    """Print what actions gave, by their units."""
    if not results:
        return
    if form is not Format.PLAIN:
        emit({result.unit: as_task(result) for result in results}, form)
    elif len(results) == 1:
        _print_result(results[0])
    else:
        emit({result.unit: _summary(result) for result in results}, Format.YAML)


def _print_result(result: ActionResult) -> None:
    if result.status == "failed":
        typer.echo(f"Action id {result.id} failed: {result.message}")
    typer.echo(_output(result))
    for stream in ("stdout", "stderr"):
        if text := str(result.results.get(stream, "")):
            typer.echo(text.strip("\n"))


def _summary(result: ActionResult) -> dict[str, str]:
    message = {"message": result.message} if result.message else {}
    return {
        "id": result.id,
        **message,
        "output": _output(result),
        "status": result.status,
    }


def _output(result: ActionResult) -> str:
    """What an action set as its results."""
    if result.status in RUNNING:
        return f"Task {result.id} {result.status}\n"
    own = {k: v for k, v in result.results.items() if k not in _BY_THE_PROCESS}
    return in_yaml(own) if own else ""


def print_outputs(results: Sequence[ActionResult], form: Format) -> None:
    """Print what commands of the shell wrote, which is all there is to say of them."""
    if form is not Format.PLAIN:
        print_results(results, form)
        return
    for result in sorted(results, key=lambda r: _natural(r.unit)):
        written = "".join(_whole_lines(result.results.get(s, "")) for s in ("stdout", "stderr"))
        if len(results) > 1:
            typer.echo(f"{result.unit}:\n{written}")
        else:
            typer.echo(written, nl=False)


def _natural(unit: str) -> tuple[str, int]:
    application, _, number = unit.rpartition("/")
    return application, int(number)


def _whole_lines(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"
