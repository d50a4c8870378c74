"""Juju's commands that change the model."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from machine.cli_offer import consumed
from machine.client import BundleError
from machine.config_words import ColorOption, FileOption, ResetOption, keys_to_reset, text_of
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
from machine.juju_client import JujuClient
from machine.version import SPACE

AttachOption = Annotated[
    str | None, typer.Option("--attach-storage", help="That was detached: STORAGE,...")
]
BindOption = Annotated[
    str | None, typer.Option("--bind", help="[ENDPOINT=]SPACE...: there is one space.")
]


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
    storage: Annotated[
        list[str] | None, typer.Option("--storage", help="NAME=[POOL,][COUNT,][SIZE].")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Machine 0: there is one.")] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="Accepted: it is this host's.")
    ] = None,
    series: Annotated[str | None, typer.Option("--series", help="As --base.")] = None,
    constraints: Annotated[
        list[str] | None, typer.Option("--constraints", help="Checked: there is one machine.")
    ] = None,
    bind: BindOption = None,
    trust: Annotated[bool, typer.Option("--trust", help="Let it see credentials.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Accepted.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Of a bundle: only say.")] = False,
    map_machines: Annotated[str | None, typer.Option(help="Of a bundle: accepted.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Not offered.")] = None,
    revision: Annotated[int | None, typer.Option("--revision", help="Not offered.")] = None,
    attach_storage: AttachOption = None,
    device: Annotated[str | None, typer.Option("--device", help="Not offered.")] = None,
) -> None:
    """Deploy a bundle, or one charm as an application."""
    if series and base:
        raise UsageError("--series and --base cannot be specified together")
    of_charms = {
        "--attach-storage": attach_storage,
        "--base": base,
        "--bind": bind,
        "--channel": channel,
        "--config": config,
        "--constraints": constraints,
        "--device": device,
        "-n/--num-units": num_units,
        "--resource": resource,
        "--revision": revision,
        "--series": series,
        "--storage": storage,
        "--to": to,
    }
    if charm.endswith((".yaml", ".yml")) or Path(charm, "bundle.yaml").is_file():
        _refuse(of_charms, "a bundle")
        bundle = Path(charm)
        bundle = bundle / "bundle.yaml" if bundle.is_dir() else bundle
        _deploy_bundle(agent(model), bundle, overlay or (), dry_run)
        return
    _refuse(
        {"--dry-run": dry_run, "--map-machines": map_machines, "--overlay": overlay}, "a charm"
    )
    of_stores = ("--channel", "--revision", "--device")
    _refuse({name: of_charms[name] for name in of_stores}, "a local charm")
    if num_units is not None and num_units < 1:
        raise UsageError("--num-units must be a positive integer")
    storages = listed(attach_storage)
    if storages and num_units not in (None, 1):
        raise UsageError("--attach-storage cannot be used with -n")
    check_placement(to)
    check_constraints(constraints or ())
    spec = {
        "options": config_options(config or (), application),
        "num_units": num_units if num_units != 1 else None,
        "resources": {k: str(Path(v).resolve()) for k, v in pairs(resource or ()).items()},
        "storage": pairs(storage or ()),
        "bindings": bindings(bind or ""),
        "trust": trust,
    }
    given = {key: value for key, value in spec.items() if value}
    of_principals = {
        "--constraints": any(constraints or ()),
        "--num-units or --to": bool(to) or "num_units" in given,
    }
    _deploy_charm(agent(model), _charm_path(charm), application, given, storages, of_principals)


def _refuse(given: Mapping[str, object], what: str) -> None:
    if names := [name for name, value in given.items() if value not in (None, False)]:
        raise CommandError(
            f"options provided but not supported when deploying {what}: {', '.join(names)}"
        )


def _deploy_bundle(
    client: JujuClient, bundle: Path, overlays: Sequence[Path], dry_run: bool
) -> None:
    changes = client.deploy(bundle, overlays, dry_run=dry_run)
    if not changes:
        typer.echo("No changes to apply.")
        return
    typer.echo("Changes to deploy bundle:" if dry_run else "Executing changes:")
    for change in changes:
        typer.echo(f"- {change}")
    if not dry_run:
        typer.echo("Deploy of bundle completed.")


def check_placement(to: str | None) -> None:
    """Refuse places for units that are not this host."""
    for place in (to or "0").split(","):
        if place != "0":
            raise CommandError(
                f'placement "{place}" is not offered on this host: there is one machine, "0"'
            )


def check_constraints(constraints: Iterable[str]) -> None:
    """Refuse what is no constraint; the one machine is as it is."""
    # Here, for the other commands start faster without it.
    from machine.constraints import ConstraintError, parse

    try:
        parse(" ".join(constraints))
    except ConstraintError as e:
        raise CommandError(str(e)) from None


def bindings(text: str) -> dict[str, str]:
    """Spaces by endpoint; an empty one stands for all others.

    Raises:
        CommandError: they are given otherwise, or there is no such space.
    """
    found: dict[str, str] = {}
    for word in text.split():
        endpoint, equals, space = word.rpartition("=")
        if not space or (equals and not endpoint):
            raise CommandError(
                "--bind must be in the form '[<default-space>] [<endpoint-name>=<space> ...]'"
            )
        check_space(space)
        found[endpoint] = space
    return found


def check_space(space: str) -> None:
    """Refuse a space that there is not."""
    if space != SPACE:
        raise CommandError(f'space "{space}" not found; there is "{SPACE}"')


def _charm_path(charm: str) -> Path:
    path = Path(charm)
    if not charm.startswith((".", "/")) or not path.exists():
        raise CommandError(
            f'"{charm}" is neither a bundle\'s file nor the path of a charm on this host; '
            "a path begins with ./ or /"
        )
    return path.resolve()


def _deploy_charm(
    client: JujuClient,
    path: Path,
    application: str | None,
    spec: Mapping[str, Any],
    storages: Sequence[str],
    of_principals: Mapping[str, bool],
) -> None:
    """Deploy one charm, as a bundle of one application, whose unit gets detached storage.

    `of_principals` says which of the options that a subordinate cannot have are given.
    """
    # Here, for the other commands start faster without it.
    from machine.charm import CharmError, load_charm

    try:
        charm = load_charm(path)
    except CharmError as e:
        raise CommandError(str(e)) from None
    for option, given in of_principals.items():
        if charm.subordinate and given:
            raise CommandError(f"cannot use {option} with subordinate application")
    name = application or charm.name
    units = {} if charm.subordinate else {"num_units": 1}
    described = {**units, **spec, "charm": str(path)}
    # The folder is for root alone: options may hold what others must not read.
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle.yaml"
        bundle.write_text(yaml.safe_dump({"applications": {name: described}}))
        try:
            client.deploy(bundle, storage=storages, new=name)
        except BundleError as e:
            # The bundle's lines are nothing the user knows.
            raise CommandError(
                re.sub(rf"(?m)^{re.escape(str(bundle))}:\d+: ", "", str(e))
            ) from None
    inform(
        f'Located local charm "{charm.name}", revision 0\n'
        f'Deploying "{name}" from local charm "{charm.name}", revision 0'
    )


def config(
    application: Annotated[str, typer.Argument(help="The application.")],
    values: Annotated[list[str] | None, typer.Argument(metavar="[KEY | KEY=VALUE...]")] = None,
    model: ModelOption = None,
    reset: ResetOption = None,
    file: FileOption = None,
    color: ColorOption = False,
    form: FormatOption = Format.YAML,
) -> None:
    """Show an application's options, or set them."""
    given = list(values or ())
    resets = keys_to_reset(given, reset, file)
    client = agent(model)
    if file or resets or any("=" in word for word in given):
        new = config_options([*([str(file)] if file else []), *given], application)
        client.set_config(application, new, resets)
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
    via: Annotated[str | None, typer.Option("--via", help="Accepted: no networks.")] = None,
) -> None:
    """Relate two applications."""
    ends = [consumed(end, model) for end in (first, second)]
    agent(model).integrate(*ends)


