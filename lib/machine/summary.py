"""A status in fewer words than its tables: a line for each unit, or how many there are of what."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from machine.tabular import units_with_depth

Rows = Iterable[tuple[str, str]]


def format_oneline(status: Mapping[str, Any]) -> str:
    """A line for each unit; subordinates are indented below their principals."""
    return "\n".join(_line(*unit) for unit in units_with_depth(status))


def _line(name: str, unit: Mapping[str, Any], depth: int) -> str:
    agent, workload = unit["juju-status"]["current"], unit["workload-status"]["current"]
    what = f"{unit.get('public-address', '')} (agent:{agent}, workload:{workload})"
    return f"{'  ' * depth}- {name}: {what} {', '.join(unit.get('open-ports', ()))}".rstrip()


def format_summary(status: Mapping[str, Any]) -> str:
    """The subnets and ports in use, and how many machines, units and applications there are."""
    units = [unit for _, unit, _ in units_with_depth(status)]
    ports = sorted({port for unit in units for port in unit.get("open-ports", ())})
    networks = sorted({_network(machine["dns-name"]) for machine in status["machines"].values()})
    where = [("Running on subnets:", ", ".join(networks)), ("Utilizing ports:", ", ".join(ports))]
    return "\n".join((*_aligned(where), *_aligned(_counts(status, units))))


def _counts(status: Mapping[str, Any], units: Iterable[Mapping[str, Any]]) -> Rows:
    yield from _by_state("Machines", (m["juju-status"] for m in status["machines"].values()))
    yield "", ""
    yield from _by_state("Units", (unit["workload-status"] for unit in units))
    yield "", ""
    applications = status["applications"]
    yield "# Applications:", f"({len(applications)})"
    for name, application in sorted(applications.items()):
        yield name, f"{int(application['exposed'])}/1  exposed"
    yield "", ""
    remotes = status.get("application-endpoints", {})
    yield "# Remote:", f"({len(remotes)})"
    for name, remote in sorted(remotes.items()):
        yield name, remote["url"].rpartition(":")[2]


def _by_state(what: str, statuses: Iterable[Mapping[str, Any]]) -> Rows:
    states = Counter(status["current"] for status in statuses)
    yield f"# {what}:", f"({states.total()})"
    for state, count in sorted(states.items()):
        yield f"{state}:", f" {count}"


def _network(address: str) -> str:
    """The network of an address by its class: Juju, too, knows no more of it here."""
    first = ipaddress.ip_address(address).packed[0]
    bits = 8 if first < 128 else 16 if first < 192 else 24
    return f"{address}/{bits}" if ":" not in address else f"{address}/64"


def _aligned(rows: Rows) -> Iterator[str]:
    """Keys to the right, two blanks, values."""
    found = list(rows)
    width = max(len(key) for key, _ in found)
    return (f"{key.rjust(width)}  {value}".rstrip() for key, value in found)
