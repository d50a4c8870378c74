"""`microstack status`: how applications and services are, as `juju status` shows it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from microstack.errors import Failure
from microstack.installation import Installation
from microstack.model import Status

if TYPE_CHECKING:
    from workload.runtime.status import ServiceStatus

EXAMPLES = """\b
Examples:
  microstack status
  microstack status --watch
  microstack status --format json | jq '.applications[]."application-status".current'
"""

CLEAR = "\033[H\033[2J"
UNWELL = ("restarting", "failed")


class Format(StrEnum):
    """What the status is written as."""

    TABULAR = "tabular"
    JSON = "json"
    YAML = "yaml"


def status(
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TABULAR,
    watch: Annotated[bool, typer.Option("--watch", help="Again after each change.")] = False,
) -> None:
    """Show applications, units and failing services."""
    installation = Installation.from_environment()
    machine = installation.machine()
    if not watch:
        typer.echo(written(machine.status(), form, failing(installation)))
        return
    for current in machine.watch():
        text = written(current, form, failing(installation))
        if sys.stdout.isatty():
            text = CLEAR + cropped(text, shutil.get_terminal_size().columns)
        typer.echo(text)


def cropped(text: str, columns: int) -> str:
    """Return lines that a terminal does not wrap, for a table that is shown again and again."""
    return "\n".join(
        line if len(line) <= columns else f"{line[: columns - 1]}…" for line in text.splitlines()
    )


def failing(installation: Installation) -> list[ServiceStatus]:
    """Return the services that died; none where the snap runtime cannot be asked."""
    from workload.runtime.client import ClientError

    try:
        services = installation.services().services()
    except (Failure, ClientError):
        return []
    return [service for service in services if service.state in UNWELL]


def written(status: Status, form: Format, failing: Iterable[ServiceStatus]) -> str:
    """Return the status as text; JSON and YAML are the machine's, unchanged."""
    if form is Format.JSON:
        return json.dumps(status)
    if form is Format.YAML:
        import yaml

        return yaml.safe_dump(dict(status), sort_keys=False).rstrip()
    from machine.tabular import format_tabular

    parts = [format_tabular(status), *services_table(failing)]
    return "\n\n".join(parts)


def services_table(services: Iterable[ServiceStatus]) -> list[str]:
    """Return the table of services that are not well, each with its last lines."""
    rows = [(s.name, s.state, str(s.deaths), s.reason, s.lines) for s in services]
    if not rows:
        return []
    width = max(len("Service"), *(len(row[0]) for row in rows))
    lines = [f"{'Service':{width}}  {'State':10}  Deaths  Reason"]
    for name, state, deaths, reason, last in rows:
        lines.append(f"{name:{width}}  {state:10}  {deaths:>6}  {reason}")
        lines += [f"    {line}" for line in last]
    return ["\n".join(lines)]
