"""A status as the table that `juju status` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_MODEL = ("Model", "Controller", "Cloud/Region", "Version", "SLA", "Timestamp")
_APPLICATIONS = (
    *("App", "Version", "Status", "Scale", "Charm", "Channel", "Rev", "Exposed"),
    "Message",
)
_UNITS = ("Unit", "Workload", "Agent", "Machine", "Public address", "Ports", "Message")
_MACHINES = ("Machine", "State", "Address", "Inst id", "Base", "AZ", "Message")
_SAAS = ("SAAS", "Status", "Store", "URL")
_OFFERS = (
    *("Offer", "Application", "Charm", "Rev", "Connected"),
    *("Endpoint", "Interface", "Role"),
)
_RELATIONS = ("Integration provider", "Requirer", "Interface", "Type", "Message")
_STORAGE = ("Storage Unit", "Storage ID", "Type", "Mountpoint", "Status")
_RIGHT = {"Scale", "Rev"}


def format_tabular(status: Mapping[str, Any], relations: Iterable[tuple[str, ...]] = ()) -> str:
    """Lay a status out in Juju's tables: model, applications, units, machines, relations.

    Args:
        status: in the shape of `juju status --format json`.
        relations: rows of provider, requirer, interface, type and message, for `--relations`.
    """
    applications = [_application_row(status, name) for name in sorted(status["applications"])]
    machines = [_machine_row(name, m) for name, m in sorted(status["machines"].items())]
    tables = (
        _section(_MODEL, [_model_row(status)]),
        _section(_SAAS, list(_saas_rows(status))),
        _section(_APPLICATIONS, applications),
        _section(_UNITS, list(_unit_rows(status))),
        _section(_MACHINES, machines),
        _section(_OFFERS, list(_offer_rows(status))),
        _section(_RELATIONS, sorted(relations)),
        _section(_STORAGE, list(_storage_rows(status))),
    )
    return "\n\n".join(table for table in tables if table)


def _section(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A part of `status`, which is left out where there is nothing to show."""
    return table(header, rows) if rows else ""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A header and columns two blanks apart; numbers to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    right = [name in _RIGHT for name in header]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _model_row(status: Mapping[str, Any]) -> list[str]:
    model = status["model"]
    cloud = "/".join(filter(None, (model["cloud"], model.get("region", ""))))
    timestamp = status["controller"]["timestamp"]
    return [model["name"], model["controller"], cloud, model["version"], model["sla"], timestamp]


def _application_row(status: Mapping[str, Any], name: str) -> list[str]:
    application = status["applications"][name]
    current = application["application-status"]
    return [
        name,
        application.get("version", ""),
        current["current"],
        _scale(status, name),
        application["charm-name"],
        application.get("charm-channel", ""),
        str(application["charm-rev"]),
        "yes" if application["exposed"] else "no",
        current.get("message", ""),
    ]


def _saas_rows(status: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, remote in sorted(status.get("application-endpoints", {}).items()):
        store, _, url = remote["url"].rpartition(":")
        yield [name, remote["application-status"]["current"], store, url]


def _offer_rows(status: Mapping[str, Any]) -> Iterator[list[str]]:
    """An offer in the line of its first endpoint, the others below."""
    for name, offer in sorted(status.get("offers", {}).items()):
        charm, _, revision = offer["charm"].partition(":")[2].rpartition("-")
        connected = f"{offer['active-connected-count']}/{offer['total-connected-count']}"
        first = [name, offer["application"], charm, revision, connected]
        for endpoint, end in sorted(offer["endpoints"].items()):
            yield [*first, endpoint, end["interface"], end["role"]]
            first = [""] * len(first)


def _scale(status: Mapping[str, Any], application: str) -> str:
    """How many units there are; `up/all` while some are not up."""
    units = [u for name, u, _ in units_with_depth(status) if name.startswith(f"{application}/")]
    up = sum(u["juju-status"]["current"] in ("executing", "idle", "running") for u in units)
    return str(up) if up == len(units) else f"{up}/{len(units)}"


def units_with_depth(status: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """All units by name, with how deep they are: subordinates follow their principals."""
    for _, application in sorted(status["applications"].items()):
        for name, unit in application.get("units", {}).items():
            yield name, unit, 0
            for lodger, subordinate in unit.get("subordinates", {}).items():
                yield lodger, subordinate, 1


def _unit_rows(status: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, unit, depth in units_with_depth(status):
        agent = unit["juju-status"]
        message = unit["workload-status"].get("message", "")
        if agent["current"] == "executing" and agent.get("message"):
            doing = agent["message"].removeprefix("running ").removeprefix("action ")
            message = f"({doing.removesuffix(' hook')}) {message}".rstrip()
        yield [
            f"{'  ' * depth}{name}{'*' if unit.get('leader') else ''}",
            unit["workload-status"]["current"],
            agent["current"],
            unit.get("machine", ""),
            unit.get("public-address", ""),
            ",".join(unit.get("open-ports", ())),
            message,
        ]


def _machine_row(name: str, machine: Mapping[str, Any]) -> list[str]:
    return [
        name,
        machine["juju-status"]["current"],
        machine["dns-name"],
        machine["instance-id"],
        f"{machine['base']['name']}@{machine['base']['channel']}",
        "",
        machine["machine-status"].get("message", ""),
    ]


def attachments(storage: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The units that storage is attached to; none is a unit without a name."""
    detached = {"units": {"": {"location": ""}}}
    return storage.get("attachments", detached)["units"].items()


def _storage_rows(status: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, storage in status.get("storage", {}).get("storage", {}).items():
        for unit, attachment in attachments(storage):
            current = storage["status"]["current"]
            yield [unit, name, storage["kind"], attachment["location"], current]
