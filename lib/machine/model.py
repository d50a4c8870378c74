"""The state of the model: immutable, typed, and all of it that is ever stored.

Every change makes a new `Model` that shares what did not change with the old one; `store` writes
the difference. Times are epoch seconds. Functions that compute on the model are in `resolver`
(what to run next), `changes` (what an operator may do) and `context` (what a hook may do).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from machine.charm import CharmMetadata, Value

EXEC = "juju-exec"
"""Name of the action that runs a command in place of the charm."""

MODEL_OWNER = "<model>"
"""Owner of the secrets that belong to nobody's charm; no application can have this name."""


class Life(StrEnum):
    """Where something is between being made and being gone; what is dead is not in the model."""

    ALIVE = "alive"
    DYING = "dying"


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
class Status:
    """A status with the time it was set."""

    current: str
    message: str = ""
    since: float = 0.0


@dataclass(frozen=True)
class Port:
    """A port range opened by a unit; `icmp` has no numbers. No endpoints means all of them."""

    protocol: str
    first: int = 0
    last: int = 0
    endpoints: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.protocol == "icmp":
            return "icmp"
        numbers = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{numbers}/{self.protocol}"


@dataclass(frozen=True)
class Hook:
    """One event to dispatch to a unit, with everything its environment says about it.

    Attributes:
        name: as in `hooks/<name>`; the action's name if `action` is set.
        relation: id of the relation a relation hook is about.
        remote_app: the application at the other end (the own one for a peer relation).
        remote_unit: empty for created, broken and changes of application data.
        departing_unit: the unit that leaves, for departed.
        secret: id of the secret a secret hook is about.
        revision: the revision that secret-remove or secret-expired is about.
        storage: id of the storage a storage hook is about.
        action: id of the action.
    """

    name: str
    relation: int | None = None
    remote_app: str = ""
    remote_unit: str = ""
    departing_unit: str = ""
    secret: str = ""
    revision: int = 0
    storage: str = ""
    action: str = ""


@dataclass(frozen=True)
class Pending:
    """A hook that was begun and is not committed: running, killed or failed.

    Attributes:
        failures: how many times it exited non-zero.
        retry_at: when it may run again after a failure.
    """

    hook: Hook
    failures: int = 0
    retry_at: float = 0.0


@dataclass(frozen=True)
class View:
    """What a unit has been told of one relation.

    Attributes:
        created: relation-created was dispatched.
        members: remote units joined, with the version of their databag last delivered; -1 while
            the first changed after joined is still owed.
        app_version: version of the remote application's databag last delivered.
    """

    created: bool = False
    members: Mapping[str, int] = field(default_factory=dict[str, int])
    app_version: int = 0


@dataclass(frozen=True)
class Unit:
    """A unit: its statuses, and how far it has been told of the state of the model.

    Attributes:
        principal: the unit a subordinate lives with.
        workload: as the charm set it.
        agent: allocating, executing, idle, or error (`hook failed: "install"`), which is what
            `juju status` shows in place of the workload's status.
        installed, started, stopped, leader: the hooks that were committed.
        charm_revision: of the application, as of the last install or upgrade-charm.
        config_digest: of the options last delivered; empty before the first config-changed.
        views: by relation id.
        state: what the charm keeps with state-set.
        last_hook: when the last hook ended, to time update-status.
        rebooting: its charm asked for a reboot; no hook runs before.
        forced: it goes at the first hook that fails on its way out.
    """

    name: str
    workload: Status
    agent: Status
    principal: str | None = None
    machine: str = "0"
    life: Life = Life.ALIVE
    ports: tuple[Port, ...] = ()
    installed: bool = False
    started: bool = False
    stopped: bool = False
    leader: bool = False
    charm_revision: int = 0
    config_digest: str = ""
    views: Mapping[int, View] = field(default_factory=dict[int, View])
    pending: Pending | None = None
    state: Mapping[str, str] = field(default_factory=dict[str, str])
    last_hook: float = 0.0
    rebooting: bool = False
    forced: bool = False

    @cached_property
    def application(self) -> str:
        """Name of the unit's application."""
        return self.name.rpartition("/")[0]

    @cached_property
    def number(self) -> int:
        """The unit's number within its application."""
        return int(self.name.rpartition("/")[2])


