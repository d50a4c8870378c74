"""Relations: their ends, what units write to them, and what other models relate to.

Part of the state that `model` is the whole of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from machine.life import Life, Status

_UNKNOWN = Status("unknown")


class Role(StrEnum):
    """The side of a relation that an endpoint takes."""

    PROVIDER = "provider"
    REQUIRER = "requirer"
    PEER = "peer"


class Scope(StrEnum):
    """Which units of a relation see each other: all, or those sharing a principal."""

    GLOBAL = "global"
    CONTAINER = "container"


@dataclass(frozen=True)
class Endpoint:
    """One end of a relation."""

    application: str
    name: str
    interface: str
    role: Role

    def __str__(self) -> str:
        return f"{self.application}:{self.name}"


@dataclass(frozen=True)
class Databag:
    """What one unit or application has written to a relation; `version` counts its changes."""

    values: Mapping[str, str] = field(default_factory=dict[str, str])
    version: int = 0


@dataclass(frozen=True)
class Relation:
    """A relation: its ends, who is in scope, and everyone's databags.

    Attributes:
        endpoints: one for a peer relation, else provider first, then requirer.
        members: the units in scope. The databag of a unit that left stays readable.
        databags: by name of unit or application.
    """

    id: int
    endpoints: tuple[Endpoint, ...]
    scope: Scope = Scope.GLOBAL
    life: Life = Life.ALIVE
    members: frozenset[str] = frozenset()
    databags: Mapping[str, Databag] = field(default_factory=dict[str, Databag])
    since: float = 0.0

    @property
    def peer(self) -> bool:
        """Whether both ends are the same application."""
        return len(self.endpoints) == 1

    def local(self, application: str) -> Endpoint:
        """The end of an application that takes part in the relation."""
        return next(e for e in self.endpoints if e.application == application)

    def remote(self, application: str) -> Endpoint:
        """The end that an application sees; its own one in a peer relation."""
        return next((e for e in self.endpoints if e.application != application), self.endpoints[0])

    def involves(self, application: str) -> bool:
        """Whether the application has an end of this relation."""
        return application in (self.endpoints[0].application, self.endpoints[-1].application)

    def members_of(self, application: str) -> list[str]:
        """An application's units in scope, by number."""
        found = [m for m in self.members if m.rpartition("/")[0] == application]
        return sorted(found, key=lambda m: int(m.rpartition("/")[2]))

    def databag(self, owner: str) -> Databag:
        """The databag of a unit or application; empty if it wrote nothing."""
        return self.databags.get(owner, Databag())

    def __str__(self) -> str:
        return " ".join(str(e) for e in self.endpoints)


@dataclass(frozen=True)
class Offer:
    """Endpoints of an application that other models may relate to."""

    name: str
    application: str
    endpoints: tuple[str, ...]


@dataclass(frozen=True)
class Remote:
    """An application of another model: one that was consumed, or one that consumes an offer.

    Its units and databags are in the relations with it, kept equal by `bridge`.

    Attributes:
        model: id of its model.
        offer: what it was consumed by, or consumes.
        endpoints: that it has to relate to, by name.
        url: of the offer; empty for one that consumes.
        relation: in the model of the one that consumes; None for what was consumed.
        status: of an application that was consumed, in its model.
    """

    name: str
    model: str
    offer: str
    endpoints: Mapping[str, Endpoint]
    url: str = ""
    relation: int | None = None
    life: Life = Life.ALIVE
    status: Status = _UNKNOWN
