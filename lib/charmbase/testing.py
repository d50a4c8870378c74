"""For the tests of charms: the snap in memory, and the charm's declarations against its YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from charmbase import probes, snap
from charmbase.charm import ComponentCharm
from charmbase.mapping import leaves
from charmbase.sources import Binding, Option
from workload.config import Section


class FakeSnap:
    """The snap as `charmbase.snap` shows it, in memory.

    Attributes:
        sections: component -> the leaves of its config, secrets in clear.
        writes: what was written, in order: component and the keys that changed.
        jobs: the jobs that were run, in order.
        answering: whether services answer.
        patience: how many seconds they were given, in order.
        refusal: message that the next write is refused with.
        failure: message that the next job fails with.
        archive: what the snap was installed from, None for the store.
        answers: job -> the last lines that it writes.
        documents: job -> what it was given last.
    """

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, Any]] = {}
        self.writes: list[tuple[str, frozenset[str]]] = []
        self.jobs: list[str] = []
        self.answering = True
        self.patience: list[float] = []
        self.refusal: str | None = None
        self.failure: str | None = None
        self.archive: Path | None = None
        self.answers: dict[str, list[str]] = {}
        self.documents: dict[str, Mapping[str, Any] | None] = {}

    def patch(self, monkeypatch: Any) -> None:
        """Put it in the place of `charmbase.snap` and of what probes ask."""
        for name in ("install", "configure", "clear", "current", "inactive", "run_job"):
            monkeypatch.setattr(snap, name, getattr(self, name))
        monkeypatch.setattr(probes, "wait", self.wait)

    def wait(self, probe: probes.Probe, config: Section, seconds: float) -> bool:
        """Return whether services answer."""
        self.patience.append(seconds)
        return self.answering

    def install(self, channel: str | None, archive: Path | None = None) -> None:
        """Take note of what it would be installed from: it is installed."""
        self.archive = archive

    def configure(
        self, component: str, config: Section, held: frozenset[str] = frozenset()
    ) -> frozenset[str]:
        """Take a component's config."""
        if self.refusal:
            raise snap.ConfigRefused(self.refusal)
        new = {key: value for key, value in leaves(config).items() if value is not None}
        old = self.sections.get(component, {})
        new = {key: value for key, value in new.items() if key in old or key not in held}
        changed = frozenset(key for key in new.keys() | old.keys() if new.get(key) != old.get(key))
        if changed:
            self.sections[component] = new
            self.writes.append((component, changed))
        return changed

    def clear(self, component: str) -> None:
        """Forget a component's config."""
        self.sections.pop(component, None)

    def current(self, component: str) -> Mapping[str, Any]:
        """Return a component's config."""
        return self.sections.get(component, {})

    def inactive(self, services: tuple[str, ...]) -> list[str]:
        """Return the services that do not run."""
        return [] if self.answering else list(services)

    def run_job(self, job: str, document: Mapping[str, Any] | None = None) -> list[str]:
        """Note a job."""
        if self.failure:
            raise snap.JobFailed(self.failure)
        self.jobs.append(job)
        self.documents[job] = document
        return self.answers.get(job, [])


def disagreements(charm: type[ComponentCharm[Any]], folder: Path) -> list[str]:
    """Return where a charm's declarations and its charmcraft.yaml differ; empty when they agree.

    Args:
        charm: the class.
        folder: where charmcraft.yaml is.
    """
    document = yaml.safe_load((folder / "charmcraft.yaml").read_text())
    sides = {"requires": charm.requires, "provides": charm.provides}
    found: list[str] = []
    for role, declared in sides.items():
        written: dict[str, Any] = document.get(role, {})
        found += [
            f"{role} {name}: only in {'YAML' if name in written else 'the charm'}"
            for name in sorted(declared.keys() ^ written.keys())
        ]
        for name in sorted(declared.keys() & written.keys()):
            found += _compare(role, name, declared[name], written[name])
    options: dict[str, Any] = document.get("config", {}).get("options", {})
    for source in charm.sources.values():
        if isinstance(source, Option) and source.name not in options:
            found.append(f"option {source.name}: only in the charm")
        if isinstance(source, Binding) and not _is_endpoint(document, source.endpoint):
            found.append(f"binding {source.endpoint}: no such endpoint in YAML")
    return found


def _compare(role: str, name: str, declared: Any, written: Mapping[str, Any]) -> list[str]:
    side = declared.requirer if role == "requires" else declared.provider
    found: list[str] = []
    if side.interface != written["interface"]:
        found.append(f"{role} {name}: {side.interface} in the charm, {written['interface']} there")
    if role == "requires" and declared.optional != written["optional"]:
        found.append(f"{role} {name}: optional is {declared.optional} in the charm alone")
    return found


def _is_endpoint(document: Mapping[str, Any], name: str) -> bool:
    return any(name in document.get(role, {}) for role in ("requires", "provides", "peers"))
