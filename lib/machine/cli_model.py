"""Juju's commands about models: which there are, which one is current, and their settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from machine.config_words import ColorOption, FileOption, ResetOption, keys_to_reset, text_of
from machine.console import (
    CommandError,
    ControllerOption,
    Format,
    FormatOption,
    ModelOption,
    UsageError,
    agent,
    check_controller,
    chosen,
    controller,
    duration,
    emit,
    inform,
    model_name,
)
from machine.tabular import table
from machine.version import CLOUD, CONTROLLER, JUJU_VERSION, USER

_Config = Annotated[list[str] | None, typer.Option("--config", help="KEY=VALUE or file.")]


def add_model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Its name.")],
    cloud: Annotated[str | None, typer.Argument(help="There is one: this host.")] = None,
    config: _Config = None,
    no_switch: Annotated[bool, typer.Option("--no-switch", help="Keep the current.")] = False,
    owner: Annotated[str, typer.Option("--owner", help="There is one.")] = USER,
    credential: Annotated[str | None, typer.Option("--credential", help="Accepted.")] = None,
    named: ControllerOption = "",
) -> None:
    """Add an empty model, and make it the current one."""
    check_controller(named)
    if cloud is not None and cloud.partition("/")[0] != CLOUD:
        raise CommandError(
            f'"{cloud}" is neither a cloud supported by this controller, nor a region in the '
            f'controller\'s default cloud; there is "{CLOUD}"'
        )
    _check_user(owner)
    client = controller()
    client.add_model(name, _settings(config or ()))
    if not no_switch:
        client.switch(name)
    inform(f"Added '{name}' model on {CLOUD} for user '{USER}'")


def _check_user(name: str) -> None:
    if name != USER:
        raise CommandError(f'user "{name}" not found')


def destroy_model(
    name: Annotated[str, typer.Argument(metavar="[CONTROLLER:]MODEL", help="Which.")],
    no_prompt: Annotated[bool, typer.Option("--no-prompt", "-y", help="Do not ask.")] = False,
    destroy_storage: Annotated[
        bool, typer.Option("--destroy-storage", help="Destroy its storage, which is always done.")
    ] = False,
    release_storage: Annotated[
        bool, typer.Option(help="Not offered: storage goes along.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Wait for no failing hook.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Wait for no hook at all.")] = False,
    timeout: Annotated[
        str | None, typer.Option("--timeout", "-t", help="Then wait for no hook at all.")
    ] = None,
) -> None:
    """Remove a model with all that is in it; hooks run first."""
    if destroy_storage and release_storage:
        raise UsageError("--destroy-storage and --release-storage cannot both be specified")
    if release_storage:
        raise CommandError("--release-storage is not offered on this host: storage goes along")
    if timeout is not None and not force:
        raise UsageError("--timeout can only be used with --force (dangerous)")
    if no_wait and not force:
        raise CommandError("--no-wait without --force not valid")
    limit = 0.0 if no_wait else None if timeout is None else duration(timeout)
    model = model_name(name)
    described = _described(model)
    if not no_prompt:
        _confirm(described)
    typer.echo("Destroying model", err=True)
    for left in controller().destroy_model(model, force, limit):
        applications = f", {left} application(s)" if left else ""
        typer.echo(f"Waiting for model to be removed{applications}...", err=True)
    inform("Model destroyed.")


def _confirm(described: Mapping[str, Any]) -> None:
    """Let the user type the model's name, as Juju does."""
    name = described["short-name"]
    typer.echo(
        f'WARNING This command will destroy the "{name}" model and all its resources. '
        "It cannot be stopped.\n",
        err=True,
    )
    typer.echo(f'To continue, enter the name of the model to be destroyed ("{name}"): ', nl=False)
    if typer.get_text_stream("stdin").readline().strip() != name:
        raise CommandError("model destruction: aborted")


