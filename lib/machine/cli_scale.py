"""Juju's commands that alter what is deployed: its units, relations, charm, exposure and trust."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from machine.cli_change import (
    AttachOption,
    BindOption,
    bindings,
    check_placement,
    config_options,
    listed,
    pairs,
)
from machine.console import (
    APPLICATION,
    UNIT,
    CommandError,
    ModelOption,
    UsageError,
    agent,
    confirm,
    inform,
    units_of,
)
from machine.juju_client import JujuClient

_Application = Annotated[str, typer.Argument(help="The application.")]
_NoPrompt = Annotated[bool, typer.Option("--no-prompt", "-y", help="Do not ask.")]
_DestroyStorage = Annotated[
    bool, typer.Option("--destroy-storage", help="Accepted: storage goes along.")
]
_Force = Annotated[bool, typer.Option("--force", help="Wait for no failing hook.")]
_NoWait = Annotated[bool, typer.Option("--no-wait", help="Accepted, with --force.")]
_Endpoints = Annotated[str, typer.Option("--endpoints", help="Of these alone: NAME,...")]
_EVERYWHERE = {"0.0.0.0/0", "::/0"}
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]


def add_unit(
    application: _Application,
    model: ModelOption = None,
    num_units: Annotated[int, typer.Option("--num-units", "-n", min=1, help="How many.")] = 1,
    to: Annotated[str | None, typer.Option("--to", help="Machine 0: there is one.")] = None,
    attach_storage: AttachOption = None,
) -> None:
    """Add units to an application."""
    storages = listed(attach_storage)
    if storages and num_units != 1:
        raise UsageError("--attach-storage cannot be used with -n")
    check_placement(to)
    agent(model).add_unit(application, num_units, storages)


def remove_unit(
    units: Annotated[list[str], typer.Argument(metavar="UNIT...", help="Which.")],
    model: ModelOption = None,
    no_prompt: _NoPrompt = False,
    destroy_storage: _DestroyStorage = False,
    force: _Force = False,
    no_wait: _NoWait = False,
    dry_run: _DryRun = False,
    num_units: Annotated[int | None, typer.Option(help="Not offered.")] = None,
) -> None:
    """Remove units; their hooks run first."""
    if num_units is not None:
        raise CommandError("--num-units is not offered on this host: it is for Kubernetes")
    _check_no_wait(no_wait, force)
    client = agent(model)
    _check_units(client, units)
    lines = [f"will remove unit {unit}" for unit in units]
    if _agreed("unit", lines, no_prompt, dry_run):
        for unit in units:
            client.remove_unit(unit, force)


def remove_application(
    applications: Annotated[list[str], typer.Argument(metavar="APP...", help="Which.")],
    model: ModelOption = None,
    no_prompt: _NoPrompt = False,
    destroy_storage: _DestroyStorage = False,
    force: _Force = False,
    no_wait: _NoWait = False,
    dry_run: _DryRun = False,
) -> None:
    """Remove applications; their hooks run first."""
    for application in applications:
        if not APPLICATION.fullmatch(application):
            raise UsageError(f'invalid application name "{application}"')
    _check_no_wait(no_wait, force)
    client = agent(model)
    known = client.status()["applications"]
    lines: list[str] = []
    for application in applications:
        if application not in known:
            raise CommandError(f'application "{application}" not found')
        units = known[application].get("units", {})
        lines += [f"will remove application {application}"]
        lines += [f"- will remove unit {unit}" for unit in units]
    if _agreed("application", lines, no_prompt, dry_run):
        for application in applications:
            client.remove_application(application, force)


def _check_no_wait(no_wait: bool, force: bool) -> None:
    if no_wait and not force:
        raise UsageError("--no-wait without --force not valid")


def _agreed(what: str, lines: list[str], no_prompt: bool, dry_run: bool) -> bool:
    """Say what will be done, and whether it shall be."""
    for line in lines:
        typer.echo(line)
    if dry_run or no_prompt:
        return not dry_run
    confirm(f"{what} removal", "\nContinue")
    return True


def _check_units(client: JujuClient, units: list[str]) -> None:
    applications = client.status()["applications"].values()
    principals = {unit for a in applications for unit in a.get("units", {})}
    for unit in units:
        if not UNIT.fullmatch(unit):
            raise CommandError(f'invalid unit name "{unit}"')
        if unit in principals:
            continue
        if unit in units_of(client.status()):
            raise CommandError(f'unit "{unit}" is a subordinate, cannot remove it')
        raise CommandError(f'unit "{unit}" not found')


def remove_relation(
    ends: Annotated[list[str], typer.Argument(metavar="APP[:ENDPOINT] APP[:ENDPOINT] | ID")],
    model: ModelOption = None,
    force: Annotated[bool, typer.Option("--force", help="Accepted.")] = False,
) -> None:
    """Remove a relation, named by its ends or its id; the units' hooks run first."""
    if len(ends) == 1 and not ends[0].isdecimal():
        raise UsageError(f'relation ID "{ends[0]}" not valid')
    if len(ends) > 2:
        raise UsageError("a relation must involve two applications")
    client = agent(model)
    if len(ends) == 1:
        known = {str(r.id): r for r in client.relations() if len(r.endpoints) == 2}
        if ends[0] not in known:
            raise CommandError(f'relation "{ends[0]}" not found')
        ends = list(known[ends[0]].endpoints)
    client.remove_relation(*ends)


