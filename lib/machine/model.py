"""The state of the model: immutable, typed, and all of it that is ever stored.

Every change makes a new `Model` that shares what did not change with the old one; `store` writes
the difference. Times are epoch seconds. Its parts have modules of their own: `life`, `relation`,
`secret`, `unit`. Functions that compute on the model are in `resolver` (what to run next),
`changes` (what an operator may do) and `context` (what a hook may do).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from machine.charm import CharmMetadata, Value
from machine.life import Life, Status
from machine.relation import Offer, Relation, Remote, Scope
from machine.secret import Secret
from machine.unit import Unit

EXEC = "juju-exec"
"""Name of the action that runs a command in place of the charm."""


@dataclass(frozen=True)
class Exposure:
    """Whom the open ports of an endpoint are meant for."""

    spaces: tuple[str, ...] = ()
    cidrs: tuple[str, ...] = ()

    @property
    def kept(self) -> Exposure:
        """As Juju keeps it: each once, in order; for everyone where it names nobody."""
        spaces, cidrs = (tuple(sorted({*named})) for named in (self.spaces, self.cidrs))
        return Exposure(spaces, cidrs) if spaces or cidrs else EVERYONE


EVERYONE = Exposure(cidrs=("0.0.0.0/0", "::/0"))
"""What Juju takes an exposure for that names nobody."""


@dataclass(frozen=True)
class Application:
    """An application: one charm, its options, and its units by name in the model.

    Attributes:
        charm_path: the folder or `.charm` file it was deployed from.
        charm_revision: counts deployments of another charm to it, from 0.
        options: set by the operator; defaults are in `charm`.
        status: set by the leader; None while it is derived from the units'.
        exposures: by endpoint; an empty name stands for all others.
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
    exposures: Mapping[str, Exposure] = field(default_factory=dict[str, Exposure])
    life: Life = Life.ALIVE
    status: Status | None = None
    version: str = ""
    next_unit: int = 0
    resources: Mapping[str, str] = field(default_factory=dict[str, str])
    storage: Mapping[str, int] = field(default_factory=dict[str, int])
    storage_sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    since: float = 0.0

    @property
    def exposed(self) -> bool:
        """Whether any of its open ports are meant for other hosts."""
        return bool(self.exposures)

    @cached_property
    def config_digest(self) -> str:
        """Changes exactly when config-changed is due."""
        text = json.dumps([dict(self.options), self.trust], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


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

    `operation` is shared with the runs on other units that were asked for together. `logged` says
    when each line of the log was written, in seconds since the epoch.
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
    logged: tuple[float, ...] = ()
    enqueued: float = 0.0
    started: float | None = None
    completed: float | None = None


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