@dataclass(frozen=True)
class Application:
    """An application: one charm, its options, and its units by name in the model.

    Attributes:
        charm_path: the folder or `.charm` file it was deployed from.
        charm_revision: counts deployments of another charm to it, from 0.
        options: set by the operator; defaults are in `charm`.
        status: set by the leader; None while it is derived from the units'.
        exposed_endpoints: those that are exposed, where not all are.
        version: of the workload, as its charm reports it.
        next_unit: number of the next unit; numbers are not used twice.
        resources: path of each resource's file.
        storage: instances of a storage for each new unit, where not the charm's own count.
        storage_sizes: MiB of each instance of a storage, where not the charm's own size.
    """

    name: str
    charm: CharmMetadata
    charm_path: str
    charm_revision: int = 0
    options: Mapping[str, Value] = field(default_factory=dict[str, Value])
    trust: bool = False
    exposed: bool = False
    exposed_endpoints: tuple[str, ...] = ()
    life: Life = Life.ALIVE
    status: Status | None = None
    version: str = ""
    next_unit: int = 0
    resources: Mapping[str, str] = field(default_factory=dict[str, str])
    storage: Mapping[str, int] = field(default_factory=dict[str, int])
    storage_sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    since: float = 0.0

    @cached_property
    def config_digest(self) -> str:
        """Changes exactly when config-changed is due."""
        text = json.dumps([dict(self.options), self.trust], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


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
class SecretRevision:
    """One content of a secret; `obsolete` once its owner was told that nobody tracks it."""

    content: Mapping[str, str] = field(repr=False)
    created: float = 0.0
    expires: float | None = None
    obsolete: bool = False


@dataclass(frozen=True)
class Grant:
    """Leave to read a secret, for an application or a unit, as long as the relation lives.

    A secret of the model is granted without a relation.
    """

    subject: str
    relation: int | None


@dataclass(frozen=True)
class Consumer:
    """What a unit keeps about a secret: its label, the revision it tracks and was told of."""

    revision: int
    label: str = ""
    told: int = 0


@dataclass(frozen=True)
class Secret:
    """A secret with its revisions.

    Attributes:
        owner: name of an application or of a unit, or `MODEL_OWNER`.
        rotate: a policy of `secret-add --rotate`, such as `never` or `daily`.
        rotates: when the next secret-rotate is due.
        consumers: by name of unit.
        auto_prune: drop the revisions that nobody tracks.
    """

    id: str
    owner: str
    revisions: Mapping[int, SecretRevision]
    label: str = ""
    description: str = ""
    rotate: str = "never"
    rotates: float | None = None
    grants: tuple[Grant, ...] = ()
    consumers: Mapping[str, Consumer] = field(default_factory=dict[str, Consumer])
    auto_prune: bool = False

    @property
    def latest(self) -> int:
        """Number of the newest revision."""
        return max(self.revisions)


@dataclass(frozen=True)
class Storage:
    """A storage instance.

    Attributes:
        unit: it is attached to this one, or about to be; empty when it was detached.
        location: where it is once it is made: a folder, or a block device.
        attached: the charm was told of it.
        wanted: where the charm says that it shall be; empty for anywhere.
        size: in MiB, of a block device; 0 for any.
        life: dying while the charm is told that it goes.
        kept: when it has gone from its unit, it can be attached to another one.
    """

    id: str
    unit: str
    kind: str
    location: str = ""
    attached: bool = False
    wanted: str = ""
    size: int = 0
    life: Life = Life.ALIVE
    kept: bool = False

    @property
    def name(self) -> str:
        """What the charm calls it."""
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class Action:
    """One run of an action; `status` is as Juju's.

    It is pending, running or aborting until it is completed, failed, cancelled or aborted.

    `operation` is shared with the runs on other units that were asked for together.
    """

    id: str
    unit: str
    name: str
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    operation: str = ""
    status: str = "pending"
    message: str = ""
    results: Mapping[str, object] = field(default_factory=dict[str, object])
    log: tuple[str, ...] = ()
    enqueued: float = 0.0
    started: float | None = None
    completed: float | None = None


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
    status: Status = Status("unknown")


@dataclass(frozen=True)
class Model:
    """The whole state. Change it with `replace` or the `with_...` methods, which return anew.

    Attributes:
        boot: id of the boot of the host that the state is of.
        life: dying once it is to be destroyed, until its last application is gone.
        config: settings that differ from `model_config.DEFAULTS`.
        constraints: of machines, by name; kept, for there is one machine.
    """

    name: str
    uuid: str
    created: float = 0.0
    life: Life = Life.ALIVE
    config: Mapping[str, Value] = field(default_factory=dict[str, Value])
    constraints: Mapping[str, Value] = field(default_factory=dict[str, Value])
    boot: str = ""
    next_relation: int = 0
    next_action: int = 1
    next_storage: int = 0
    applications: Mapping[str, Application] = field(default_factory=dict[str, Application])
    units: Mapping[str, Unit] = field(default_factory=dict[str, Unit])
    relations: Mapping[int, Relation] = field(default_factory=dict[int, Relation])
    secrets: Mapping[str, Secret] = field(default_factory=dict[str, Secret])
    storages: Mapping[str, Storage] = field(default_factory=dict[str, Storage])
    actions: Mapping[str, Action] = field(default_factory=dict[str, Action])
    offers: Mapping[str, Offer] = field(default_factory=dict[str, Offer])
    remotes: Mapping[str, Remote] = field(default_factory=dict[str, Remote])

    def units_of(self, application: str) -> list[Unit]:
        """The application's units, by number."""
        found = [u for u in self.units.values() if u.application == application]
        return sorted(found, key=lambda u: u.number)

    def subordinates_of(self, unit: str) -> list[Unit]:
        """The subordinate units that live with a principal."""
        return [u for u in self.units.values() if u.principal == unit]

    def relations_of(self, application: str) -> Sequence[Relation]:
        """The application's relations, by id."""
        return self._relations_of.get(application, ())

    @cached_property
    def roster(self) -> frozenset[tuple[str, Life]]:
        """Who is there and who leaves: what units know of each other beside relations."""
        return frozenset((u.name, u.life) for u in self.units.values())

    @cached_property
    def _relations_of(self) -> Mapping[str, Sequence[Relation]]:
        """Computed once: what is due is asked for every unit after every change."""
        found: dict[str, list[Relation]] = {}
        for _, relation in sorted(self.relations.items()):
            for application in {e.application for e in relation.endpoints}:
                found.setdefault(application, []).append(relation)
        return found

    def leader_of(self, application: str) -> str | None:
        """The leader: the lowest unit that is not on its way out, else the lowest."""
        units = self.units_of(application)
        alive = [u for u in units if u.life is Life.ALIVE]
        return next((u.name for u in alive or units), None)

    def counterparts(self, relation: Relation, unit: Unit) -> list[str]:
        """The remote units in scope that the unit sees, sorted as unit names."""
        remote = relation.remote(unit.application).application
        members = (self.units.get(m) for m in relation.members if m != unit.name)
        seen = [m for m in members if m is not None and m.application == remote]
        if remote in self.remotes:
            return relation.members_of(remote)
        if relation.scope is Scope.CONTAINER:
            home = unit.principal or unit.name
            seen = [m for m in seen if home == (m.principal or m.name)]
        return [m.name for m in sorted(seen, key=lambda m: m.number)]

    def manages(self, unit: Unit, secret: Secret) -> bool:
        """Whether the unit may change a secret, and is told of its owner's duties."""
        if secret.owner == unit.application:
            return self.leader_of(secret.owner) == unit.name
        return secret.owner == unit.name

    def may_read(self, unit: Unit, secret: Secret) -> bool:
        """Whether the unit owns the secret, with its application or alone, or was granted it."""
        names = (unit.name, unit.application)
        return secret.owner in names or any(g.subject in names for g in secret.grants)

    def with_application(self, application: Application) -> Model:
        """The model with the application added or replaced."""
        return replace(self, applications={**self.applications, application.name: application})

    def with_unit(self, unit: Unit) -> Model:
        """The model with the unit added or replaced."""
        return replace(self, units={**self.units, unit.name: unit})

    def with_relation(self, relation: Relation) -> Model:
        """The model with the relation added or replaced."""
        return replace(self, relations={**self.relations, relation.id: relation})

    def with_secret(self, secret: Secret) -> Model:
        """The model with the secret added or replaced."""
        return replace(self, secrets={**self.secrets, secret.id: secret})

    def with_action(self, action: Action) -> Model:
        """The model with the action added or replaced."""
        return replace(self, actions={**self.actions, action.id: action})

    def with_remote(self, remote: Remote) -> Model:
        """The model with the application of another model added or replaced."""
        return replace(self, remotes={**self.remotes, remote.name: remote})

    def with_storage(self, storage: Storage) -> Model:
        """The model with the storage added or replaced."""
        return replace(self, storages={**self.storages, storage.id: storage})
