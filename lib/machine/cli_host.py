"""Juju's commands about machines. There is one, this host: `ssh` and `scp` need no network."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from machine.console import (
    CommandError,
    Format,
    FormatOption,
    ModelOption,
    UsageError,
    agent,
    emit,
    units_of,
)
from machine.juju_client import JujuClient
from machine.tabular import table

_SSH_VALUES = "BbcDEeFIiJLlmOopQRSWw"
"""Options of OpenSSH's client that take a value (ssh(1))."""
_SSH_FORWARDS = "DLRWw"
_SCP_VALUES = "cFiJlopSX"
_SCP_SWITCHES = "346ABCOpqRrTv"
ContainerOption = Annotated[str | None, typer.Option("--container", help="Not offered.")]
RemoteOption = Annotated[bool, typer.Option("--remote", help="Not offered.")]


def ssh(
    target: Annotated[str, typer.Argument(metavar="[USER@]UNIT|MACHINE")],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[OPENSSH OPTIONS] [COMMAND]")
    ] = None,
    model: ModelOption = None,
    proxy: Annotated[bool, typer.Option("--proxy", help="Accepted.")] = False,
    no_host_key_checks: Annotated[
        bool, typer.Option("--no-host-key-checks", help="Accepted.")
    ] = False,
    pty: Annotated[bool, typer.Option("--pty/--no-pty", help="Accepted.")] = False,
    container: ContainerOption = None,
    remote: RemoteOption = False,
) -> int:
    """Run a command, or a shell, on the machine of a unit: this host."""
    _no_container(container, remote=remote)
    user, _, name = target.rpartition("@")
    _check_target(agent(model), name)
    command = _command(words or ())
    shell = ["/bin/bash", "-c", " ".join(command)] if command else ["/bin/bash", "-l"]
    return _run([*_as_user(user), *shell], Path.home())


def _command(words: Sequence[str]) -> list[str]:
    """What is to be run, without the options of OpenSSH's client before it."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        if option[1:2] in _SSH_FORWARDS:
            raise CommandError(f"ssh {option[:2]} is not offered on this host: there is no tunnel")
        if option[1:2] in _SSH_VALUES and len(option) == 2 and rest:
            rest.pop(0)
    return rest


def scp(
    words: Annotated[list[str], typer.Argument(metavar="[-- OPTIONS] SOURCE... DESTINATION")],
    model: ModelOption = None,
    proxy: Annotated[bool, typer.Option("--proxy", help="Accepted.")] = False,
    no_host_key_checks: Annotated[
        bool, typer.Option("--no-host-key-checks", help="Accepted.")
    ] = False,
    container: ContainerOption = None,
    remote: RemoteOption = False,
) -> int:
    """Copy files to and from the machine of a unit: this host."""
    _no_container(container, remote=remote)
    options, paths = _scp_arguments(words)
    if len(paths) < 2:
        raise UsageError("at least two arguments required")
    client = agent(model)
    *sources, destination = (_path(client, path) for path in paths)
    return _run(["cp", *options, "--", *sources, destination], None)


def _scp_arguments(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options of cp(1) for those of scp(1), and the paths."""
    rest, options = list(words), list[str]()
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--":
            continue
        if option[1:2] in _SCP_VALUES and option[1:2] != "p":
            if len(option) == 2 and rest:
                rest.pop(0)
            continue
        for letter in option[1:]:
            if letter not in _SCP_SWITCHES:
                raise CommandError(f"unknown option -{letter} of scp")
            options += {"r": ["-r"], "p": ["-p"]}.get(letter, [])
    return options, rest


def _path(client: JujuClient, text: str) -> str:
    """A path on this host: relative to the user's home where a unit or machine is named."""
    target, separator, path = text.partition(":")
    if not separator or "/" in target.partition("/")[2] or target.startswith((".", "/")):
        return text
    _check_target(client, target.rpartition("@")[2])
    return str(Path.home() / path)


def _check_target(client: JujuClient, name: str) -> None:
    status = client.status()
    if name in status["machines"]:
        return
    application, separator, number = name.rpartition("/")
    if not separator:
        raise CommandError(f"machine {name} not found")
    units = [unit for unit in units_of(status) if unit.rpartition("/")[0] == application]
    if not units or (number != "leader" and name not in units):
        raise CommandError(f'unit "{name}" not found')


def _as_user(user: str) -> list[str]:
    if user in ("", pwd.getpwuid(os.getuid()).pw_name):
        return []
    try:
        pwd.getpwnam(user)
    except KeyError:
        raise CommandError(f'there is no user "{user}" on this host') from None
    runuser = shutil.which("runuser", path="/usr/sbin:/sbin:/usr/bin:/bin") or "runuser"
    return [runuser, "-u", user, "--"]


def _run(command: list[str], folder: Path | None) -> int:
    return subprocess.run(command, cwd=folder, check=False).returncode


def _no_container(container: str | None, *, remote: bool) -> None:
    if container is not None or remote:
        option = "--remote" if remote else "--container"
        raise CommandError(f"{option} is not offered on this host: it is for Kubernetes")


# ---- machines


def machines(
    model: ModelOption = None,
    form: FormatOption = Format.TABULAR,
    utc: Annotated[bool, typer.Option("--utc", help="Accepted.")] = False,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Accepted.")] = False,
) -> None:
    """List the machines: this host."""
    status = agent(model).status()
    if form in (Format.JSON, Format.YAML):
        emit({"model": status["model"]["name"], "machines": status["machines"]}, form)
        return
    rows = [_row(number, machine) for number, machine in status["machines"].items()]
    typer.echo(table(("Machine", "State", "Address", "Inst id", "Base", "AZ", "Message"), rows))


def _row(number: str, machine: dict[str, Any]) -> tuple[str, ...]:
    base = f"{machine['base']['name']}@{machine['base']['channel']}"
    state, message = machine["juju-status"]["current"], machine["machine-status"]["message"]
    return number, state, machine["dns-name"], machine["instance-id"], base, "", message


def show_machine(
    numbers: Annotated[list[str] | None, typer.Argument(metavar="[MACHINE...]")] = None,
    model: ModelOption = None,
    form: FormatOption = Format.YAML,
    utc: Annotated[bool, typer.Option("--utc", help="Accepted.")] = False,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Accepted.")] = False,
) -> None:
    """Show machines."""
    status = agent(model).status()
    known = status["machines"]
    for number in numbers or ():
        if number not in known:
            raise CommandError(f"machine {number} not found")
    shown = {number: known[number] for number in numbers or known}
    emit({"model": status["model"]["name"], "machines": shown}, form)


def add_machine(
    words: Annotated[list[str] | None, typer.Argument(metavar="[PLACEMENT]")] = None,
    model: ModelOption = None,
) -> NoReturn:
    """Not offered: there is one machine, this host."""
    raise CommandError('add-machine is not offered on this host: there is one machine, "0"')


def remove_machine(
    numbers: Annotated[list[str], typer.Argument(metavar="MACHINE...")],
    model: ModelOption = None,
    force: Annotated[bool, typer.Option("--force", help="Accepted.")] = False,
    keep_instance: Annotated[bool, typer.Option("--keep-instance", help="Accepted.")] = False,
    no_prompt: Annotated[bool, typer.Option("--no-prompt", help="Accepted.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Accepted.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Accepted.")] = False,
) -> NoReturn:
    """Not offered: the one machine is this host."""
    known = agent(model).status()["machines"]
    for number in numbers:
        if number not in known:
            raise CommandError(f"machine {number} not found")
    raise CommandError("remove-machine is not offered on this host: it is the machine")
