"""The charm every component's charm is made from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import ops

from charmbase import probes, snap
from charmbase.endpoints import Provides, Requires
from charmbase.mapping import Built, Missing, Table, build, check_keys, flatten, leaves, statuses
from charmbase.peers import Peers, Vault
from charmbase.sources import Absence, Done, Job, Source
from interfaces.base import Databag, DatabagError, SecretContent
from workload.config import COMPONENTS, RELEASE, Component

logger = logging.getLogger(__name__)

C = TypeVar("C", bound=Component)

SERVICE_TIMEOUT = 180.0
"""Seconds a service may take to answer after its config changed."""

GRACE = 15.0
"""Seconds a service may take to answer when nothing was changed."""


class ComponentCharm(ops.CharmBase, Generic[C]):
    """A charm that maps relations and options to one component of the snap.

    Subclasses declare, and override `publish`:

    Attributes:
        component: the component's key in snap config.
        mapping: snap config key, or section of keys -> source of its value.
        probe: how to tell that its service answers; None where there is nothing to ask.
        ports: snap config keys of the TCP ports that `juju expose` opens.
        sources: the mapping with dotted keys; set by this class.
    """

    component: ClassVar[str]
    mapping: ClassVar[Table]
    probe: ClassVar[probes.Probe | None] = None
    ports: ClassVar[tuple[str, ...]] = ()
    sources: ClassVar[Mapping[str, Source]] = {}
    requires: ClassVar[Mapping[str, Requires[Any]]] = {}
    provides: ClassVar[Mapping[str, Provides[Any]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "component"):
            return
        declared = {name: getattr(cls, name) for name in dir(cls) if not name.startswith("__")}
        cls.requires = {d.endpoint: d for d in declared.values() if isinstance(d, Requires)}
        cls.provides = {d.endpoint: d for d in declared.values() if isinstance(d, Provides)}
        cls.sources = flatten(cls.mapping)
        used = [*cls.sources, *(cls.probe.uses() if cls.probe else ()), *cls.ports]
        used += [need for job in cls.jobs() for need in job.needs]
        check_keys(COMPONENTS[cls.component], used, cls.__name__)

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        self.peers = Peers(self)
        self.vault = Vault(self, self.peers)
        self._views: dict[str, Databag | None] = {}
        self._contents: dict[str, SecretContent | None] = {}
        self._built: Built[C] | None = None
        self._healthy: bool | None = None
        self._refused: str | None = None
        self._hindrance = ""
        self._awaited = ""
        self._reconciled = False
        self.patience = GRACE
        """Seconds that what this hook waits for may take."""
        self.first_configuration = False
        """Whether the component had no config before this hook."""
        self._observe()

    # What a subclass overrides.

    def publish(self, config: C) -> None:
        """Write what this component offers to its relations; its service answers."""

    def announce(self) -> None:
        """Write what related applications need for their own config; no service need answer."""

    def awaited(self, config: C) -> str:
        """Return what others have to do before an answering service is of use; shown as waiting.

        Asked after `publish`, so that others have what they need of this component for it.
        """
        return ""

    def message(self, config: C) -> str:
        """Return what the status says beside `active`."""
        return ""

    def hindrance(self) -> str:
        """Return what keeps the component from being run here at all; shown as blocked."""
        return ""

    def problems(self) -> list[str]:
        """Return what else the user should know and mend; shown as blocked."""
        return []

    # What subclasses and sources use.

    @classmethod
    def jobs(cls) -> tuple[Job, ...]:
        """Return the jobs whose release is mapped."""
        done = [source.job for source in cls.sources.values() if isinstance(source, Done)]
        return tuple(dict.fromkeys(done))

    @property
    def built(self) -> Built[C]:
        """The config that can be built now, and what is missing for the whole of it."""
        if self._built is None:
            self._built = self._build()
        return self._built

    @property
    def api_url(self) -> str | None:
        """Base URL of this component's API, once its address is known."""
        if "bind-address" not in self.built.present:
            return None
        config: Any = self.built.config
        return f"http://{config.bind_address}:{config.port}"

    def address(self, endpoint: str) -> str | None:
        """Return this unit's address on an endpoint's binding."""
        try:
            binding = self.model.get_binding(endpoint)
            address = binding.network.ingress_address if binding else None
        except (ops.ModelError, ops.RelationNotFoundError):
            return None
        return None if address is None else str(address)

    def view(self, endpoint: Requires[Any]) -> Any:
        """Return what an endpoint's provider offers, or None without a relation.

        Raises:
            DatabagError: what it sent doesn't fit the interface.
        """
        name = endpoint.endpoint
        if name not in self._views:
            self._views[name] = endpoint.bound(self).get()
        return self._views[name]

    def content(
        self, endpoint: Requires[Any], secret_id: str | None, model: type[SecretContent]
    ) -> SecretContent | None:
        """Return the content of a secret that an endpoint's provider sent."""
        if secret_id is None:
            return None
        if secret_id not in self._contents:
            self._contents[secret_id] = endpoint.bound(self).secret(secret_id, model)
        return self._contents[secret_id]

    def describe(self, endpoint: Requires[Any]) -> str:
        """Name an endpoint with the application behind it: `database (mariadb)`."""
        relation = endpoint.bound(self).relation
        return f"{endpoint.endpoint} ({relation.app.name})" if relation else endpoint.endpoint

    def release_of(self, job: Job) -> str | None:
        """Return the snap's release if the job succeeded for it."""
        done = self.peers.data.releases.get(job.name)
        return done if done == RELEASE else None

    def run_job(self, job: str) -> None:
        """Run a one-off job of the snap, shown as the unit's status meanwhile.

        Raises:
            snap.JobFailed: with the job's last lines.
        """
        self.unit.status = ops.MaintenanceStatus(f"running {job}")
        snap.run_job(job)

    def reconcile(self, patience: float = GRACE) -> None:
        """Bring snap config, jobs and relations in line with what is known now.

        Args:
            patience: seconds that the service may take to answer though nothing was changed.

        Raises:
            snap.JobFailed: Juju runs the hook again.
        """
        self._reconciled = True
        self._ask()
        self.announce()
        if later := self._later_schema():
            # A revert brings back the config that opened the gate of its services.
            snap.clear(self.component)
        self._hindrance = later or self.hindrance()
        if self._hindrance:
            return
        try:
            changed = self.rebuild()
            for job in self._due_jobs():
                self.run_job(job.name)
                self.peers.set_release(job.name, RELEASE)
                changed |= self.rebuild()
        except snap.ConfigRefused as error:
            self._refused = str(error)
            return
        self.patience = SERVICE_TIMEOUT if changed else patience
        if self.built.complete and self._wait(self.patience):
            self.publish(self.built.config)
            self._awaited = self.awaited(self.built.config)

    def rebuild(self) -> frozenset[str]:
        """Build the config anew after own secrets changed, and write it; return the keys."""
        self._built = None
        return self._configure()

    # Events.

    def _observe(self) -> None:
        on = self.on
        self.framework.observe(on.install, self._on_install)
        self.framework.observe(on.upgrade_charm, self._on_install)
        self.framework.observe(on.stop, self._on_stop)
        self.framework.observe(on.secret_remove, self._on_secret_remove)
        self.framework.observe(on.collect_unit_status, self._on_collect_unit_status)
        self.framework.observe(on.start, self._on_start)
        for event in (on.config_changed, on.leader_elected, on.update_status):
            self.framework.observe(event, self._on_reconcile)
        self.framework.observe(on.secret_changed, self._on_reconcile)
        for endpoint in self.meta.relations:
            events = on[endpoint]
            for event in (
                events.relation_created,
                events.relation_changed,
                events.relation_departed,
                events.relation_broken,
            ):
                self.framework.observe(event, self._on_reconcile)
        if "migrate-database" in self.meta.actions:
            self.framework.observe(on["migrate-database"].action, self._on_migrate_database)

    def _on_install(self, _: ops.EventBase) -> None:
        self.unit.status = ops.MaintenanceStatus("installing the snap microstack")
        channel = str(self.config.get("snap-channel") or "") or None
        snap.install(channel, snap.attached(self.model))
        self.unit.set_workload_version(RELEASE)

    def _on_start(self, _: ops.StartEvent) -> None:
        # Also after a reboot, when all services of the host start at once.
        self.reconcile(SERVICE_TIMEOUT)

    def _on_reconcile(self, _: ops.EventBase) -> None:
        self.reconcile()

    def _on_stop(self, _: ops.StopEvent) -> None:
        snap.clear(self.component)

    def _on_secret_remove(self, event: ops.SecretRemoveEvent) -> None:
        event.remove_revision()

    def _on_migrate_database(self, event: ops.ActionEvent) -> None:
        if not self.unit.is_leader():
            event.fail("run this on the leader")
            return
        for job in self.jobs():
            if self.built.lacks(job.needs):
                event.fail("; ".join(s.message for s in self._statuses()))
                return
            snap.run_job(job.name)
            self.peers.set_release(job.name, RELEASE)
        event.set_results({"release": RELEASE})

    def _on_collect_unit_status(self, event: ops.CollectStatusEvent) -> None:
        if not self._reconciled:
            return  # Nothing was looked at, so the status the unit has still holds.
        for status in self._statuses() or [ops.ActiveStatus(self.message(self.built.config))]:
            event.add_status(status)

    # Steps of a reconcile.

    def _build(self) -> Built[C]:
        model: Any = COMPONENTS[self.component]
        built: Built[C] = build(self, self.sources, model)
        unmapped = [
            Missing("", Absence("relation", name))
            for name, endpoint in self.requires.items()
            if not endpoint.optional and not endpoint.bound(self).relations
        ]
        return Built(built.config, built.present, (*built.missing, *unmapped), built.invalid)

    def _ask(self) -> None:
        for endpoint in self.requires.values():
            request = endpoint.request
            data = request if isinstance(request, Databag) or request is None else request(self)
            if data is not None:
                endpoint.bound(self).publish(data)

    def _configure(self) -> frozenset[str]:
        self.unit.set_ports(*(probes.value_of(self.built.config, key) for key in self.ports))
        changed = snap.configure(self.component, self.built.config, self._held())
        wanted = {key for key, value in leaves(self.built.config).items() if value is not None}
        self.first_configuration |= changed >= wanted - self._held()
        return changed

    def _later_schema(self) -> str:
        """Say that the snap or this charm went back a release, which OpenStack does not.

        A schema has no way back, and Nova's services refuse to be older than they were
        (`nova.exception.ServiceTooOld`).
        """
        later = max(self.peers.data.releases.values(), key=_number, default=RELEASE)
        if _number(later) <= _number(RELEASE):
            return ""
        return f"the schema is of {later}, with no way back to {RELEASE}: refresh to {later} again"

    def _held(self) -> frozenset[str]:
        """Return the keys not to be set for the first time now.

        The schema's release opens the gate of the services. While other keys are missing a
        service would only start to be restarted, so the gate stays shut; one that is open stays
        open.
        """
        gates = [key for key, source in self.sources.items() if isinstance(source, Done)]
        return frozenset() if self.built.complete else frozenset(gates)

    def _due_jobs(self) -> list[Job]:
        if not self.peers.writable:
            return []
        return [
            job
            for job in self.jobs()
            if self.release_of(job) is None and not self.built.lacks(job.needs)
        ]

    def _wait(self, seconds: float) -> bool:
        if self.probe is None:
            self._healthy = True
        else:
            self._healthy = probes.wait(self.probe, self.built.config, seconds) or (
                seconds < SERVICE_TIMEOUT
                and self.starting
                and probes.wait(self.probe, self.built.config, SERVICE_TIMEOUT)
            )
        return self._healthy

    @property
    def starting(self) -> bool:
        """Whether no hook has ended yet with its services up or given up.

        A hook that was killed while it waited for them finds nothing to change when it runs again.
        """
        return not isinstance(self.unit.status, ops.ActiveStatus | ops.BlockedStatus)

    def _statuses(self) -> list[ops.StatusBase]:
        if self._hindrance:
            return [ops.BlockedStatus(self._hindrance)]
        if self._refused:
            return [ops.BlockedStatus(f"the snap refused its config: {self._refused}")]
        built = self.built
        if not built.complete:
            return statuses(built.missing, built.invalid)
        problems = self.problems()
        if self.probe is not None and not self._healthy:
            fault = self.probe.fault(built.config)
            problems.append(f"{fault}: see the log of {self.component}")
        waiting = [ops.WaitingStatus(self._awaited)] if self._awaited else []
        return [*(ops.BlockedStatus(problem) for problem in problems), *waiting]


def _number(release: str) -> tuple[int, ...]:
    """Return a release such as `2026.2` in the order of time."""
    return tuple(map(int, release.split(".")))


__all__ = ["ComponentCharm", "DatabagError"]
