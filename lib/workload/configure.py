"""Snap config becomes files and running services: parse, gate, render, compare, apply.

The first three steps are pure and cover everything asked for; a bad value is refused there, with
nothing changed. Services are started, restarted and stopped through `ServiceControl`, which
snapd implements in the snap and supervisord elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock
from pydantic import ValidationError

from workload import render
from workload.atomic import write_json
from workload.component import Component
from workload.config import RELEASE
from workload.config import Component as ComponentConfig
from workload.layout import Layout

OPTIONS = "charms"
"""Top-level key of options for charms, which the workload plane leaves alone."""


class ConfigError(Exception):
    """Snap config that cannot be used; names each key, the type it has, and why it is wrong."""


class ServiceControl(Protocol):
    """Whoever runs the services."""

    def apply(self, *, start: Sequence[str], restart: Sequence[str], stop: Sequence[str]) -> None:
        """Make these changes; return when processes were spawned, not when they answer.

        A service to start that runs already is restarted: it may not have read its files.

        Raises:
            ServiceError: a process cannot be spawned.
        """
        ...


class ServiceError(Exception):
    """A service cannot be started or stopped; the message names it."""


@dataclass(frozen=True)
class Outcome:
    """What one run of `configure` did.

    Attributes:
        written: files whose content changed.
        gated: services that wait, and the full keys each waits for.
    """

    written: tuple[Path, ...] = ()
    started: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    gated: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def changed(self) -> bool:
        """Whether anything is different now."""
        return bool(self.written or self.started or self.restarted or self.stopped)


@dataclass(frozen=True)
class Changes:
    """The services to start, restart and stop."""

    start: tuple[str, ...]
    restart: tuple[str, ...]
    stop: tuple[str, ...]


def decide(
    ready: Mapping[str, str], applied: Mapping[str, str], known: Collection[str]
) -> Changes:
    """Compare what services should have read with what they did read.

    Args:
        ready: services whose requirements are met, with the digest of what they read.
        applied: the same as of when each service was last started.
        known: the services that this decision is about.
    """
    return Changes(
        start=tuple(name for name in ready if name not in applied),
        restart=tuple(
            name for name, digest in ready.items() if applied.get(name, digest) != digest
        ),
        stop=tuple(name for name in known if name in applied and name not in ready),
    )


class Engine:
    """Applies snap config on one host. Calls about different components may run in parallel."""

    def __init__(
        self,
        components: Iterable[Component],
        layout: Layout,
        control: ServiceControl,
        templates: Path = render.TEMPLATES,
        programs: Mapping[str, str] | None = None,
    ) -> None:
        """Make one.

        Args:
            components: all there are.
            layout: where files go.
            control: who runs the services.
            templates: folder of what files are rendered of.
            programs: a digest of each service's program, which is as good a reason to restart it
                as its files are.
        """
        self._components = {component.name: component for component in components}
        self._layout = layout
        self._control = control
        self._renderer = render.Renderer(layout, templates)
        self._programs = programs or {}
        self._record = _Record(layout.digests)

    @property
    def components(self) -> Collection[str]:
        """Names of all components."""
        return self._components.keys()

    @property
    def revisions(self) -> Mapping[str, str]:
        """The revision of the snap that each service was last started from."""
        return self._record.revisions

    def parse(self, document: Mapping[str, Any]) -> dict[str, ComponentConfig]:
        """Return the model of every component that has a section.

        Raises:
            ConfigError: a key or value that no component knows.
        """
        problems = [
            f"{key}: no component has this name"
            for key in document
            if key not in self._components and key != OPTIONS
        ]
        configs: dict[str, ComponentConfig] = {}
        for name, component in self._components.items():
            if name not in document:
                continue
            try:
                configs[name] = component.config.model_validate(document[name])
            except ValidationError as error:
                problems += _describe(name, error)
        if problems:
            raise ConfigError("; ".join(problems))
        return configs

    def gates(self, configs: Mapping[str, ComponentConfig]) -> dict[str, tuple[str, ...]]:
        """Return the services that must not run, and the full keys that each lacks."""
        return {
            service: missing
            for component in self._components.values()
            for service, missing in _gates(component, configs.get(component.name)).items()
            if missing
        }

    def changed(self, document: Mapping[str, Any]) -> list[str]:
        """Return the components whose section differs from the one applied last."""
        applied = self._record.sections
        return [
            name
            for name in self._components
            if applied.get(name, _digest(None)) != _digest(document.get(name))
        ]

    def options_changed(self, document: Mapping[str, Any]) -> bool:
        """Return whether the options of charms differ from those handed on last."""
        return self._record.sections.get(OPTIONS, _digest(None)) != _digest(document.get(OPTIONS))

    def note_options(self, document: Mapping[str, Any]) -> None:
        """Remember that the options of charms were handed on."""
        self._record.remember({}, {OPTIONS: _digest(document.get(OPTIONS))}, "")

    def configure(
        self, document: Mapping[str, Any], only: Collection[str] | None = None
    ) -> Outcome:
        """Make files and services follow the document.

        Args:
            document: all of snap config.
            only: components to look at; the others' sections are not even parsed.

        Raises:
            ConfigError: a value is refused; nothing was changed.
            RenderError: a file cannot be rendered (nothing was changed) or written.
            ServiceError: a service cannot be started; it is tried again next time.
        """
        names = [name for name in self._components if only is None or name in only]
        outside = [] if only is None else [name for name in self._components if name not in only]
        configs = self.parse({key: document[key] for key in document if key not in outside})
        components = [self._components[name] for name in names]
        gates = {
            service: missing
            for component in components
            for service, missing in _gates(component, configs.get(component.name)).items()
        }
        rendered = {
            component.name: self._renderer.render(component, configs[component.name])
            for component in components
            if component.name in configs
        }
        digests = render.services_digests(file for files in rendered.values() for file in files)
        ready = {
            name: f"{digests.get(name, '')}{self._programs.get(name, '')}"
            for name, missing in gates.items()
            if not missing
        }
        changes = decide(ready, self._record.services, gates)

        written = self._write(components, rendered)
        # Should this process die in between, each of them is started anew, and not taken for
        # running with what it never read.
        self._record.forget(changes.restart)
        self._control.apply(start=changes.start, restart=changes.restart, stop=changes.stop)
        self._record.forget(changes.stop)
        self._record.remember(
            {name: ready[name] for name in (*changes.start, *changes.restart)},
            {name: _digest(document.get(name)) for name in names},
            self._layout.revision,
        )
        gated = {name: missing for name, missing in gates.items() if missing}
        return Outcome(written, changes.start, changes.restart, changes.stop, gated)

    def forget_services(self, but: Collection[str] = ()) -> None:
        """Know of no running service but these: the next `configure` starts all others."""
        self._record.forget([name for name in self._record.services if name not in but])

    def doubt(self, services: Collection[str]) -> None:
        """Know of these services neither that they run nor that their sections were applied."""
        owners = [
            name
            for name, component in self._components.items()
            if any(service.name in services for service in component.services)
        ]
        self._record.forget(services, owners)

    def _write(
        self, components: Iterable[Component], rendered: Mapping[str, Sequence[render.Rendered]]
    ) -> tuple[Path, ...]:
        written: list[Path] = []
        for component in components:
            if component.name not in rendered:
                self._remove_files(component)
                continue
            self._make_directories(component)
            written += [file.path for file in rendered[component.name] if render.write(file)]
        return tuple(written)

    def _make_directories(self, component: Component) -> None:
        for path, owner in component.directories:
            folder = self._layout.snap_common / path
            account = self._layout.account(owner)
            try:
                render.make_directory(folder, account, 0o750 if account else 0o700)
            except KeyError:
                raise render.RenderError(f"{folder}: this host has no account {account}") from None

    def _remove_files(self, component: Component) -> None:
        for file in component.files:
            render.remove(self._layout.etc / file.path)


def _gates(component: Component, config: ComponentConfig | None) -> dict[str, tuple[str, ...]]:
    """Return for each service of a component the full keys it lacks."""
    if config is None:
        return {service.name: (component.name,) for service in component.services}
    return {
        service.name: tuple(
            f"{component.name}.{key}" for key in service.requires if not _is_set(config, key)
        )
        for service in component.services
    }


def _is_set(config: ComponentConfig, key: str) -> bool:
    value = render.lookup(config, key)
    if key == "schema-release":
        # A database that an older release left behind counts as not migrated.
        return value == RELEASE
    if isinstance(value, int | float) and not isinstance(value, bool):
        return True
    return bool(value)


def _describe(component: str, error: ValidationError) -> list[str]:
    """Name key, type and reason of each problem, never the value: it may be a secret."""
    return [
        f"{'.'.join([component, *map(str, problem['loc'])])}: "
        f"{problem['msg'].removeprefix('Value error, ')} (got {type(problem['input']).__name__})"
        for problem in error.errors(include_url=False, include_context=False)
    ]


def _digest(section: Any) -> str:
    return hashlib.sha256(json.dumps(section, sort_keys=True).encode()).hexdigest()


def _without(digests: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: digest for name, digest in digests.items() if name not in names}


class _Record:
    """What was applied: digests only. Under snapd a hook and the API's server both write it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def services(self) -> dict[str, str]:
        """The services that were started, with the digest of what they read."""
        return self._read().get("services", {})

    @property
    def sections(self) -> dict[str, str]:
        """The digest of each component's section that was applied last."""
        return self._read().get("sections", {})

    @property
    def revisions(self) -> dict[str, str]:
        """The revision of the snap that each service was last started from."""
        return self._read().get("revisions", {})

    def remember(
        self, services: Mapping[str, str], sections: Mapping[str, str], revision: str
    ) -> None:
        """Add what was applied, and by which revision of the snap."""
        with self._locked():
            self._write(
                {**self.services, **services},
                {**self.sections, **sections},
                {**self.revisions, **dict.fromkeys(services, revision)},
            )

    def forget(self, services: Collection[str], sections: Collection[str] = ()) -> None:
        """Take services and components' sections out."""
        if not services:
            return
        with self._locked():
            self._write(
                _without(self.services, services),
                _without(self.sections, sections),
                _without(self.revisions, services),
            )

    def _locked(self) -> FileLock:
        # A lock of its own for each caller: it keeps threads apart too.
        return FileLock(self._path.with_suffix(".lock"))

    def _read(self) -> dict[str, dict[str, str]]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}

    def _write(
        self,
        services: Mapping[str, str],
        sections: Mapping[str, str],
        revisions: Mapping[str, str],
    ) -> None:
        document = {"services": services, "sections": sections, "revisions": revisions}
        write_json(self._path, document)
