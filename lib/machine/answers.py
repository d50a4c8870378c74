"""What hook tools read and answer: YAML mappings, statuses, networks, the goal state."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any, cast

import psutil
import yaml

from machine.context import ToolError
from machine.life import Status
from machine.model import Model
from machine.relation import Relation
from machine.unit import Unit


def file_text(path: str) -> str:
    """The text of a file that a hook names.

    Raises:
        ToolError: it cannot be read.
    """
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as e:
        raise ToolError(f"cannot read {path}: {e}") from e


def mapping(text: str) -> dict[str, str]:
    """A YAML mapping as a tool is given it; null is the empty string.

    Raises:
        ToolError: it is not one.
    """
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError:
        # The parser's message quotes the text, which may hold secrets.
        raise ToolError("cannot parse the given content as YAML") from None
    if not isinstance(loaded, dict):
        raise ToolError("expected a mapping of keys to values")
    items = cast("dict[Any, Any]", loaded).items()
    return {str(k): "" if v is None else str(v) for k, v in items}


def timestamp(seconds: float) -> str:
    """Epoch seconds as RFC 3339 in UTC, as Juju writes times."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def status(known: Status) -> dict[str, Any]:
    """A status as `status-get --include-data` gives it."""
    return {"status": known.current, "message": known.message, "status-data": {}}


def network(address: str) -> dict[str, Any]:
    """A binding's network: this host is in one space, with the one address it has there."""
    bits = 128 if ":" in address else 32
    device, mac, subnet = _interface(address) or ("", "", f"{address}/{bits}")
    return {
        "bind-addresses": [
            {
                "mac-address": mac,
                "interface-name": device,
                "addresses": [{"hostname": "", "value": address, "cidr": subnet}],
            }
        ],
        "egress-subnets": [f"{address}/{bits}"],
        "ingress-addresses": [address],
    }


def _interface(address: str) -> tuple[str, str, str] | None:
    """Name, hardware address and subnet of the interface that has an address."""
    for name, addresses in psutil.net_if_addrs().items():
        for known in addresses:
            if known.address == address and known.netmask:
                macs = [a.address for a in addresses if a.family is psutil.AF_LINK]
                subnet = ipaddress.ip_interface(f"{address}/{known.netmask}").network
                return name, next(iter(macs), ""), str(subnet)
    return None


def goal_state(model: Model, unit: Unit) -> dict[str, Any]:
    """The units and related units that the model is to have."""
    relations: dict[str, dict[str, Any]] = {}
    for relation in model.relations_of(unit.application):
        if not relation.peer:
            endpoint = relation.local(unit.application).name
            relations.setdefault(endpoint, {}).update(_goals(model, unit, relation))
    units = {u.name: _goal(u.workload, u.life) for u in model.units_of(unit.application)}
    return {"units": units, "relations": relations}


def _goals(model: Model, unit: Unit, relation: Relation) -> dict[str, Any]:
    remote = relation.remote(unit.application).application
    joined = Status("joined", since=relation.since)
    units = {u.name: _goal(u.workload, u.life) for u in model.units_of(remote)}
    return {remote: _goal(joined, relation.life), **units}


def _goal(known: Status, life: str) -> dict[str, str]:
    current = "dying" if life == "dying" else known.current
    return {"status": current, "since": timestamp(known.since)}
