"""Juju's commands that show the model as a bundle, or how it differs from one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from machine.console import CommandError, Format, ModelOption, agent, emit


def export_bundle(
    model: ModelOption = None,
    filename: Annotated[
        Path | None, typer.Option("--filename", help="Write to this file, which is not there.")
    ] = None,
    include_charm_defaults: Annotated[
        bool, typer.Option("--include-charm-defaults", help="Options that were not set, too.")
    ] = False,
    include_series: Annotated[bool, typer.Option("--include-series", help="Accepted.")] = False,
) -> None:
    """Print the model as a bundle."""
    documents = agent(model).juju_bundle(include_charm_defaults)
    if not documents[0]["applications"]:
        raise CommandError("nothing to export as there are no applications")
    text = yaml.safe_dump_all(documents, sort_keys=False)
    if filename is None:
        typer.echo(text.rstrip("\n"))
        return
    try:
        with filename.open("x") as file:
            file.write(text)
    except OSError as e:
        raise CommandError(f"cannot write {filename}: {e.strerror}") from None
    typer.echo(f"Bundle successfully exported to {filename}")


def diff_bundle(
    bundle: Annotated[Path, typer.Argument(help="The bundle's file.")],
    model: ModelOption = None,
    overlay: Annotated[list[Path] | None, typer.Option("--overlay", help="Merged over.")] = None,
    annotations: Annotated[bool, typer.Option("--annotations", help="Accepted.")] = False,
    map_machines: Annotated[str | None, typer.Option(help="Accepted.")] = None,
    arch: Annotated[str, typer.Option("--arch", help="Accepted: it is this host's.")] = "",
    base: Annotated[str, typer.Option("--base", help="Accepted: it is this host's.")] = "",
    series: Annotated[str, typer.Option("--series", help="As --base.")] = "",
    channel: Annotated[str | None, typer.Option("--channel", help="Not offered.")] = None,
) -> None:
    """Print how a bundle and the model differ."""
    if channel is not None:
        raise CommandError("diff-bundle --channel is not offered on this host: name a file")
    emit(agent(model).juju_difference(bundle, overlay or ()), Format.YAML)
