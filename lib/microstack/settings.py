"""`microstack config`: options of charms."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from microstack.errors import UsageFailure
from microstack.installation import Installation, Machine, program

EXAMPLES = """\b
Examples:
  microstack config nova                             all options, as YAML
  microstack config nova cpu-allocation-ratio        one value
  microstack config nova cpu-allocation-ratio=4.0    set it
  microstack config nova --reset cpu-allocation-ratio
"""


def config(
    application: Annotated[str, typer.Argument(metavar="APP", help="The application.")],
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY | KEY=VALUE...]", help="What to show or set."),
    ] = None,
    reset: Annotated[
        list[str] | None,
        typer.Option("--reset", metavar="KEY", help="Back to its default; may be repeated."),
    ] = None,
) -> None:
    """Show an application's options, or set them."""
    client = Installation.from_environment().machine()
    values, wanted = split(options or [])
    resets = [key for keys in reset or [] for key in keys.split(",")]
    if values or resets:
        client.set_config(application, values, resets)
    elif wanted:
        typer.echo(value(client, application, wanted))
    else:
        import yaml

        typer.echo(yaml.safe_dump(client.config(application), sort_keys=False).rstrip())


def value(machine: Machine, application: str, key: str) -> str:
    """Return one option's value as text; empty where it has none.

    Raises:
        UsageFailure: the application has no such option.
    """
    options: Mapping[str, Any] = machine.juju_config(application)["settings"]
    if key not in options:
        near = difflib.get_close_matches(key, list(options), n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"{program()} config {application} lists them"
        )
        raise UsageFailure(f"{application} has no option {key}", hint)
    shown = options[key].get("value", "")
    return str(shown).lower() if isinstance(shown, bool) else str(shown)


def split(options: list[str]) -> tuple[dict[str, str], str | None]:
    """Return the values to set, or the key to show.

    Raises:
        UsageFailure: both are asked for, or several keys.
    """
    pairs = [option.partition("=") for option in options]
    values = {key: value for key, equals, value in pairs if equals}
    keys = [key for key, equals, _ in pairs if not equals]
    if len(keys) > 1 or (keys and values):
        raise UsageFailure(f"{keys[0]}: expected KEY=VALUE", "one KEY alone shows its value")
    return values, keys[0] if keys else None
