"""The state of the model in the shape of `juju status --format json`, of Juju 3.6.

Shape: formattedStatus of cmd/juju/status/formatted.go in Juju's sources; jubilant's
`statustypes` reads it.
"""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from machine.life import Life, Status
from machine.model import Application, Model, Storage
from machine.relation import Offer, Relation
from machine.unit import Unit
from machine.version import CLOUD, CONTROLLER, JUJU_VERSION, SPACE

MACHINE = "0"

# What an application is where its leader does not say: the first of these that a unit is.
_SEVERITY = ("error", "blocked", "waiting", "maintenance", "terminated", "active", "unknown")


@dataclass(frozen=True)
class Host:
    """What status tells of the host, the one machine of the model.

    Attributes:
        address: which the units are reached at.
        base: name and channel of its operating system.
        hardware: in Juju's notation, e.g. `arch=amd64 cores=2 mem=7954M`.
        booted: when it did, in epoch seconds.
    """

    address: str
    hostname: str = "localhost"
    base: tuple[str, str] = ("ubuntu", "24.04")
    hardware: str = ""
    booted: float = 0.0


def this_host(address: str) -> Host:
    """The facts of the host that this runs on."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {"ID": "linux"}
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return Host(
        address,
        socket.gethostname(),
        (release.get("ID", "linux"), release.get("VERSION_ID", "")),
        f"arch={architecture} cores={os.cpu_count()} mem={memory}M",
        time.time() - time.clock_gettime(time.CLOCK_BOOTTIME),
    )


def status(model: Model, host: Host, now: float) -> dict[str, Any]:
    """The status of the whole model, as `juju status --format json` has it.

    Args:
        model: what to describe.
        host: where it runs.
        now: epoch seconds, for the controller's timestamp.
    """
    applications = sorted(model.applications.values(), key=lambda a: a.name)
    return {
        "model": {
            "name": model.name,
            "type": "iaas",
            "controller": CONTROLLER,
            "cloud": CLOUD,
            "version": JUJU_VERSION,
            "model-status": model_status(model),
            "sla": "unsupported",
        },
        "machines": {MACHINE: _machine(host)},
        "applications": {a.name: _application(model, a, host) for a in applications},
        **_if_set("application-endpoints", _saas(model)),
        **_if_set("offers", _offers(model)),
        "storage": _storage(model.storages.values()) if model.storages else {},
        "controller": {"timestamp": _clock(now)},
    }


def _saas(model: Model) -> dict[str, Any]:
    """The applications of other models that this one has consumed."""
    consumed = {r.name: r for r in model.remotes.values() if r.relation is None}
    return {
        name: {
            "url": remote.url,
            "endpoints": {
                end.name: {"interface": end.interface, "role": str(end.role)}
                for end in remote.endpoints.values()
            },
            **_if_set("life", _life(remote.life)),
            "application-status": _status(remote.status),
            **_if_set("relations", _of_remote(model, name)),
        }
        for name, remote in sorted(consumed.items())
    }


def _of_remote(model: Model, name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for relation in model.relations_of(name):
        other = relation.remote(name).application
        found.setdefault(relation.local(name).name, []).append(other)
    return found


def _offers(model: Model) -> dict[str, Any]:
    """What this model offers to others, with how many are related by it."""
    return {name: _offer(model, offer) for name, offer in sorted(model.offers.items())}


def _offer(model: Model, offer: Offer) -> dict[str, Any]:
    application = model.applications[offer.application]
    users = [r for r in model.remotes.values() if r.relation is not None and r.offer == offer.name]
    active = [r for u in users for r in model.relations_of(u.name) if r.members_of(u.name)]
    endpoints = (application.charm.endpoints[name] for name in offer.endpoints)
    return {
        "application": application.name,
        "charm": f"local:{application.charm.name}-{application.charm_revision}",
        "total-connected-count": len(users),
        "active-connected-count": len(active),
        "endpoints": {e.name: {"interface": e.interface, "role": e.role} for e in endpoints},
    }


def model_status(model: Model) -> dict[str, str]:
    """What the model itself is."""
    dying = model.life is Life.DYING
    return _status(Status("destroying" if dying else "available", "", model.created))


def application_status(model: Model, application: Application) -> Status:
    """What the leader set, or else the gravest of the units' statuses."""
    if application.status is not None:
        return application.status
    units = [workload(unit) for unit in model.units_of(application.name)]
    if not units:
        return Status("unknown", "", application.since)
    return min(units, key=lambda s: _SEVERITY.index(s.current))


def workload(unit: Unit) -> Status:
    """The workload's status; a failed hook shows here, as in Juju, whatever the charm set."""
    return unit.agent if unit.agent.current == "error" else unit.workload


