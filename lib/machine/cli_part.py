"""Juju's commands that show one part of the status."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from machine.console import CommandError, Format, ModelOption, agent, emit
from machine.tabular import attachments, table

_FormatOption = Annotated[Format, typer.Option("--format", help="Form of the output.")]


def storage(model: ModelOption = None, form: _FormatOption = Format.TABULAR) -> None:
    """List the instances of storage."""
    found = agent(model).status()["storage"]
    if form in (Format.JSON, Format.YAML):
        emit(found, form)
        return
    rows = [
        (unit, name, instance["kind"], instance["status"]["current"], attachment["location"])
        for name, instance in found.get("storage", {}).items()
        for unit, attachment in attachments(instance)
    ]
    typer.echo(table(("Unit", "Storage ID", "Type", "Status", "Location"), rows))


def show_application(
    applications: Annotated[list[str], typer.Argument(metavar="APP...", help="Which.")],
    model: ModelOption = None,
    form: _FormatOption = Format.YAML,
) -> None:
    """Show applications."""
    known = agent(model).status()["applications"]
    for name in applications:
        if name not in known:
            raise CommandError(f'application "{name}" not found')
    emit({name: _shown(known[name]) for name in applications}, form)


def _shown(application: dict[str, Any]) -> dict[str, Any]:
    units = {
        name: {"machine": unit["machine"], "public-address": unit["public-address"]}
        for name, unit in application.get("units", {}).items()
    }
    return {
        "charm": application["charm-name"],
        "base": f"{application['base']['name']}@{application['base']['channel']}",
        "principal": "subordinate-to" not in application,
        "exposed": application["exposed"],
        "remote": False,
        "life": application.get("life", "alive"),
        "endpoint-bindings": application["endpoint-bindings"],
        **({"units": units} if units else {}),
    }
