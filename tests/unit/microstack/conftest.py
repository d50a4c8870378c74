"""A cloud of which only the client's boundary is there: what a command sees of it, and does."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from machine.client import ActionResult, BundleError, HookRecord, LogLine, RelationRecord
from microstack.host import GIB, Facts
from microstack.installation import Installation
from workload.layout import Layout
from workload.runtime.status import ServiceEvent, ServiceStatus

CHECKOUT = Path(__file__).parents[3]


def unit(
    status: str = "active",
    message: str = "",
    agent: str = "idle",
    agent_message: str = "",
    **more: Any,
) -> dict[str, Any]:
    return {
        "workload-status": {"current": status, "message": message},
        "juju-status": {"current": agent, "message": agent_message},
        "leader": True,
        **more,
    }


def application(
    name: str, status: str = "active", message: str = "", **more: Any
) -> dict[str, Any]:
    agent = more.pop("agent", "idle")
    return {
        "charm-name": name,
        "charm-rev": 0,
        "exposed": False,
        "application-status": {"current": status, "message": message},
        "units": {f"{name}/0": unit(status, message, agent)},
        **more,
    }


def document(**applications: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": {
            "name": "microstack",
            "controller": "machine",
            "cloud": "localhost",
            "version": "3.6.9",
            "sla": "unsupported",
        },
        "machines": {},
        "applications": {name.replace("_", "-"): a for name, a in applications.items()},
        "controller": {"timestamp": "10:00:00Z"},
    }


@dataclass
class FakeMachine:
    """Answers from what it was given, and keeps what it was told."""

    statuses: list[Any] = field(default_factory=lambda: [document(nova=application("nova"))])
    changes: list[str] = field(default_factory=list)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: list[HookRecord] = field(default_factory=list)
    related: list[RelationRecord] = field(default_factory=list)
    log: list[LogLine] = field(default_factory=list)
    result: ActionResult | None = None
    told: list[tuple[Any, ...]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def deploy(
        self, bundle: Path, overlays: Sequence[Path] = (), dry_run: bool = False
    ) -> list[str]:
        if self.wrong:
            raise BundleError("\n".join(self.wrong))
        what = "verify" if dry_run else "deploy"
        self.told.append((what, bundle, tuple(path.read_text() for path in overlays)))
        return self.changes

    def status(self) -> dict[str, Any]:
        return next(s for s in reversed(self.statuses) if isinstance(s, dict))

    def update_status(self) -> None:
        self.told.append(("update_status",))

    def watch(self) -> Iterator[dict[str, Any]]:
        for status in self.statuses:
            if isinstance(status, BaseException):
                raise status
            yield status
        threading.Event().wait(5)  # as an agent whose model does not change any more

    def config(self, app: str) -> dict[str, Any]:
        return self.options.get(app, {})

    def juju_config(self, application: str) -> dict[str, Any]:
        options = self.options.get(application, {})
        return {"settings": {k: {} if v is None else {"value": v} for k, v in options.items()}}

    def set_config(self, app: str, values: Mapping[str, Any], reset: Sequence[str] = ()) -> None:
        self.told.append(("set_config", app, dict(values), list(reset)))

    def run(
        self,
        unit: str,
        action: str,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        told: Callable[[str], None] = lambda _: None,
        *,
        with_us: bool = False,
    ) -> ActionResult:
        self.told.append(("run", unit, action, dict(params or {}), timeout))
        assert self.result
        for line in self.result.log:
            told(line)
        return self.result

    def debug_log(
        self,
        follow: bool = False,
        include: Sequence[str] = (),
        level: str = "DEBUG",
        limit: int | None = None,
    ) -> Iterator[LogLine]:
        self.told.append(("debug_log", follow, list(include), level, limit))
        return iter(self.log)

    def hooks(self) -> list[HookRecord]:
        return self.records

    def relations(self) -> list[RelationRecord]:
        return self.related


@dataclass
class FakeServices:
    states: list[ServiceStatus] = field(default_factory=list)
    history: list[ServiceEvent] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)

    def services(self) -> list[ServiceStatus]:
        return self.states

    def events(self) -> list[ServiceEvent]:
        return self.history

    def config(self) -> dict[str, Any]:
        return self.document


FIT = Facts(
    root=True,
    cores=2,
    memory=16 * GIB,
    memory_available=12 * GIB,
    disk_free={Path("/var/lib"): 50 * GIB},
    closed=(),
    distribution=("debian", "12"),
    python=(3, 11),
    listeners=(),
    subnets=(),
    features=frozenset({"openvswitch", "kvm", "tun", "apparmor"}),
)


@dataclass(frozen=True)
class FakeInstallation(Installation):
    """An installation whose steps are only noted."""

    fake_machine: FakeMachine = field(default_factory=FakeMachine)
    fake_services: FakeServices = field(default_factory=FakeServices)
    facts: list[Facts] = field(default_factory=lambda: [FIT])
    done: list[str] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return "start" in self.done

    def require_root(self) -> None:
        return None

    def observe(self) -> Facts:
        return self.facts[-1]

    def machine(self) -> FakeMachine:
        return self.fake_machine

    def services(self) -> FakeServices:
        return self.fake_services

    def prepare(self, step: Any) -> None:
        self.done.append("prepare")

    def prepare_tests(self, step: Any) -> None:
        self.done.append("prepare tests")

    def start(self) -> None:
        self.done.append("start")

    def stop(self) -> None:
        self.done.append("stop")

    def set_up_cloud(self, machine: Any, image: str | None, step: Any) -> list[str]:
        self.done.append(f"cloud {image}")
        return ["identity  http://127.0.0.1:5000/v3", "next: ./microstack launch t1 --wait"]

    @contextlib.contextmanager
    def exclusively(self) -> Iterator[None]:
        yield


@pytest.fixture
def fit() -> Facts:
    return FIT


@pytest.fixture
def unfit() -> Facts:
    return replace(FIT, memory=2 * GIB, memory_available=GIB)


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeInstallation:
    fake = FakeInstallation(Layout(tmp_path / "root"), CHECKOUT)
    monkeypatch.setattr(Installation, "from_environment", lambda: fake)
    monkeypatch.setenv("MICROSTACK_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return fake


@pytest.fixture
def machine(installation: FakeInstallation) -> FakeMachine:
    return installation.fake_machine
