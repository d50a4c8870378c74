"""What the Juju-compatible commands share: the agent, formats of output, durations."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from machine.controller_client import ControllerClient
from machine.duration import seconds
from machine.juju_client import JujuClient
from machine.version import CONTROLLER, USER

SOCKET_VARIABLE = "MACHINE_SOCKET"


@dataclass
class _Told:
    """What this command, with all its threads, tells beside its answer."""

    quiet: bool = False
    verbose: bool = False


_TOLD = _Told()


class CommandError(Exception):
    """A command failed; the message is what Juju would print after `ERROR`."""

    code = 1
    """What the command exits with."""


class UsageError(CommandError):
    """A command makes no sense, whatever the model is.

    Juju's commands look for that in `Init`, before they ask anyone, and exit with 2 (juju/cmd,
    cmd.go).
    """

    code = 2


class Format(StrEnum):
    """How a command prints its answer."""

    PLAIN = "plain"
    TABULAR = "tabular"
    JSON = "json"
    YAML = "yaml"


ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", metavar="[CONTROLLER:]MODEL", help="The model.")
]


FormatOption = Annotated[Format, typer.Option("--format", help="Form of the output.")]
ControllerOption = Annotated[str, typer.Option("--controller", "-c", help="There is one.")]


def agent(model: str | None = None) -> JujuClient:
    """One model of the agent that the environment names.

    Args:
        model: the model as the user named it; else `JUJU_MODEL`, else the current one.

    Raises:
        CommandError: no agent or model is named, or another controller's.
    """
    return JujuClient(_socket(), chosen(model))


def controller() -> ControllerClient:
    """The agent that the environment names, with all its models.

    Raises:
        CommandError: none is named.
    """
    return ControllerClient(_socket())


def chosen(model: str | None = None) -> str:
    """Name of the model that is meant, without controller and owner.

    Raises:
        CommandError: none is named and none is current, or it is another controller's.
    """
    named = model or os.environ.get("JUJU_MODEL")
    if named:
        return model_name(named)
    current = controller().current_model()
    if current is None:
        raise CommandError(_NO_MODEL)
    return current


def model_name(text: str) -> str:
    """The last part of `[CONTROLLER:][OWNER/]MODEL`.

    Raises:
        CommandError: the controller or the owner is another one.
    """
    rest, _, name = text.rpartition("/")
    given, separator, owner = rest.rpartition(":")
    if not rest:
        given, separator, name = text.rpartition(":")
    check_controller(given if separator else "")
    if owner not in ("", USER):
        raise CommandError(f"model {CONTROLLER}:{owner}/{name} not found")
    return name


def check_controller(name: str) -> None:
    """Refuse the name of another controller.

    Raises:
        CommandError: it is one.
    """
    if name not in ("", CONTROLLER):
        raise CommandError(f"controller {name} not found")


_NO_MODEL = """No model in focus.

Please use "juju models" to see models available to you.
You can set current model by running "juju switch"
or specify any other model on the command line using the "-m" option.
"""


def _socket() -> Path:
    socket = os.environ.get(SOCKET_VARIABLE)
    if not socket:
        raise CommandError(f"{SOCKET_VARIABLE} is not set: it names the socket of the agent")
    return Path(socket)


APPLICATION = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*")
"""The name of an application."""

UNIT = re.compile(rf"{APPLICATION.pattern}/(0|[1-9]\d*)")
"""The name of a unit."""


def check_unit_names(names: Iterable[str]) -> None:
    """Refuse what cannot be the name of a unit.

    Raises:
        UsageError: one cannot.
    """
    for name in names:
        if not UNIT.fullmatch(name):
            raise UsageError(f'unit name "{name}" not valid')


def units_of(status: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """All units of a status by name, subordinates after their principals."""
    found: dict[str, dict[str, Any]] = {}
    for application in status["applications"].values():
        for name, unit in application.get("units", {}).items():
            found |= {name: unit, **unit.get("subordinates", {})}
    return found


@contextlib.contextmanager
def telling(*, quiet: bool, verbose: bool) -> Generator[None]:
    """Within this, `inform` says nothing if `quiet`, and also details if `verbose`."""
    before = _TOLD.quiet, _TOLD.verbose
    _TOLD.quiet, _TOLD.verbose = quiet, verbose
    try:
        yield
    finally:
        _TOLD.quiet, _TOLD.verbose = before


def inform(message: str, *, detail: bool = False) -> None:
    """Tell the user what is done; warnings, errors and answers are told to the quiet as well."""
    if _TOLD.verbose if detail else not _TOLD.quiet:
        typer.echo(message, err=True)


def confirm(what: str, question: str) -> None:
    """Ask the user, who may not be there to answer.

    Raises:
        CommandError: the answer is not yes.
    """
    try:
        agreed = typer.confirm(question)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise CommandError(f"{what}: aborted")


def emit(value: Any, form: Format) -> None:
    """Print a value as JSON or YAML."""
    if form is Format.JSON:
        typer.echo(json.dumps(value))
    else:
        typer.echo(in_yaml(value).rstrip("\n"))


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such, as Go's YAML does."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    tag = "tag:yaml.org,2002:str"
    return dumper.represent_scalar(tag, text, style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _represent_text)


def in_yaml(value: Any) -> str:
    """A value as YAML."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False)


def duration(text: str) -> float:
    """Seconds of a duration as Go writes it, e.g. `90s`, `1m30s`, `0`.

    Raises:
        UsageError: it is none.
    """
    try:
        return seconds(text)
    except ValueError as e:
        raise UsageError(str(e)) from None
