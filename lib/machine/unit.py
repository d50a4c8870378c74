"""Units: their statuses, the hooks they run, and what they have been told of.

Part of the state that `model` is the whole of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from machine.life import Life, Status


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
