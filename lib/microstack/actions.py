"""`microstack run`: actions of charms."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from microstack import duration
from microstack.errors import Failure, UsageFailure
from microstack.installation import Installation, program

EXAMPLES = """\b
Examples:
  microstack run keystone/0 get-admin-account
  microstack run nova/leader archive-data before=2026-01-01
  microstack run tempest/0 validate list=smoke --wait 30m
"""


def run(
    unit: Annotated[str, typer.Argument(metavar="APP/UNIT", help="A unit, or APP/leader.")],
    action: Annotated[str, typer.Argument(help="The action's name.")],
    parameters: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Its parameters.")
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(
            parser=duration.parse, metavar="DURATION", help="How long to wait for its end."
        ),
    ] = None,
) -> None:
    """Run an action of a charm and print its results."""
    import yaml

    if "/" not in unit:
        raise UsageFailure(f"{unit} is no unit", f"{program()} run {unit}/leader {action}")
    client = Installation.from_environment().machine()
    result = client.run(unit, action, parse(parameters or []), wait, tell)
    if result.results:
        typer.echo(yaml.safe_dump(dict(result.results), sort_keys=False).rstrip())
    if result.status != "completed":
        reason = f": {result.message}" if result.message else ""
        raise Failure(f"action {action} on {unit} {result.status}{reason}")


def tell(line: str) -> None:
    """Print what an action logs, as it comes."""
    typer.echo(line, err=True)


def parse(parameters: list[str]) -> dict[str, Any]:
    """Read `key=value` parameters as Juju does: values are YAML, dotted keys nest.

    Raises:
        UsageFailure: a parameter has no `=`, or its value is not YAML.
    """
    import yaml

    parsed: dict[str, Any] = {}
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageFailure(f"{parameter}: expected KEY=VALUE")
        try:
            _put(parsed, key.split("."), yaml.safe_load(value))
        except TypeError:
            raise UsageFailure(f"{parameter}: a part of {key} has a value of its own") from None
        except yaml.YAMLError:
            raise UsageFailure(f"{parameter}: the value is not YAML", "put it in quotes") from None
    return parsed


def _put(mapping: dict[str, Any], path: list[str], value: Any) -> None:
    """Set the value under nested keys.

    Raises:
        TypeError: one of them has a value that is no mapping.
    """
    name, *rest = path
    if not rest:
        mapping[name] = value
        return
    inner = mapping.setdefault(name, {})
    if not isinstance(inner, dict):
        raise TypeError(name)
    _put(cast("dict[str, Any]", inner), rest, value)
