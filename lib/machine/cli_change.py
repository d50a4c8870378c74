"""Juju's commands that change the model."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from machine.client import BundleError
from machine.console import CommandError, Format, ModelOption, agent, emit
from machine.juju_client import JujuClient


def deploy(
    charm: Annotated[str, typer.Argument(help="A bundle's file, or a charm's folder or file.")],
    application: Annotated[
        str | None, typer.Argument(help="Its name, if not the charm's.")
    ] = None,
    model: ModelOption = None,
    overlay: Annotated[list[Path] | None, typer.Option("--overlay", help="Merged over.")] = None,
    config: Annotated[
        list[str] | None, typer.Option("--config", help="KEY=VALUE or file.")
    ] = None,
    num_units: Annotated[int | None, typer.Option("--num-units", "-n", help="Units.")] = None,
    resource: Annotated[list[str] | None, typer.Option("--resource", help="NAME=FILE.")] = None,
    storage: Annotated[list[str] | None, typer.Option("--storage", help="NAME=COUNT.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Accepted: there is one machine.")] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="Accepted: it is this host's.")
    ] = None,
    constraints: Annotated[list[str] | None, typer.Option(help="Accepted, as --base.")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Let it see credentials.")] = False,
) -> None:
    """Deploy a bundle, or one charm as an application."""
    client = agent(model)
    if charm.endswith((".yaml", ".yml")):
        changes = client.deploy(Path(charm), overlay or ())
        typer.echo("Executing changes:" if changes else "No changes to apply.")
        for change in changes:
            typer.echo(f"- {change}")
        if changes:
            typer.echo("Deploy of bundle completed.")
        return
    spec = {
        "options": _options(config or (), application),
        "num_units": num_units,
        "resources": {k: str(Path(v).resolve()) for k, v in _pairs(resource or ()).items()},
        "storage": _pairs(storage or ()),
        "trust": trust,
    }
    _deploy_charm(client, _charm_path(charm), application, {k: v for k, v in spec.items() if v})


def _charm_path(charm: str) -> Path:
    path = Path(charm)
    if not charm.startswith((".", "/")) or not path.exists():
        raise CommandError(
            f'"{charm}" is neither a bundle\'s file nor the path of a charm on this host; '
            "a path begins with ./ or /"
        )
    return path.resolve()


def _deploy_charm(
    client: JujuClient, path: Path, application: str | None, spec: Mapping[str, Any]
) -> None:
    """Deploy one charm, as a bundle of one application."""
    # Here, for the other commands start faster without it.
    from machine.charm import CharmError, load_charm

    try:
        charm = load_charm(path)
    except CharmError as e:
        raise CommandError(str(e)) from None
    name = application or charm.name
    if name in client.status()["applications"]:
        raise CommandError(f'cannot add application "{name}": application already exists')
    units = {} if charm.subordinate else {"num_units": 1}
    described = {**units, **spec, "charm": str(path)}
    # The folder is for root alone: options may hold what others must not read.
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / f"{name}.yaml"
        bundle.write_text(yaml.safe_dump({"applications": {name: described}}))
        try:
            client.deploy(bundle)
        except BundleError as e:
            # The bundle's lines are nothing the user knows.
            raise CommandError(
                re.sub(rf"(?m)^{re.escape(str(bundle))}:\d+: ", "", str(e))
            ) from None
    typer.echo(
        f'Located local charm "{charm.name}", revision 0\n'
        f'Deploying "{name}" from local charm "{charm.name}", revision 0',
        err=True,
    )


def config(
    application: Annotated[str, typer.Argument(help="The application.")],
    values: Annotated[list[str] | None, typer.Argument(metavar="[KEY | KEY=VALUE...]")] = None,
    model: ModelOption = None,
    reset: Annotated[str, typer.Option("--reset", metavar="KEY,...", help="To defaults.")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="YAML file of options.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.YAML,
) -> None:
    """Show an application's options, or set them."""
    client = agent(model)
    given = list(values or ())
    if reset or file or any("=" in value for value in given):
        new = _options([*([str(file)] if file else []), *given], application)
        client.set_config(application, new, [key for key in reset.split(",") if key])
    elif given:
        _show_one(client.juju_config(application), application, given[0])
    else:
        emit(client.juju_config(application), form)


def _show_one(described: Mapping[str, Any], application: str, key: str) -> None:
    known = {**described["application-config"], **described["settings"]}
    if key not in known:
        raise CommandError(
            f'key "{key}" not found in "{application}" application config or charm settings.'
        )
    value = known[key].get("value", "")
    typer.echo(str(value).lower() if isinstance(value, bool) else value)


def integrate(
    first: Annotated[str, typer.Argument(metavar="APP[:ENDPOINT]")],
    second: Annotated[str, typer.Argument(metavar="APP[:ENDPOINT]")],
    model: ModelOption = None,
) -> None:
    """Relate two applications."""
    agent(model).integrate(first, second)


def remove_application(
    applications: Annotated[list[str], typer.Argument(metavar="APP...", help="Which.")],
    model: ModelOption = None,
    no_prompt: Annotated[bool, typer.Option("--no-prompt", help="Do not ask.")] = False,
    destroy_storage: Annotated[bool, typer.Option(help="Accepted: storage goes along.")] = False,
) -> None:
    """Remove applications; their hooks run first."""
    client = agent(model)
    known = client.status()["applications"]
    for application in applications:
        if application not in known:
            raise CommandError(f'application "{application}" not found')
    if not no_prompt:
        typer.confirm(f"This removes {', '.join(applications)}. Continue", abort=True)
    for application in applications:
        client.remove_application(application)
        typer.echo(f"removing application {application}", err=True)


def resolved(
    units: Annotated[list[str], typer.Argument(metavar="UNIT...", help="Units in error.")],
    model: ModelOption = None,
    no_retry: Annotated[bool, typer.Option("--no-retry", help="Count the hook as run.")] = False,
) -> None:
    """Run failed hooks again now, or go on without them."""
    client = agent(model)
    for unit in units:
        client.resolved(unit, not no_retry)


def _options(given: Iterable[str], application: str | None) -> dict[str, Any]:
    """Options from `KEY=VALUE`, `KEY=@file`, and files for one application or for several."""
    options: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            options |= _options_file(Path(text), application)
        elif value.startswith("@"):
            options[key] = _read(Path(value[1:]))
        else:
            options[key] = value
    return options


def _options_file(path: Path, application: str | None) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_read(path))
    except yaml.YAMLError as e:
        raise CommandError(f"{path} is not valid YAML: {e}") from None
    if not isinstance(content, dict):
        raise CommandError(f"{path}: expected a mapping of options")
    options = cast("dict[str, Any]", content)
    own = options.get(application or "")
    return cast("dict[str, Any]", own) if isinstance(own, dict) else options


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as e:
        raise CommandError(f"cannot read {path}: {e}") from None


def _pairs(given: Iterable[str]) -> dict[str, str]:
    pairs = {key: value for key, _, value in (text.partition("=") for text in given)}
    if not all(pairs.values()):
        raise CommandError(f"expected NAME=VALUE, got {' '.join(given)}")
    return pairs


COMMANDS = {
    "deploy": deploy,
    "config": config,
    "integrate": integrate,
    "relate": integrate,
    "remove-application": remove_application,
    "resolved": resolved,
}
