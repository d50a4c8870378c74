"""What is in a cloud, so that two moments can be compared: a run must leave nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openstack.connection import Connection

PREFIXES = ("tempest-", "c_rally_", "s_rally_")
"""How the names begin that Tempest (its option resource_name_prefix) and Rally (its contexts and
scenarios) give."""


@dataclass(frozen=True)
class Collection:
    """Resources of one kind.

    Attributes:
        api: the service, as the SDK's connection names it.
        kind: the collection's name in the answer.
        listed: path that lists those of all projects.
    """

    api: str
    kind: str
    listed: str

    @property
    def path(self) -> str:
        """Below this path each resource has its own."""
        return self.listed.partition("?")[0].removesuffix("/detail")


COLLECTIONS = (
    Collection("compute", "servers", "/servers/detail?all_tenants=1"),
    Collection("compute", "server_groups", "/os-server-groups?all_projects=1"),
    Collection("compute", "aggregates", "/os-aggregates"),
    Collection("network", "floatingips", "/floatingips"),
    Collection("network", "routers", "/routers"),
    Collection("network", "ports", "/ports"),
    Collection("network", "subnets", "/subnets"),
    Collection("network", "networks", "/networks"),
    Collection("network", "security_groups", "/security-groups"),
    Collection("network", "subnetpools", "/subnetpools"),
    Collection("block_storage", "snapshots", "/snapshots?all_tenants=1"),
    Collection("block_storage", "volumes", "/volumes?all_tenants=1"),
    Collection("block_storage", "volume_types", "/types?is_public=None"),
    Collection("image", "images", "/images?limit=1000"),
    Collection("compute", "flavors", "/flavors/detail?is_public=None"),
    Collection("identity", "users", "/users"),
    Collection("identity", "groups", "/groups"),
    Collection("identity", "projects", "/projects"),
    Collection("identity", "roles", "/roles"),
    Collection("identity", "services", "/services"),
    Collection("identity", "domains", "/domains"),
)
"""Each kind stands after those that use it: in this order all can be removed."""


@dataclass(frozen=True)
class Thing:
    """One resource: its kind is the collection's name in the API."""

    kind: str
    id: str
    name: str
    project: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.id}"

    @property
    def named_by_tests(self) -> bool:
        """Whether its name is one that Tempest or Rally gives."""
        return self.name.startswith(PREFIXES)


@dataclass(frozen=True)
class Inventory:
    """All resources at one moment."""

    things: frozenset[Thing]

    def of_tests(self) -> list[Thing]:
        """Return what tests made: what bears a name of theirs, or belongs to a project of theirs.

        Ports and addresses have no names. A project that is gone was theirs when something in it
        bears such a name.
        """
        named = {thing for thing in self.things if thing.named_by_tests}
        all_projects = self._projects()
        own = {t.id for t in named & all_projects} | (
            {t.project for t in named} - {project.id for project in all_projects}
        )
        return sorted(named | {t for t in self.things if t.project and t.project in own}, key=str)

    def left(self, later: Inventory) -> list[Thing]:
        """Return what is there later, was not before, and is of tests.

        That is what bears a name of theirs, or belongs to a project which does or which is gone:
        others may use the cloud meanwhile.
        """
        known = {thing.id for thing in self.things}
        others = {project.id for project in later._projects() if not project.named_by_tests}
        new = (thing for thing in later.things if thing.id not in known)
        return sorted(
            (t for t in new if t.named_by_tests or (t.project and t.project not in others)),
            key=str,
        )

    def _projects(self) -> set[Thing]:
        return {thing for thing in self.things if thing.kind == "projects"}


def take(connection: Connection) -> Inventory:
    """List everything, as the cloud's administrator."""
    return Inventory(
        frozenset(
            _thing(collection.kind, found)
            for collection in COLLECTIONS
            if connection.has_service(collection.api.replace("_", "-"))
            for found in listed(connection, collection)
        )
    )


def listed(connection: Connection, collection: Collection) -> list[dict[str, Any]]:
    """Return all resources of a kind, as their API tells them."""
    answer = getattr(connection, collection.api).get(collection.listed)
    answer.raise_for_status()
    return answer.json()[collection.kind]


def _thing(kind: str, found: Mapping[str, Any]) -> Thing:
    owner = found.get("project_id") or found.get("tenant_id") or found.get("owner") or ""
    # A project that is its own domain's, or a user's first one, owns nothing.
    owner = "" if kind in _IDENTITY else owner
    name = found.get("name") or found.get("floating_ip_address") or ""
    return Thing(kind, str(found["id"]), name, owner)


_IDENTITY = {collection.kind for collection in COLLECTIONS if collection.api == "identity"}
