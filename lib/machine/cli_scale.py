"""Juju's commands that alter what is deployed: its units, relations, charm, exposure and trust."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from machine.console import CommandError, ModelOption, agent
from machine.juju_client import JujuClient

_Application = Annotated[str, typer.Argument(help="The application.")]
_NoPrompt = Annotated[bool, typer.Option("--no-prompt", help="Do not ask.")]


def add_unit(
    application: _Application,
    model: ModelOption = None,
    num_units: Annotated[int, typer.Option("--num-units", "-n", min=1, help="How many.")] = 1,
    to: Annotated[str | None, typer.Option("--to", help="Accepted: there is one machine.")] = None,
) -> None:
    """Add units to an application."""
    agent(model).add_unit(application, num_units)


def remove_unit(
    units: Annotated[list[str], typer.Argument(metavar="UNIT...", help="Which.")],
    model: ModelOption = None,
    no_prompt: _NoPrompt = False,
    destroy_storage: Annotated[bool, typer.Option(help="Accepted: storage goes along.")] = False,
) -> None:
    """Remove units; their hooks run first."""
    client = agent(model)
    _check_units(client, units)
    if not no_prompt:
        typer.confirm(f"This removes {', '.join(units)}. Continue", abort=True)
    for unit in units:
        client.remove_unit(unit)
        typer.echo(f"removing unit {unit}", err=True)


def _check_units(client: JujuClient, units: list[str]) -> None:
    applications = client.status()["applications"].values()
    principals = {unit for a in applications for unit in a.get("units", {})}
    lodgers = {
        lodger
        for a in applications
        for unit in a.get("units", {}).values()
        for lodger in unit.get("subordinates", {})
    }
    for unit in units:
        if unit in lodgers:
            raise CommandError(f'unit "{unit}" is a subordinate, cannot remove it')
        if unit not in principals:
            raise CommandError(f'unit "{unit}" not found')


def remove_relation(
    ends: Annotated[list[str], typer.Argument(metavar="APP[:ENDPOINT] APP[:ENDPOINT] | ID")],
    model: ModelOption = None,
) -> None:
    """Remove a relation, named by its ends or its id; the units' hooks run first."""
    client = agent(model)
    if len(ends) == 1 and ends[0].isdigit():
        known = {str(r.id): r for r in client.relations() if len(r.endpoints) == 2}
        if ends[0] not in known:
            raise CommandError(f'relation "{ends[0]}" not found')
        ends = list(known[ends[0]].endpoints)
    if len(ends) != 2:
        raise CommandError("a relation must involve two applications")
    client.remove_relation(*ends)


def refresh(
    application: _Application,
    path: Annotated[
        Path | None, typer.Option("--path", help="The charm's new folder or file.")
    ] = None,
    model: ModelOption = None,
) -> None:
    """Take up a new version of an application's charm; its units get upgrade-charm."""
    if path is None:
        raise CommandError(
            f'cannot refresh "{application}" from a store of charms, there is none: name --path'
        )
    charm = agent(model).refresh(application, path.resolve())
    typer.echo(f'Added local charm "{charm}" to the model', err=True)


def expose(application: _Application, model: ModelOption = None) -> None:
    """Say that an application's open ports are meant for other hosts."""
    agent(model).expose(application, True)


def unexpose(application: _Application, model: ModelOption = None) -> None:
    """Say that an application's open ports are meant for this host alone."""
    agent(model).expose(application, False)


def trust(
    application: _Application,
    model: ModelOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="Trust it no longer.")] = False,
    scope: Annotated[str, typer.Option("--scope", help="Accepted.")] = "",
) -> None:
    """Let an application's charm see the credentials of the cloud."""
    agent(model).trust(application, not remove)


COMMANDS = {
    "add-unit": add_unit,
    "remove-unit": remove_unit,
    "remove-relation": remove_relation,
    "refresh": refresh,
    "expose": expose,
    "unexpose": unexpose,
    "trust": trust,
}
