"""The snap as the embedded snapd knows it: its config, its services, and what became of them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from workload import programs, render
from workload.atomic import write_json
from workload.component import Component
from workload.config import RELEASE
from workload.configure import OPTIONS, ConfigError, Engine, Outcome, ServiceError
from workload.layout import Layout
from workload.runtime import logs
from workload.runtime.config_store import ConfigStore, OptionError, Store
from workload.runtime.services import ALIVE, Process, Services, State
from workload.runtime.status import ServiceStatus
from workload.service_table import ServiceTable, TableError

logger = logging.getLogger(__name__)

BOOT = "MACHINE_BOOT_ID"
"""Variable that is another after each start of the appliance."""

LOCK_TIMEOUT = 300.0
"""Seconds to wait while a component is being configured; its services start in less."""

LAST_LINES = 5
"""Lines of its log that a failing service is reported with."""

REFUSALS = (ConfigError, OptionError, render.RenderError, ServiceError)
"""What a change of config is refused with; the message is for who asked for it."""


class Snap:
    """One snap on one host. Its methods may be called by any thread."""

    def __init__(
        self,
        layout: Layout,
        components: Iterable[Component],
        table: ServiceTable,
        runner: Services,
        templates: Path = render.TEMPLATES,
        store: Store | None = None,
        lock_timeout: float = LOCK_TIMEOUT,
        on_options: Callable[[Any], None] | None = None,
    ) -> None:
        self.table = table
        self.runner = runner
        self._layout = layout
        self._store = store or ConfigStore(layout.snap_config)
        # Asked now: under a process that lives on, a refresh changes the snap.
        of_programs = programs.digests(table, layout.snap)
        self._engine = Engine(components, layout, self, templates, of_programs)
        self._lock_timeout = lock_timeout
        self._on_options = on_options
        self._held = _Held(layout.run / "held.json")
        self._check_services(components)

    # -- config -------------------------------------------------------------------------------

    def config(self, keys: Iterable[str] = ()) -> dict[str, Any]:
        """Return all of snap config, or the value of each dotted key.

        Raises:
            OptionNotFoundError: a key has no value.
        """
        keys = list(keys)
        return self._store.get(keys) if keys else self._store.document()

    def set_config(self, changes: Mapping[str, Any]) -> Outcome:
        """Change config and make files and services follow.

        Args:
            changes: dotted keys and their values; None unsets.

        Raises:
            OptionError, ConfigError, RenderError: refused, nothing was changed.
            ServiceError: a service cannot be started; config is as before.
        """
        names = {key.split(".")[0] for key in changes}
        with self._only_caller(names):
            document = self._store.patched(changes)
            self._hand_on_options(document)
            outcome = self._engine.configure(document, only=names)
            self._store.commit(changes)
        return outcome

    def follow(self, *, revisions: Collection[str] = (), failed: Collection[str] = ()) -> Outcome:
        """Make files and services follow config that was changed in the store itself.

        Args:
            revisions: of the snap, this one and the one before it, where it has just come to this
                one. Then components whose section is the same are looked at too, as templates and
                programs may be others, and what runs from any other revision, whose files go, is
                restarted.
            failed: services that should run and do not: a start of theirs failed after this had
                returned, or snapd disabled them.

        Raises:
            ConfigError, RenderError: refused, nothing was changed.
            ServiceError: a service cannot be started.
        """
        document = self._store.document()
        self._hand_on_options(document)
        self._engine.doubt(failed)
        names = self._engine.components if revisions else self._engine.changed(document)
        with self._only_caller(names):
            if revisions:
                kept = self.table.services.keys() - self._outlived(revisions)
                self._engine.forget_services(but=kept)
            return self._engine.configure(document, only=names)

    def start_configured(self) -> None:
        """Start every service whose config is complete: after a reboot, or `microstack start`.

        A component whose config no longer parses (its keys changed with an upgrade) is left out
        and logged.
        """
        with self._only_caller(self._engine.components):
            document = self._store.document()
            self._engine.forget_services(but=self.runner.was_started())
            sound = [name for name in self._engine.components if self._is_sound(name, document)]
            try:
                self._engine.configure(document, only=sound)
            except (render.RenderError, ServiceError) as error:
                logger.error("starting: %s", error)

    def missing(self) -> dict[str, tuple[str, ...]]:
        """Return the services that wait for config, with the keys each waits for."""
        document = self._store.document()
        sound = {
            name: section for name, section in document.items() if self._is_sound(name, document)
        }
        return self._engine.gates(self._engine.parse(sound))

    # -- services -----------------------------------------------------------------------------

    def apply(self, *, start: Sequence[str], restart: Sequence[str], stop: Sequence[str]) -> None:
        """Change services as config asks; those that a user stopped stay so."""
        held = self._held.names
        self.runner.apply(
            start=[name for name in start if name not in held],
            restart=[name for name in restart if name not in held],
            stop=stop,
        )

    def control(self, action: str, names: Collection[str], *, persist: bool) -> None:
        """Start, stop or restart services as a user asks.

        Args:
            action: `start`, `stop` or `restart`.
            names: services; none means all that may run.
            persist: whether it also holds after a reboot (snapd's enable and disable).

        Raises:
            ServiceError: a service waits for config, or cannot be started.
        """
        missing = self.missing()
        if action != "stop":
            self._refuse_waiting(set(names) & missing.keys(), missing)
        if action == "stop":
            chosen = list(names) or list(self.table.services)
            self._held.add(chosen, persist=persist)
            self.runner.stop(chosen)
            return
        chosen = list(names) or [name for name in self.table.services if name not in missing]
        if action == "restart" and not names:
            # A oneshot has nothing to restart, and undoing some does harm: guests would end.
            chosen = [name for name in chosen if not self.table.services[name].oneshot]
        self._held.discard(chosen, persist=persist)
        if action == "start":
            # A running service needs no second start, nor does a oneshot that did its work.
            processes = self.runner.processes()
            chosen = [name for name in chosen if not self._is_up(name, processes[name])]
        self.runner.apply(start=chosen, restart=(), stop=())

    def services(self) -> list[ServiceStatus]:
        """Return how each service is, in the order of the table."""
        missing = self.missing()
        held = self._held.names
        return [
            self._status(name, process, missing.get(name, ()), enabled=name not in held)
            for name, process in self.runner.processes().items()
        ]

    def description(self) -> dict[str, Any]:
        """Return what snapd says of an installed snap (`GET /v2/snaps/{name}`)."""
        return {
            "name": "microstack",
            "title": "MicroStack",
            "summary": "OpenStack on one machine",
            "type": "app",
            "status": "active",
            "confinement": "strict",
            "version": RELEASE,
            "revision": "x1",
            "channel": "",
            "tracking-channel": "latest/stable",
            "mounted-from": str(self._layout.snap),
            "apps": [
                {"name": app.name, **({"daemon": app.daemon} if app.daemon else {})}
                for app in self.table.apps.values()
            ],
        }

    def _status(
        self, name: str, process: Process, missing: tuple[str, ...], *, enabled: bool
    ) -> ServiceStatus:
        app = self.table.services[name]
        state = _describe(process, oneshot=app.oneshot, missing=bool(missing))
        lines: tuple[str, ...] = ()
        if state in ("restarting", "failed"):
            lines = tuple(logs.last_lines(self._layout.service_log / f"{name}.log", LAST_LINES))
        return ServiceStatus(
            name=name,
            daemon=str(app.daemon),
            enabled=enabled,
            state=state,
            since=process.since,
            pid=process.pid,
            deaths=process.deaths,
            reason=process.reason,
            missing=missing if process.state not in ALIVE else (),
            lines=lines,
        )

    def _outlived(self, revisions: Collection[str]) -> set[str]:
        """Return the services that run from a revision of the snap other than these."""
        others = {
            name
            for name, revision in self._engine.revisions.items()
            if revision not in revisions
            and name in self.table.services
            and not self.table.services[name].oneshot
        }
        return others & self.runner.was_started() if others else others

    def _hand_on_options(self, document: Mapping[str, Any]) -> None:
        if self._on_options and self._engine.options_changed(document):
            self._on_options(document.get(OPTIONS))
            self._engine.note_options(document)

    def _is_up(self, name: str, process: Process) -> bool:
        oneshot = self.table.services[name].oneshot
        state = _describe(process, oneshot=oneshot, missing=False)
        return process.state in ALIVE or state == "finished"

    def _is_sound(self, name: str, document: Mapping[str, Any]) -> bool:
        try:
            self._engine.parse({name: document[name]} if name in document else {})
        except ConfigError as error:
            logger.error("config is not applied: %s", error)
            return False
        return True

    def _refuse_waiting(
        self, names: Collection[str], missing: Mapping[str, tuple[str, ...]]
    ) -> None:
        if names:
            lines = [f"{name} waits for {', '.join(missing[name])}" for name in sorted(names)]
            raise ServiceError("; ".join(lines))

    def _check_services(self, components: Iterable[Component]) -> None:
        for component in components:
            for service in component.services:
                if service.name not in self.table.services:
                    raise TableError(f"{component.name}: no service '{service.name}' in apps")

    @contextmanager
    def _only_caller(self, names: Collection[str]) -> Generator[None]:
        """Hold the locks of some components; in one order, so that callers cannot deadlock.

        They are files: under snapd the `configure` hook is another process.

        Raises:
            ServiceError: another caller holds one for too long.
        """
        with ExitStack() as stack:
            for name in sorted(name for name in names if name in self._engine.components):
                path = self._layout.run / f"configure-{name}.lock"
                try:
                    stack.enter_context(FileLock(path, timeout=self._lock_timeout))
                except Timeout:
                    raise ServiceError(f"{name} is being configured: try again") from None
            yield


def _describe(process: Process, *, oneshot: bool, missing: bool) -> str:
    match process.state:
        case State.STARTING | State.RUNNING | State.STOPPING:
            return "active"
        case State.BACKOFF:
            return "restarting"
        case State.EXITED if oneshot and not process.reason:
            return "finished"
        case State.EXITED if not process.reason:
            return "stopped"
        case State.EXITED | State.FATAL | State.UNKNOWN:
            return "failed"
        case State.STOPPED:
            return "waiting" if missing else "stopped"


class _Held:
    """Services that a user stopped, and which of them are to stay so after a reboot.

    Attributes:
        names: those held now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._boot = os.environ.get(BOOT, "")
        document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self._disabled = frozenset[str](document.get("disabled", ()))
        same = document.get("boot") == self._boot
        self.names = frozenset[str](document["now"]) if same else self._disabled

    def add(self, names: Collection[str], *, persist: bool) -> None:
        self._save(self.names | set(names), self._disabled | set(names if persist else ()))

    def discard(self, names: Collection[str], *, persist: bool) -> None:
        self._save(self.names - set(names), self._disabled - set(names if persist else ()))

    def _save(self, names: frozenset[str], disabled: frozenset[str]) -> None:
        self.names, self._disabled = names, disabled
        document = {"boot": self._boot, "now": sorted(names), "disabled": sorted(disabled)}
        write_json(self._path, document)
