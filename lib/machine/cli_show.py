"""Juju's commands that only look: status, version, show-unit, debug-log."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from machine.client import LogLine, RelationRecord
from machine.console import Format, ModelOption, agent, emit
from machine.tabular import format_tabular
from machine.version import JUJU_VERSION

FormatOption = Annotated[Format, typer.Option("--format", help="Form of the output.")]


def version(
    form: FormatOption = Format.PLAIN,
    whole: Annotated[bool, typer.Option("--all", help="All there is to say.")] = False,
) -> None:
    """Print the version of Juju whose behaviour this has."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(
        platform.machine(), platform.machine()
    )
    number = f"{JUJU_VERSION}-genericlinux-{architecture}"
    if whole:
        emit({"version": number, "compiler": "machine"}, form)
    elif form is Format.JSON:
        emit(number, form)
    else:
        typer.echo(number)


def status(
    selectors: Annotated[list[str] | None, typer.Argument(help="Applications or units.")] = None,
    model: ModelOption = None,
    form: FormatOption = Format.TABULAR,
    relations: Annotated[bool, typer.Option("--relations", help="Show relations.")] = False,
    storage: Annotated[bool, typer.Option("--storage", help="Show storage; always done.")] = False,
    utc: Annotated[bool, typer.Option("--utc", help="Accepted.")] = False,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Accepted.")] = False,
) -> None:
    """Report on the model, its machine, applications and units."""
    client = agent(model)
    found = client.status()
    if selectors:
        found["applications"] = {
            name: application
            for name, application in found["applications"].items()
            if _selected(name, application, selectors)
        }
    if form in (Format.JSON, Format.YAML):
        emit(found, form)
    else:
        rows = _relation_rows(client.relations()) if relations else ()
        typer.echo(format_tabular(found, rows))


def _selected(name: str, application: dict[str, Any], selectors: Iterable[str]) -> bool:
    """Whether an application or one of its units is asked for."""
    units = application.get("units", {})
    lodgers = (lodger for unit in units.values() for lodger in unit.get("subordinates", ()))
    return not {name, *units, *lodgers}.isdisjoint(selectors)


def _relation_rows(relations: Iterable[RelationRecord]) -> Iterable[tuple[str, ...]]:
    for relation in relations:
        provider, requirer = relation.endpoints[0], relation.endpoints[-1]
        peer = len(relation.endpoints) == 1
        kind = "peer" if peer else "subordinate" if relation.scope == "container" else "regular"
        yield provider, requirer, relation.interface, kind, ""


def show_unit(
    units: Annotated[list[str], typer.Argument(metavar="UNIT...", help="The units.")],
    model: ModelOption = None,
    form: FormatOption = Format.YAML,
) -> None:
    """Show units with their relations and what those hold."""
    client = agent(model)
    shown: dict[str, Any] = {}
    for unit in units:
        shown |= client.juju_unit(unit)
    emit(shown, form)


def debug_log(
    model: ModelOption = None,
    include: Annotated[
        list[str] | None, typer.Option("--include", "-i", help="Only these.")
    ] = None,
    level: Annotated[str, typer.Option("--level", "-l", help="This one or graver.")] = "DEBUG",
    limit: Annotated[int, typer.Option("--limit", help="Only the last so many.")] = 0,
    lines: Annotated[int, typer.Option("--lines", "-n", help="So many before following.")] = 10,
    tail: Annotated[bool, typer.Option("--tail", help="Follow new lines.")] = False,
    no_tail: Annotated[bool, typer.Option("--no-tail", help="Do not follow.")] = False,
    replay: Annotated[bool, typer.Option("--replay", help="From the first line on.")] = False,
    date: Annotated[bool, typer.Option("--date", help="Show dates.")] = False,
    ms: Annotated[bool, typer.Option("--ms", help="Show milliseconds.")] = False,
) -> None:
    """Print the log of the charms and the agent; where output is a terminal, follow it."""
    follow = not no_tail and not limit and (tail or sys.stdout.isatty())
    last = lines if follow and not replay else limit or None
    for line in agent(model).debug_log(follow, include or (), level.upper(), last):
        typer.echo(_line(line, date, ms))


def _line(line: LogLine, date: bool, ms: bool) -> str:
    """One line of the log as Juju prints it."""
    local = time.localtime(line.time)
    moment = time.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S", local)
    fraction = f".{int(line.time % 1 * 1000):03}" if ms else ""
    return f"{line.entity}: {moment}{fraction} {line.level} {line.module} {line.message}"


COMMANDS = {
    "version": version,
    "status": status,
    "show-unit": show_unit,
    "debug-log": debug_log,
}