def models(
    form: FormatOption = Format.TABULAR,
    named: ControllerOption = "",
    user: Annotated[str, typer.Option("--user", help="There is one.")] = USER,
    every: Annotated[bool, typer.Option("--all", help="Accepted.")] = False,
    utc: Annotated[bool, typer.Option("--utc", help="Accepted.")] = False,
    with_uuid: Annotated[bool, typer.Option("--uuid", help="List their ids as well.")] = False,
    exact_time: Annotated[
        bool, typer.Option("--exact-time", help="Accepted: no connection is recorded.")
    ] = False,
) -> None:
    """List the models."""
    check_controller(named)
    _check_user(user)
    client = controller()
    found, current = client.models(), client.current_model()
    if form in (Format.JSON, Format.YAML):
        emit({"models": found, **({"current-model": current} if current else {})}, form)
        return
    typer.echo(f"Controller: {CONTROLLER}\n")
    uuid = ("UUID",) * with_uuid
    header = ("Model", *uuid, "Cloud/Region", "Type", "Status", "Machines", "Units", "Access")
    ordered = sorted(found, key=lambda m: m["short-name"])
    rows = [_row(m, current, with_uuid=with_uuid) for m in ordered]
    typer.echo(table((*header, "Last connection"), rows))


def _row(model: Mapping[str, Any], current: str | None, *, with_uuid: bool) -> tuple[str, ...]:
    name = model["short-name"]
    user = model["users"][USER]
    return (
        f"{name}*" if name == current else name,
        *(model["model-uuid"],) * with_uuid,
        model["cloud"],
        model["type"],
        model["status"]["current"],
        str(len(model["machines"])),
        str(model["unit-count"]),
        user["access"],
        user["last-connection"],
    )


def show_model(
    name: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="The model.")] = None,
    model: ModelOption = None,
    form: FormatOption = Format.YAML,
) -> None:
    """Show a model."""
    described = _described(chosen(name or model))
    emit({described["short-name"]: described}, form)


def _described(name: str) -> dict[str, Any]:
    for model in controller().models():
        if name in (model["short-name"], model["model-uuid"]):
            return model
    raise CommandError(f"model {CONTROLLER}:{USER}/{name} not found")


def switch(
    target: Annotated[
        str | None, typer.Argument(metavar="[CONTROLLER|[CONTROLLER:]MODEL]", help="Which.")
    ] = None,
    model: ModelOption = None,
    named: ControllerOption = "",
) -> None:
    """Show the current model, or choose another."""
    check_controller(named)
    client = controller()
    before = _place(client.current_model())
    wanted = target or model
    if wanted is None:
        typer.echo(before)
        return
    if wanted.rstrip(":") != CONTROLLER:
        client.switch(model_name(wanted))
    after = _place(client.current_model())
    inform(f"{before} (no change)" if before == after else f"{before} -> {after}")


def _place(model: str | None) -> str:
    return f"{CONTROLLER}:{USER}/{model}" if model else f"{CONTROLLER} (controller)"


def model_config(
    values: Annotated[list[str] | None, typer.Argument(metavar="[KEY | KEY=VALUE...]")] = None,
    model: ModelOption = None,
    reset: ResetOption = None,
    file: FileOption = None,
    ignore_read_only_fields: Annotated[bool, typer.Option(help="Accepted.")] = False,
    color: ColorOption = False,
    form: FormatOption = Format.TABULAR,
) -> None:
    """Show the model's settings, or set them."""
    given = list(values or ())
    resets = keys_to_reset(given, reset, file)
    client = agent(model)
    if resets or file or any("=" in value for value in given):
        new = _settings([*([str(file)] if file else []), *given])
        for key in client.set_model_config(new, resets):
            typer.echo(
                f'WARNING key "{key}" is not defined in the current model configuration: '
                "possible misspelling",
                err=True,
            )
        return
    _show_config(client.juju_model_config(), chosen(model), given, form)


def _show_config(known: Mapping[str, Any], model: str, keys: list[str], form: Format) -> None:
    for key in keys:
        if key not in known:
            raise CommandError(f'key "{key}" not found in "{model}" model.')
    if form in (Format.JSON, Format.YAML):
        emit({key: known[key] for key in keys or known}, form)
    elif keys:
        typer.echo("\n".join(_shown(known[key]["Value"]) for key in keys))
    else:
        rows = [(key, s["Source"], _shown(s["Value"])) for key, s in known.items()]
        typer.echo(table(("Attribute", "From", "Value"), rows))


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def model_constraints(model: ModelOption = None, form: FormatOption = Format.PLAIN) -> None:
    """Show the model's constraints of machines."""
    found = agent(model).model_constraints()
    if form in (Format.JSON, Format.YAML):
        emit(found, form)
    elif found:
        typer.echo(" ".join(f"{key}={value}" for key, value in found.items()))


