"""What the command line knows of applications: a typed view of the machine's status document.

The document has the shape of `juju status --format json` (Juju 3.6), where the units of a
subordinate application stand below their principals' units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

HOST_REASON = "host: "
"""A charm begins the message of `blocked` so when the host lacks something that no operator of
the model can give, e.g. `host: no kernel module target_core_mod`. Such an application is
reported, and `up` does not wait for it."""

LOOK = "running update-status hook"
"""The agent's message while a unit looks at itself, as it does every few minutes."""

Status = Mapping[str, Any]


@dataclass(frozen=True)
class Unit:
    """One unit.

    Attributes:
        name: e.g. `nova/0`.
        status: the workload's status, e.g. `waiting`.
        message: what the charm says about it.
        agent: the agent's status: `allocating`, `executing`, `idle`, `error`.
        agent_message: what the agent is running, e.g. `running amqp-relation-changed hook`.
        leader: whether it leads its application.
    """

    name: str
    status: str
    message: str
    agent: str
    agent_message: str
    leader: bool

    @property
    def busy(self) -> bool:
        """Whether the agent is at work on this unit, so that its status may yet change."""
        return self.agent in {"allocating", "executing"}

    @property
    def looks(self) -> bool:
        """Whether it does no more than look at its own status."""
        return self.agent_message == LOOK


@dataclass(frozen=True)
class Application:
    """One application with its units.

    Attributes:
        principals: applications it is subordinate to.
        related: applications it has a relation with.
    """

    name: str
    status: str
    message: str
    units: tuple[Unit, ...]
    principals: tuple[str, ...]
    related: tuple[str, ...]

    @property
    def active(self) -> bool:
        """Whether it does its work."""
        return self.status == "active"

    @property
    def host_lacks(self) -> str | None:
        """What the host lacks for it, where its charm says so."""
        if self.status == "blocked" and self.message.startswith(HOST_REASON):
            return self.message.removeprefix(HOST_REASON)
        return None

    @property
    def settled(self) -> bool:
        """Whether `up` has nothing to wait for here."""
        return (self.active or self.host_lacks is not None) and not self.busy

    @property
    def busy(self) -> bool:
        """Whether a hook of it is running or about to."""
        return any(unit.busy for unit in self.units)

    @property
    def failed_units(self) -> tuple[Unit, ...]:
        """Units of which a hook failed."""
        return tuple(unit for unit in self.units if unit.status == "error")

    @property
    def doing(self) -> str:
        """What it says, or what its agent runs while it has nothing to say."""
        if self.message:
            return self.message
        running = (unit.agent_message for unit in self.units if unit.busy and unit.agent_message)
        return next(running, "")


def applications(status: Status) -> list[Application]:
    """Return the applications of a status document, by name."""
    documents = _mapping(status, "applications")
    units = list(_units(documents))
    return [
        _application(name, document, [unit for unit in units if _owner(unit) == name])
        for name, document in sorted(documents.items())
    ]


def _application(name: str, document: Mapping[str, Any], units: list[Unit]) -> Application:
    status = _mapping(document, "application-status")
    message = str(status.get("message", ""))
    current = str(status.get("current", "unknown"))
    # An application that never set a status of its own shows its units'; in error, the unit
    # has the message that says which hook failed.
    if not message:
        message = next((unit.message for unit in units if unit.status == current), "")
    related = {
        str(relation["related-application"])
        for relations in _mapping(document, "relations").values()
        for relation in relations
    }
    return Application(
        name=name,
        status=current,
        message=message,
        units=tuple(units),
        principals=tuple(document.get("subordinate-to") or ()),
        related=tuple(sorted(related - {name})),
    )


def _units(documents: Mapping[str, Any]) -> Iterator[Unit]:
    for document in documents.values():
        for name, unit in _mapping(document, "units").items():
            yield _unit(name, unit)
            for subordinate, inner in _mapping(unit, "subordinates").items():
                yield _unit(subordinate, inner)


def _unit(name: str, document: Mapping[str, Any]) -> Unit:
    workload, agent = _mapping(document, "workload-status"), _mapping(document, "juju-status")
    return Unit(
        name=name,
        status=str(workload.get("current", "unknown")),
        message=str(workload.get("message", "")),
        agent=str(agent.get("current", "")),
        agent_message=str(agent.get("message", "")),
        leader=bool(document.get("leader", False)),
    )


def _owner(unit: Unit) -> str:
    return unit.name.partition("/")[0]


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return document.get(key) or {}
