"""Juju's commands that only look: status, version, show-unit, show-application, debug-log."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from machine.client import LogLine, RelationRecord
from machine.console import (
    UNIT,
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
from machine.selection import select
from machine.summary import format_oneline, format_summary
from machine.tabular import format_tabular
from machine.version import JUJU_VERSION, USER


class StatusFormat(StrEnum):
    """How `status` prints the model; `oneline`, `short` and `line` are the same."""

    TABULAR = "tabular"
    JSON = "json"
    YAML = "yaml"
    ONELINE = "oneline"
    SHORT = "short"
    LINE = "line"
    SUMMARY = "summary"


_StatusFormatOption = Annotated[StatusFormat, typer.Option("--format", help="Form of the output.")]
_BRIEF = {
    StatusFormat.SUMMARY: format_summary,
    **dict.fromkeys(("oneline", "short", "line"), format_oneline),
}
_Names = list[str] | None
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR")


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
    form: _StatusFormatOption = StatusFormat.TABULAR,
    relations: Annotated[bool, typer.Option("--relations", help="Show relations.")] = False,
    integrations: Annotated[bool, typer.Option("--integrations", help="--relations.")] = False,
    storage: Annotated[bool, typer.Option("--storage", help="Show storage.")] = False,
    watch: Annotated[
        str | None, typer.Option("--watch", help="Go on, and print it whenever it changes.")
    ] = None,
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC.")] = False,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Accepted.")] = False,
    retry_count: Annotated[int, typer.Option("--retry-count", help="Accepted.")] = 3,
    retry_delay: Annotated[str, typer.Option("--retry-delay", help="Accepted.")] = "100ms",
) -> None:
    """Report on the model, its machine, applications and units."""
    client = agent(model)

    def show(found: dict[str, Any]) -> None:
        chosen = select(found, selectors or ())
        if form in (StatusFormat.JSON, StatusFormat.YAML):
            emit(chosen, Format(form.value))
            return
        if form in _BRIEF:
            typer.echo(_BRIEF[form](chosen))
            return
        if not storage:
            chosen["storage"] = {}
        shown = relations or integrations
        rows = _relation_rows(client.relations(), chosen) if shown else ()
        typer.echo(format_tabular(chosen, rows))
        if not chosen["applications"] and not chosen.get("application-endpoints"):
            nothing = (
                f"Nothing matched specified filter{'s' * (len(selectors) > 1)}."
                if selectors
                else f'\nModel "{USER}/{found["model"]["name"]}" is empty.'
            )
            inform(nothing)

    if watch is None:
        show(client.status())
        return
    duration(watch)
    for found in client.watch():
        if sys.stdout.isatty():
            typer.echo("\033[H\033[2J", nl=False)
        show(found)


def _relation_rows(
    relations: Iterable[RelationRecord], chosen: Mapping[str, Any]
) -> Iterable[tuple[str, ...]]:
    for relation in relations:
        provider, requirer = relation.endpoints[0], relation.endpoints[-1]
        ends = {end.partition(":")[0] for end in relation.endpoints}
        if ends.isdisjoint(chosen["applications"]):
            continue
        peer = len(relation.endpoints) == 1
        kind = "peer" if peer else "subordinate" if relation.scope == "container" else "regular"
        yield provider, requirer, relation.interface, kind, ""


def show_unit(
    units: Annotated[list[str], typer.Argument(metavar="UNIT...", help="The units.")],
    model: ModelOption = None,
    app: Annotated[bool, typer.Option("--app", help="Only what applications hold.")] = False,
    endpoint: Annotated[str, typer.Option("--endpoint", help="Only its relations.")] = "",
    related_unit: Annotated[str, typer.Option("--related-unit", help="Only its data.")] = "",
    form: FormatOption = Format.YAML,
) -> None:
    """Show units with their relations and what those hold."""
    if related_unit and not UNIT.fullmatch(related_unit):
        raise UsageError(f"related unit name {related_unit} not valid")
    if wrong := [unit for unit in units if not UNIT.fullmatch(unit)]:
        raise UsageError(f"unit name{'s' * (len(wrong) > 1)} {', '.join(wrong)} not valid")
    client = agent(model)
    shown: dict[str, Any] = {}
    for unit in units:
        shown |= client.juju_unit(unit)
    for unit in shown.values():
        relations = [
            _some_data(relation, app, related_unit)
            for relation in unit.pop("relation-info", [])
            if endpoint in ("", relation["endpoint"])
        ]
        if kept := [r for r in relations if app or endpoint or _holds(r)]:
            unit["relation-info"] = kept
    emit(shown, form)


def _holds(relation: Mapping[str, Any]) -> bool:
    """Whether there is anything to show of a relation; Juju leaves out what is empty."""
    own = relation.get("local-unit", {}).get("data")
    return bool(relation["application-data"] or relation.get("related-units") or own)


def _some_data(relation: dict[str, Any], app: bool, related: str) -> dict[str, Any]:
    """A relation of `show-unit` without the databags that were not asked for."""
    left_out = {"local-unit", "related-units"} if app or related else set[str]()
    units = relation.get("related-units", {})
    only = {related: units[related]} if related in units and not app else {}
    kept = {key: value for key, value in relation.items() if key not in left_out}
    return {**kept, **({"related-units": only} if only else {})}


def show_application(
    applications: Annotated[list[str], typer.Argument(metavar="APP...", help="Which.")],
    model: ModelOption = None,
    form: FormatOption = Format.YAML,
) -> None:
    """Show applications."""
    client = agent(model)
    emit({name: client.juju_application(name) for name in applications}, form)


def debug_log(
    model: ModelOption = None,
    include: Annotated[_Names, typer.Option("--include", "-i", help="Only these.")] = None,
    exclude: Annotated[_Names, typer.Option("--exclude", "-x", help="Not these.")] = None,
    include_module: Annotated[_Names, typer.Option("--include-module")] = None,
    exclude_module: Annotated[_Names, typer.Option("--exclude-module")] = None,
    include_label: Annotated[_Names, typer.Option(help="Not offered: none has any.")] = None,
    exclude_label: Annotated[_Names, typer.Option(help="Accepted: none has any.")] = None,
    level: Annotated[str, typer.Option("--level", "-l", help="This one or graver.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="Only the last so many.")] = 0,
    lines: Annotated[
        int | None, typer.Option("--lines", "-n", help="So many before following.")
    ] = None,
    tail: Annotated[bool, typer.Option("--tail", help="Follow new lines.")] = False,
    no_tail: Annotated[bool, typer.Option("--no-tail", help="Do not follow.")] = False,
    replay: Annotated[bool, typer.Option("--replay", help="From the first line on.")] = False,
    date: Annotated[bool, typer.Option("--date", help="Show dates.")] = False,
    ms: Annotated[bool, typer.Option("--ms", help="Show milliseconds.")] = False,
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC.")] = False,
    location: Annotated[bool, typer.Option("--location", help="Accepted.")] = False,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Accepted.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Accepted.")] = False,
    retry_delay: Annotated[str, typer.Option("--retry-delay", help="Accepted.")] = "1s",
) -> None:
    """Print the log of the charms and the agent; where output is a terminal, follow it."""
    if tail and no_tail:
        raise UsageError("setting --tail and --no-tail not valid")
    if no_tail and retry:
        raise UsageError("setting --no-tail and --retry not valid")
    if level.upper() not in ("", *_LEVELS):
        known = ", ".join(f'"{known}"' for known in _LEVELS)
        raise UsageError(f'level value "{level}" is not one of {known}')
    if include_label:
        raise CommandError("--include-label is not offered on this host: no line has a label")
    follow = not no_tail and not limit and (tail or sys.stdout.isatty())
    backlog = lines if lines is not None else 10 if follow else None
    found = agent(model).debug_log(
        follow,
        include or (),
        level.upper() or "TRACE",
        None if replay else limit or backlog,
        exclude or (),
        include_module or (),
        exclude_module or (),
    )
    for line in found:
        typer.echo(_line(line, date, ms, utc))


def _line(line: LogLine, date: bool, ms: bool, utc: bool) -> str:
    """One line of the log as Juju prints it."""
    local = time.gmtime(line.time) if utc else time.localtime(line.time)
    moment = time.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S", local)
    fraction = f".{int(line.time % 1 * 1000):03}" if ms else ""
    return f"{line.entity}: {moment}{fraction} {line.level} {line.module} {line.message}"
