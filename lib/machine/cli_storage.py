"""Juju's commands about storage."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from machine.console import (
    CommandError,
    Format,
    FormatOption,
    ModelOption,
    UsageError,
    agent,
    check_unit_names,
    emit,
    inform,
)
from machine.tabular import attachments, table

_Storages = Annotated[list[str], typer.Argument(metavar="STORAGE...", help="Which, e.g. data/0.")]
_Force = Annotated[bool, typer.Option("--force", help="Accepted.")]


def storage(
    model: ModelOption = None,
    form: FormatOption = Format.TABULAR,
    filesystem: Annotated[bool, typer.Option("--filesystem", help="Only such.")] = False,
    volume: Annotated[bool, typer.Option("--volume", help="Only such.")] = False,
) -> None:
    """List the instances of storage."""
    if filesystem and volume:
        raise UsageError("--filesystem and --volume can not be used together")
    found: dict[str, Any] = agent(model).status()["storage"]
    wanted = "filesystem" if filesystem else "block" if volume else ""
    instances = {
        name: instance
        for name, instance in found.get("storage", {}).items()
        if wanted in ("", instance["kind"])
    }
    if form in (Format.JSON, Format.YAML):
        emit({"storage": instances} if instances else {}, form)
    elif not instances:
        inform("No storage to display.")
    else:
        rows = [row for name, instance in instances.items() for row in _rows(name, instance)]
        typer.echo(table(("Unit", "Storage ID", "Type", "Status", "Location"), rows))


def _rows(name: str, instance: dict[str, Any]) -> list[tuple[str, ...]]:
    status = instance["status"]["current"]
    return [
        (unit, name, instance["kind"], status, attachment["location"])
        for unit, attachment in attachments(instance)
    ]


def show_storage(
    storages: _Storages, model: ModelOption = None, form: FormatOption = Format.YAML
) -> None:
    """Show instances of storage."""
    found = agent(model).status()["storage"].get("storage", {})
    for name in storages:
        if name not in found:
            raise CommandError(f'storage instance "{name}" not found')
    emit({name: found[name] for name in storages}, form)


def storage_pools(
    model: ModelOption = None,
    form: FormatOption = Format.TABULAR,
    names: Annotated[list[str] | None, typer.Option("--name", help="Only these.")] = None,
    providers: Annotated[list[str] | None, typer.Option("--provider", help="Only theirs.")] = None,
) -> None:
    """List where storage comes from: this host's file system, and files of it as devices."""
    # Here, for the other commands start faster without it.
    from machine.storage import POOLS

    agent(model).status()
    wanted = {name for text in (*(names or ()), *(providers or ())) for name in text.split(",")}
    found = {
        pool: {"provider": pool}
        for pool in sorted(set(POOLS.values()))
        if not wanted or pool in wanted
    }
    if form in (Format.JSON, Format.YAML):
        emit(found, form)
    else:
        rows = [(name, pool["provider"], "") for name, pool in found.items()]
        typer.echo(table(("Name", "Provider", "Attributes"), rows))


def add_storage(
    unit: Annotated[str, typer.Argument(help="The unit.")],
    directives: Annotated[list[str], typer.Argument(metavar="NAME[=[POOL,][COUNT,][SIZE]]...")],
    model: ModelOption = None,
) -> None:
    """Give a unit more storage."""
    check_unit_names([unit])
    client = agent(model)
    for text in directives:
        name, _, directive = text.partition("=")
        for added in client.add_storage(unit, name, directive):
            inform(f"added storage {added} to {unit}")


def attach_storage(
    unit: Annotated[str, typer.Argument(help="The unit.")],
    storages: _Storages,
    model: ModelOption = None,
) -> None:
    """Give storage that was detached to a unit."""
    client = agent(model)
    for name in storages:
        client.attach_storage(unit, name)
        inform(f"attaching {name} to {unit}")


def detach_storage(
    storages: _Storages,
    model: ModelOption = None,
    force: _Force = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Accepted.")] = False,
) -> None:
    """Take storage from its unit, and keep it."""
    client = agent(model)
    for name in storages:
        client.detach_storage(name)
        inform(f"detaching {name}")


def remove_storage(
    storages: _Storages,
    model: ModelOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also where it is attached to a unit.")
    ] = False,
    no_destroy: Annotated[bool, typer.Option("--no-destroy", help="Not offered.")] = False,
) -> None:
    """Remove storage with what is on it."""
    if no_destroy:
        raise CommandError("remove-storage --no-destroy is not offered on this host")
    client = agent(model)
    found = client.status()["storage"].get("storage", {})
    for name in storages:
        if name not in found:
            raise CommandError(f'storage "{name}" not found')
        if "attachments" in found[name] and not force:
            raise CommandError(
                f"failed to remove {name}: storage is attached; use --force to remove it anyway"
            )
    for name in storages:
        client.detach_storage(name, kept=False)
        inform(f"removing {name}")
