"""Juju's `wait-for`: until an application, unit, machine or model is as a query says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from machine.client import TimeoutExpiredError
from machine.console import CommandError, Format, ModelOption, agent, duration, emit, inform
from machine.goal_query import QueryError, parse
from machine.juju_client import JujuClient

_ACTIVE = 'life=="alive" && status=="active"'


class Kind(StrEnum):
    """What can be waited for."""

    APPLICATION = "application"
    UNIT = "unit"
    MACHINE = "machine"
    MODEL = "model"


_GOALS: Mapping[Kind, str] = {
    Kind.APPLICATION: _ACTIVE,
    Kind.UNIT: 'life=="alive" && workload-status=="active"',
    Kind.MACHINE: 'life=="alive" && status=="started"',
    Kind.MODEL: 'life=="alive" && status=="available"',
}


def wait_for(
    kind: Annotated[Kind, typer.Argument(help="What is waited for.")],
    name: Annotated[str, typer.Argument(help="Which.")],
    model: ModelOption = None,
    query: Annotated[str | None, typer.Option("--query", help="The goal.")] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="How long, at most.")] = "10m",
    summary: Annotated[
        bool, typer.Option("--summary/--no-summary", help="Print what it is at the end.")
    ] = True,
) -> None:
    """Wait until something is as a query says; active, started or available without one."""
    try:
        goal = parse(query or _GOALS[kind])
        client = agent(name if kind is Kind.MODEL else model)
        entity = _reached(client, kind, name, goal, duration(timeout))
    except TimeoutExpiredError:
        raise CommandError(f'timed out waiting for "{name}" to reach goal state') from None
    except QueryError as e:
        raise CommandError(str(e)) from None
    if summary:
        inform(f'{kind.capitalize()} "{name}" is running')
        plain = {key: v for key, v in entity.items() if not isinstance(v, Mapping)}
        emit({"properties": plain}, Format.YAML)


def _reached(
    client: JujuClient, kind: Kind, name: str, goal: Callable[[Any], Any], timeout: float
) -> Mapping[str, Any]:
    seen = False
    for status in client.watch(timeout):
        entity = _SCOPES[kind](client, status).get(name)
        if entity is None and seen:
            raise CommandError(f"{kind} {name} removed")
        if entity is None:
            inform(f'{kind} "{name}" not found, waiting...')
        elif goal(entity):
            return entity
        else:
            inform(f'{kind} "{name}" found, waiting...')
        seen = entity is not None
    raise CommandError(f"{kind} {name} removed")


# ---- what queries see of each kind


def _machines(_: JujuClient, status: Mapping[str, Any]) -> dict[str, Any]:
    return {
        number: {
            "id": number,
            "life": "alive",
            "status": machine["juju-status"]["current"],
            "agent-status": machine["juju-status"]["current"],
            "instance-status": machine["machine-status"]["current"],
            "base": _base(machine),
            "container-type": "",
            "config": {},
            "supported-containers": [],
        }
        for number, machine in status["machines"].items()
    }


def _base(entity: Mapping[str, Any]) -> str:
    return f"{entity['base']['name']}@{entity['base']['channel']}"


def _units(client: JujuClient, status: Mapping[str, Any]) -> dict[str, Any]:
    machines = _machines(client, status)
    return {
        name: {
            "name": name,
            "application": name.rpartition("/")[0],
            "base": _base(status["applications"][name.rpartition("/")[0]]),
            "charm-url": status["applications"][name.rpartition("/")[0]]["charm"],
            "life": unit["juju-status"].get("life", "alive"),
            "public-address": unit["public-address"],
            "private-address": unit["public-address"],
            "machine-id": unit.get("machine", "0"),
            "principal": principal,
            "subordinate": bool(principal),
            "workload-status": unit["workload-status"]["current"],
            "workload-message": unit["workload-status"].get("message", ""),
            "agent-status": unit["juju-status"]["current"],
            "machines": machines,
        }
        for name, unit, principal in _all_units(status)
    }


def _all_units(status: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for application in status["applications"].values():
        for name, unit in application.get("units", {}).items():
            yield name, unit, ""
            for lodger, subordinate in unit.get("subordinates", {}).items():
                yield lodger, subordinate, name


def _applications(client: JujuClient, status: Mapping[str, Any]) -> dict[str, Any]:
    units = _units(client, status)
    return {
        name: {
            "name": name,
            "life": application.get("life") or "alive",
            "exposed": application["exposed"],
            "charm-url": application["charm"],
            "min-units": 0,
            "subordinate": "subordinate-to" in application,
            "status": application["application-status"]["current"],
            "workload-version": application.get("version", ""),
            "units": {u: unit for u, unit in units.items() if unit["application"] == name},
            "machines": _machines(client, status),
        }
        for name, application in status["applications"].items()
    }


def _model(client: JujuClient, status: Mapping[str, Any]) -> dict[str, Any]:
    name, current = status["model"]["name"], status["model"]["model-status"]["current"]
    config = {key: setting["Value"] for key, setting in client.juju_model_config().items()}
    return {
        name: {
            "name": name,
            "life": "dying" if current == "destroying" else "alive",
            "is-controller": False,
            "status": current,
            "config": config,
            "applications": _applications(client, status),
            "machines": _machines(client, status),
            "units": _units(client, status),
        }
    }


_SCOPES: Mapping[Kind, Callable[[JujuClient, Mapping[str, Any]], dict[str, Any]]] = {
    Kind.APPLICATION: _applications,
    Kind.UNIT: _units,
    Kind.MACHINE: _machines,
    Kind.MODEL: _model,
}