def _machine(host: Host) -> dict[str, Any]:
    started = {"current": "started", "since": _time(host.booted), "version": JUJU_VERSION}
    return {
        "juju-status": started,
        "hostname": host.hostname,
        "dns-name": host.address,
        "ip-addresses": [host.address],
        "instance-id": host.hostname,
        "machine-status": _status(Status("running", "Running", host.booted)),
        "modification-status": _status(Status("idle", "", host.booted)),
        "base": _base(host),
        "hardware": host.hardware,
    }


def _application(model: Model, application: Application, host: Host) -> dict[str, Any]:
    charm = application.charm
    described: dict[str, Any] = {
        "charm": f"local:{charm.name}-{application.charm_revision}",
        "base": _base(host),
        "charm-origin": "local",
        "charm-name": charm.name,
        "charm-rev": application.charm_revision,
        **_if_set("charm-version", charm.version),
        "exposed": application.exposed,
        **_if_set("life", _life(application.life)),
        "application-status": _status(application_status(model, application)),
        **_if_set("relations", _relations(model, application)),
        **_if_set("subordinate-to", _principals(model, application)),
        **_if_set("version", application.version),
        "endpoint-bindings": {"": SPACE, **dict.fromkeys(sorted(_bindings(application)), SPACE)},
    }
    if not charm.subordinate:
        units = model.units_of(application.name)
        described |= _if_set("units", {u.name: _unit(model, u, host) for u in units})
    return described


def _bindings(application: Application) -> Iterable[str]:
    charm = application.charm
    return {*charm.provides, *charm.requires, *charm.peers, *charm.extra_bindings}


def _relations(model: Model, application: Application) -> dict[str, list[dict[str, str]]]:
    """For each endpoint the applications at its other ends."""
    ends: dict[str, list[dict[str, str]]] = {}
    for relation in model.relations_of(application.name):
        own, other = relation.local(application.name), relation.remote(application.name)
        ends.setdefault(own.name, []).append(
            {
                "related-application": other.application,
                "interface": own.interface,
                "scope": str(relation.scope),
            }
        )
    return {name: sorted(ends[name], key=lambda e: e["related-application"]) for name in ends}


def _principals(model: Model, application: Application) -> list[str]:
    if not application.charm.subordinate:
        return []
    return sorted(
        relation.remote(application.name).application
        for relation in model.relations_of(application.name)
        if _lodging(relation)
    )


def _lodging(relation: Relation) -> bool:
    return relation.scope == "container" and not relation.peer


def _unit(model: Model, unit: Unit, host: Host) -> dict[str, Any]:
    agent = Status("idle", "", unit.agent.since) if unit.agent.current == "error" else unit.agent
    lodgers = sorted(model.subordinates_of(unit.name), key=lambda u: u.name)
    return {
        "workload-status": _status(workload(unit)),
        "juju-status": {
            **_status(agent),
            "version": JUJU_VERSION,
            **_if_set("life", _life(unit.life)),
        },
        **_if_set("leader", model.leader_of(unit.application) == unit.name),
        **({} if unit.principal else {"machine": unit.machine}),
        **_if_set("open-ports", sorted(str(port) for port in unit.ports)),
        "public-address": host.address,
        **_if_set("subordinates", {u.name: _unit(model, u, host) for u in lodgers}),
    }


def _storage(storages: Iterable[Storage]) -> dict[str, Any]:
    return {"storage": {s.id: _instance(s) for s in sorted(storages, key=lambda s: s.id)}}


def _instance(storage: Storage) -> dict[str, Any]:
    current = "attached" if storage.attached else "pending" if storage.unit else "detached"
    attachment = {"machine": MACHINE, "location": storage.location, "life": str(storage.life)}
    attachments = {"attachments": {"units": {storage.unit: attachment}}} if storage.unit else {}
    return {
        "kind": storage.kind,
        "life": str(storage.life),
        "status": {"current": current},
        "persistent": False,
        **attachments,
    }


def _base(host: Host) -> dict[str, str]:
    return {"name": host.base[0], "channel": host.base[1]}


def _life(life: Life) -> str:
    return "" if life is Life.ALIVE else str(life)


def _status(status: Status) -> dict[str, str]:
    message = _if_set("message", status.message)
    return {"current": status.current, **message, "since": _time(status.since)}


def _if_set(key: str, value: Any) -> dict[str, Any]:
    """An entry that Juju leaves out where there is nothing to say."""
    return {key: value} if value else {}


def _time(seconds: float) -> str:
    """Local time as Juju writes it, e.g. `24 Feb 2026 12:02:57Z`, `... 14:02:57+02:00`."""
    local = time.localtime(seconds)
    month = _MONTHS[local.tm_mon - 1]
    return f"{local.tm_mday:02} {month} {local.tm_year} {_clock(seconds)}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _clock(seconds: float) -> str:
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    zone = f"{zone[:3]}:{zone[3:]}" if local.tm_gmtoff else "Z"
    return time.strftime("%H:%M:%S", local) + zone