def refresh(
    application: _Application,
    path: Annotated[
        Path | None, typer.Option("--path", help="The charm's new folder or file.")
    ] = None,
    model: ModelOption = None,
    config: Annotated[
        list[str] | None, typer.Option("--config", help="KEY=VALUE or file.")
    ] = None,
    resource: Annotated[list[str] | None, typer.Option("--resource", help="NAME=FILE.")] = None,
    bind: BindOption = None,
    trust: Annotated[
        bool | None, typer.Option("--trust/--no-trust", help="Let it see credentials.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Accepted.")] = False,
    force_base: Annotated[
        bool, typer.Option("--force-base", "--force-series", help="Accepted.")
    ] = False,
    force_units: Annotated[bool, typer.Option("--force-units", help="Accepted.")] = False,
    base: Annotated[str | None, typer.Option("--base", help="Accepted.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Not offered.")] = None,
    revision: Annotated[int | None, typer.Option("--revision", help="Not offered.")] = None,
    switch: Annotated[str | None, typer.Option("--switch", help="Not offered.")] = None,
    storage: Annotated[list[str] | None, typer.Option("--storage", help="Not offered.")] = None,
) -> None:
    """Take up a new version of an application's charm; its units get upgrade-charm."""
    stores = {"--channel": channel, "--revision": revision, "--switch": switch}
    for option, value in {**stores, "--storage": storage}.items():
        if value is not None:
            raise CommandError(f"refresh {option} is not offered on this host")
    if path is None:
        raise CommandError(
            f'cannot refresh "{application}" from a store of charms, there is none: name --path'
        )
    files = {name: str(Path(file).resolve()) for name, file in pairs(resource or ()).items()}
    options = config_options(config or (), application)
    bindings(bind or "")
    client = agent(model)
    charm = client.refresh(application, path.resolve(), options, files)
    if trust is not None:
        client.trust(application, trust)
    inform(f'Added local charm "{charm}" to the model')


def attach_resource(
    application: _Application,
    resource: Annotated[str, typer.Argument(metavar="NAME=FILE", help="Its new file.")],
    model: ModelOption = None,
) -> None:
    """Give an application another file for a resource; its units get upgrade-charm."""
    name, separator, file = resource.partition("=")
    if not (name and separator and file):
        raise UsageError(f'expected name=file, got "{resource}"')
    agent(model).attach_resource(application, name, Path(file).resolve())


def expose(
    application: _Application,
    model: ModelOption = None,
    endpoints: _Endpoints = "",
    to_spaces: Annotated[str, typer.Option(help='For these: "alpha", there is one.')] = "",
    to_cidrs: Annotated[str, typer.Option(help="For these: CIDR,...; nothing enforces it.")] = "",
) -> None:
    """Say that an application's open ports, or those of endpoints, are meant for other hosts."""
    spaces, cidrs = listed(to_spaces), listed(to_cidrs)
    if not endpoints and not spaces and {*cidrs} <= _EVERYWHERE:
        cidrs = []  # Juju, too, takes one of them for both (cmd/juju/application/expose.go)
    agent(model).expose(application, listed(endpoints), spaces, cidrs)


def unexpose(
    application: _Application, model: ModelOption = None, endpoints: _Endpoints = ""
) -> None:
    """Say that an application's open ports are meant for this host alone."""
    agent(model).unexpose(application, listed(endpoints))


def trust(
    application: _Application,
    model: ModelOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="Trust it no longer.")] = False,
    scope: Annotated[str, typer.Option("--scope", help="Accepted.")] = "",
) -> None:
    """Let an application's charm see the credentials of the cloud."""
    agent(model).trust(application, not remove)