def set_model_constraints(
    constraints: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE...")] = None,
    model: ModelOption = None,
) -> None:
    """Keep constraints of machines; nothing is done with them, for there is one machine."""
    # Here, for the other commands start faster without it.
    from machine.constraints import ConstraintError, parse

    try:
        agent(model).set_model_constraints(parse(" ".join(constraints or ())))
    except ConstraintError as e:
        raise CommandError(str(e)) from None


def controllers(
    form: FormatOption = Format.TABULAR,
    refresh: Annotated[bool, typer.Option("--refresh", help="Accepted.")] = False,
) -> None:
    """List the one controller there is."""
    client = controller()
    found, current = client.models(), client.current_model()
    if form in (Format.JSON, Format.YAML):
        entry = _controller(found, current)
        emit({"controllers": {CONTROLLER: entry}, "current-controller": CONTROLLER}, form)
        return
    header = ("Controller", "Model", "User", "Access", "Cloud/Region", "Models", "Nodes", "HA")
    row = (
        f"{CONTROLLER}*",
        current or "-",
        USER,
        "superuser",
        CLOUD,
        str(len(found)),
        "1",
        "none",
    )
    typer.echo(table((*header, "Version"), [(*row, JUJU_VERSION)]))


def _controller(found: list[dict[str, Any]], current: str | None) -> dict[str, Any]:
    return {
        **({"current-model": current} if current else {}),
        "user": USER,
        "access": "superuser",
        "recent-server": "localhost",
        "uuid": found[0]["controller-uuid"],
        "api-endpoints": ["localhost"],
        "cloud": CLOUD,
        "agent-version": JUJU_VERSION,
        "model-count": len(found),
        "machine-count": 1,
    }


def show_controller(
    name: Annotated[str | None, typer.Argument(metavar="[CONTROLLER]")] = None,
    form: FormatOption = Format.YAML,
    show_password: Annotated[bool, typer.Option(help="Accepted: the user has none.")] = False,
) -> None:
    """Show the controller."""
    check_controller(name or "")
    client = controller()
    found, current = client.models(), client.current_model()
    details = {
        "controller-uuid": found[0]["controller-uuid"],
        "api-endpoints": ["localhost"],
        "cloud": CLOUD,
        "agent-version": JUJU_VERSION,
    }
    described = {
        "details": details,
        "models": {
            m["short-name"]: {"model-uuid": m["model-uuid"], "unit-count": m["unit-count"]}
            for m in found
        },
        **({"current-model": f"{USER}/{current}"} if current else {}),
        "account": {"user": USER, "access": "superuser"},
    }
    emit({CONTROLLER: described}, form)


def whoami(form: FormatOption = Format.TABULAR, named: ControllerOption = "") -> None:
    """Show the controller, the current model and the user."""
    check_controller(named)
    current = controller().current_model()
    found = {
        "controller": CONTROLLER,
        **({"model": current} if current else {}),
        "user": USER,
    }
    if form in (Format.JSON, Format.YAML):
        emit(found, form)
        return
    rows = [(f"{key.capitalize()}:", value) for key, value in found.items()]
    typer.echo("\n".join(f"{key:<12}{value}" for key, value in rows))


def _settings(given: Iterable[str]) -> dict[str, Any]:
    """Settings from `KEY=VALUE` and YAML files; later ones win."""
    settings: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if equals:
            settings[key] = _scalar(value)
        else:
            settings |= _settings_file(Path(text))
    return settings


def _scalar(value: str) -> str | int | float | bool:
    """A value as Juju reads it on the command line, by YAML; what is no scalar is text."""
    try:
        read = cast("object", yaml.safe_load(value))
    except yaml.YAMLError:
        return value
    return read if isinstance(read, bool | int | float) else value


def _settings_file(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text_of(path))
    except yaml.YAMLError as e:
        raise CommandError(f"{path} is not valid YAML: {e}") from None
    if not isinstance(content, dict):
        raise CommandError(f"{path}: expected a mapping of settings")
    return cast("dict[str, Any]", content)
