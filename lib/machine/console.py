"""What the Juju-compatible commands share: the agent, formats of output, durations."""

from __future__ import annotations

import json
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from machine.juju_client import JujuClient

SOCKET_VARIABLE = "MACHINE_SOCKET"


class CommandError(Exception):
    """A command failed; the message is what Juju would print after `ERROR`."""


class Format(StrEnum):
    """How a command prints its answer."""

    PLAIN = "plain"
    TABULAR = "tabular"
    JSON = "json"
    YAML = "yaml"


ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", metavar="[CONTROLLER:]MODEL", help="The model.")
]


def agent(model: str | None = None) -> JujuClient:
    """The agent that the environment names.

    Args:
        model: the model that the user named; there is only one here.

    Raises:
        CommandError: no agent is named, or it has no such model.
    """
    socket = os.environ.get(SOCKET_VARIABLE)
    if not socket:
        raise CommandError(f"{SOCKET_VARIABLE} is not set: it names the socket of the agent")
    client = JujuClient(Path(socket))
    if model is not None:
        wanted = model.rpartition(":")[2].rpartition("/")[2]
        if wanted != client.status()["model"]["name"]:
            raise CommandError(f"model {model} not found")
    return client


def emit(value: Any, form: Format) -> None:
    """Print a value as JSON or YAML."""
    if form is Format.JSON:
        typer.echo(json.dumps(value))
    else:
        typer.echo(yaml.safe_dump(value, sort_keys=False).rstrip("\n"))


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds of a duration as Go writes it, e.g. `90s`, `1m30s`, `0`.

    Raises:
        CommandError: it is none.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if (text != "0" and text != "".join(number + unit for number, unit in parts)) or not text:
        raise CommandError(f'invalid duration "{text}": expected for example 90s or 1m30s')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
