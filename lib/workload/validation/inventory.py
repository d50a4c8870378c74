"""What is in a cloud, so that two moments can be compared: a run must leave nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openstack.connection import Connection

PREFIX = "tempest-"
"""How the names begin that Tempest gives (its option resource_name_prefix)."""

IDENTITY = {
    "domains": "/domains",
    "projects": "/projects",
    "users": "/users",
    "groups": "/groups",
    "roles": "/roles",
    "services": "/services",
}
COMPUTE = {
    "servers": "/servers/detail?all_tenants=1",
    "flavors": "/flavors/detail?is_public=None",
    "aggregates": "/os-aggregates",
    "server_groups": "/os-server-groups?all_projects=1",
}
NETWORK = {
    "floatingips": "/floatingips",
    "routers": "/routers",
    "ports": "/ports",
    "subnets": "/subnets",
    "networks": "/networks",
    "security_groups": "/security-groups",
    "subnetpools": "/subnetpools",
}
IMAGE = {"images": "/images?limit=1000"}
VOLUME = {
    "snapshots": "/snapshots?all_tenants=1",
    "volumes": "/volumes?all_tenants=1",
    "volume_types": "/types?is_public=None",
}


@dataclass(frozen=True)
class Thing:
    """One resource: its kind is the collection's name in the API."""

    kind: str
    id: str
    name: str
    project: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.id}"


@dataclass(frozen=True)
class Inventory:
    """All resources at one moment."""

    things: frozenset[Thing]

    def left(self, later: Inventory) -> list[Thing]:
        """Return what is there later, was not before, and is of Tempest.

        That is what bears its prefix or belongs to a project which does, or which is gone: others
        may use the cloud meanwhile.
        """
        known = {thing.id for thing in self.things}
        own = {
            thing.id
            for thing in later.things
            if thing.kind == "projects" and not thing.name.startswith(PREFIX)
        }
        return sorted(
            (
                thing
                for thing in later.things
                if thing.id not in known
                and (thing.name.startswith(PREFIX) or (thing.project and thing.project not in own))
            ),
            key=str,
        )


def take(connection: Connection) -> Inventory:
    """List everything, as the cloud's administrator."""
    parts: list[tuple[Any, Mapping[str, str]]] = [
        (connection.identity, IDENTITY),
        (connection.compute, COMPUTE),
        (connection.network, NETWORK),
        (connection.image, IMAGE),
    ]
    if connection.has_service("block-storage"):
        parts.append((connection.block_storage, VOLUME))
    return Inventory(
        frozenset(
            _thing(kind, found)
            for api, collections in parts
            for kind, path in collections.items()
            for found in _listed(api, kind, path)
        )
    )


def _listed(api: Any, kind: str, path: str) -> list[dict[str, Any]]:
    answer = api.get(path)
    answer.raise_for_status()
    return answer.json()[kind]


def _thing(kind: str, found: Mapping[str, Any]) -> Thing:
    owner = found.get("project_id") or found.get("tenant_id") or found.get("owner") or ""
    if kind in IDENTITY:
        owner = ""
    name = found.get("name") or found.get("floating_ip_address") or ""
    return Thing(kind, str(found["id"]), name, owner)