def resolved(
    units: Annotated[
        list[str] | None, typer.Argument(metavar="UNIT...", help="Units in error.")
    ] = None,
    model: ModelOption = None,
    every: Annotated[bool, typer.Option("--all", help="All units in error.")] = False,
    no_retry: Annotated[bool, typer.Option("--no-retry", help="Count the hook as run.")] = False,
) -> None:
    """Run failed hooks again now, or go on without them."""
    if every and units:
        raise UsageError("specifying unit names(s) with --all not supported")
    if not every and not units:
        raise UsageError("no unit specified")
    check_unit_names(units or ())
    client = agent(model)
    if every:
        client.resolve_all(not no_retry)
    for unit in units or ():
        client.resolved(unit, not no_retry)


def config_options(given: Iterable[str], application: str | None) -> dict[str, Any]:
    """Options from `KEY=VALUE`, `KEY=@file`, and files for one application or for several."""
    options: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            options |= _options_file(Path(text), application)
        elif value.startswith("@"):
            options[key] = text_of(Path(value[1:]))
        else:
            options[key] = value
    return options


def _options_file(path: Path, application: str | None) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text_of(path))
    except yaml.YAMLError as e:
        raise CommandError(f"{path} is not valid YAML: {e}") from None
    if not isinstance(content, dict):
        raise CommandError(f"{path}: expected a mapping of options")
    options = cast("dict[str, Any]", content)
    own = options.get(application or "")
    return cast("dict[str, Any]", own) if isinstance(own, dict) else options


def listed(text: str | None) -> list[str]:
    """What is given as `NAME,...`."""
    return [name for name in (text or "").split(",") if name]


def pairs(given: Iterable[str]) -> dict[str, str]:
    """What is given as `NAME=VALUE`.

    Raises:
        CommandError: something else is.
    """
    pairs = {key: value for key, _, value in (text.partition("=") for text in given)}
    if not all(pairs.values()):
        raise CommandError(f"expected NAME=VALUE, got {' '.join(given)}")
    return pairs
