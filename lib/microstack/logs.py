"""`microstack debug-log` and `microstack logs`: what charms and services said."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from microstack.errors import Failure, UsageFailure
from microstack.installation import Installation, program
from workload.layout import Layout

COLOURS: Mapping[str, str] = {
    "WARNING": typer.colors.YELLOW,
    "ERROR": typer.colors.RED,
    "CRITICAL": typer.colors.RED,
}
LINES = 200


def debug_log(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    application: Annotated[
        list[str] | None,
        typer.Option("--app", metavar="APP", help="Only this application; may be repeated."),
    ] = None,
    level: Annotated[str, typer.Option("--level", "-l", help="Lowest level to show.")] = "INFO",
    limit: Annotated[
        int | None, typer.Option("--lines", "-n", help="How many lines, from the end.")
    ] = None,
) -> None:
    """Show what charms and the agent logged."""
    client = Installation.from_environment().machine()
    for line in client.debug_log(follow, application or (), level.upper(), limit):
        when = time.strftime("%H:%M:%S", time.localtime(line.time))
        head = typer.style(f"{line.entity}: {when}", dim=True)
        label = typer.style(line.level, fg=COLOURS.get(line.level))
        module = f"{line.module} " if line.module else ""
        typer.echo(f"{head} {label} {module}{line.message}")


def service_logs(
    service: Annotated[
        str | None, typer.Argument(help="A service, e.g. nova-compute; none: list them.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="How many lines, from the end.")
    ] = LINES,
) -> None:
    """Show a service's log; without a name, list them."""
    installation = Installation.from_environment()
    installation.require_root()
    files = log_files(installation.layout)
    if not files:
        raise Failure("nothing was started yet, so there are no logs", f"{program()} up")
    if service is None:
        for name in files:
            typer.echo(name)
        return
    if service not in files:
        raise _no_such_log(service, files)
    path = str(files[service])
    arguments = [f"--lines={lines}", *(["-F"] if follow else []), path]
    os.execvp("tail", ["tail", *arguments])  # noqa: S606 - no shell is wanted


def log_files(layout: Layout) -> dict[str, Path]:
    """Return the logs of services and of the appliance's own processes, by name."""
    folders = (layout.service_log, layout.log)
    return {
        path.stem: path for folder in folders for path in sorted(folder.glob("*.log"), key=_name)
    }


def _name(path: Path) -> str:
    """Return what to sort by: the name itself, as `.` comes after `-`."""
    return path.stem


def _no_such_log(service: str, known: Iterable[str]) -> UsageFailure:
    near = difflib.get_close_matches(service, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"{program()} logs lists them"
    return UsageFailure(f"there is no log of a service {service}", hint)


def last_lines(layout: Layout, service: str, count: int = 3) -> list[str]:
    """Return the end of a service's log; empty where there is none."""
    path = log_files(layout).get(service)
    if path is None:
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8192))
        text = file.read().decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()][-count:]
