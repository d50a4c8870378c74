"""Snap config becomes files and running services, and nothing more happens than must."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.workload import sample
from workload.config import RELEASE
from workload.configure import ConfigError, Engine, ServiceError
from workload.layout import Layout
from workload.render import RenderError

DATABASE = {"username": "web", "password": "p@ss"}
COMPLETE = {"web": {"database": DATABASE, "schema-release": RELEASE}}


class Services:
    """Remembers what it is told to do."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.failing = False

    def apply(self, *, start: Sequence[str], restart: Sequence[str], stop: Sequence[str]) -> None:
        if self.failing:
            raise ServiceError("web: no such program")
        for action, names in (("start", start), ("restart", restart), ("stop", stop)):
            self.calls += [(action, name) for name in names]

    def since(self) -> list[tuple[str, str]]:
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def engine(layout: Layout, services: Services, templates: Path) -> Engine:
    return Engine(sample.ALL.values(), layout, services, templates)


def test_a_service_starts_once_everything_it_requires_is_set(engine: Engine, services: Services):
    outcome = engine.configure({"web": {"database": DATABASE}})
    assert services.since() == [("start", "worker")]
    assert outcome.gated == {
        "web": ("web.schema-release",),
        "cache": ("cache",),
        "setup": ("host",),
    }

    engine.configure(COMPLETE)
    assert services.since() == [("start", "web")]


def test_files_are_there_for_jobs_before_the_service_may_start(engine: Engine, layout: Layout):
    engine.configure({"web": {}})
    assert (layout.etc / "web/web.conf").read_text() == "port = 8000\nthreads = 2\n"


def test_a_database_that_an_older_release_migrated_gates_the_service(engine: Engine):
    outcome = engine.configure({"web": {"database": DATABASE, "schema-release": "2025.1"}})
    assert outcome.gated["web"] == ("web.schema-release",)


def test_the_same_config_twice_changes_nothing(engine: Engine, services: Services):
    engine.configure(COMPLETE)
    services.since()
    assert not engine.configure(COMPLETE).changed
    assert services.since() == []


def test_only_the_services_that_read_a_changed_file_are_restarted(
    engine: Engine, services: Services
):
    engine.configure(COMPLETE)
    services.since()
    engine.configure({"web": {**COMPLETE["web"], "debug": True}})
    assert services.since() == [("restart", "worker")]


def test_a_service_whose_requirement_vanishes_is_stopped(engine: Engine, services: Services):
    engine.configure(COMPLETE)
    services.since()
    engine.configure({"web": {"database": DATABASE}})
    assert services.since() == [("stop", "web")]


def test_a_component_that_vanishes_takes_its_files_with_it(
    engine: Engine, services: Services, layout: Layout
):
    engine.configure({"web": {**COMPLETE["web"], "keys": {"0": "k"}}})
    services.since()
    engine.configure({})
    assert services.since() == [("stop", "web"), ("stop", "worker")]
    assert list((layout.etc / "web").iterdir()) == []


def test_other_components_are_left_alone_when_one_is_configured(
    engine: Engine, services: Services
):
    engine.configure({**COMPLETE, "cache": {"memory": "wrong"}}, only=["web"])
    assert services.since() == [("start", "web"), ("start", "worker")]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"web": {"port": 99999}},
            "web.port: Input should be less than or equal to 65535 (got int)",
        ),
        (
            {"web": {"database": {"pasword": "x"}}},
            "web.database.pasword: Extra inputs are not permitted (got str)",
        ),
        (
            {"web": {"database": {"password": 5}}, "wed": {}},
            "wed: no component has this name; "
            "web.database.password: Input should be a valid string (got int)",
        ),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(
    engine: Engine, services: Services, layout: Layout, document: dict[str, object], message: str
):
    with pytest.raises(ConfigError) as refusal:
        engine.configure({**document, "cache": {}})
    assert str(refusal.value) == message
    assert services.since() == []
    assert not layout.etc.exists()


def test_no_error_shows_a_secret(engine: Engine, templates: Path):
    (templates / "worker.conf.j2").write_text("{{ config.database.password | plain }}")
    with pytest.raises(RenderError) as refusal:
        engine.configure({"web": {"database": {"password": "se cret"}}})
    assert "worker.conf.j2" in str(refusal.value)
    assert "se cret" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_options_of_charms_are_not_the_workloads_business(engine: Engine):
    assert engine.parse({"charms": {"cinder-lvm": {"size": "64G"}}}) == {}


def test_secrets_are_quoted_and_readable_by_root_alone(engine: Engine, layout: Layout):
    engine.configure(COMPLETE)
    path = layout.etc / "web/web.conf"
    assert "mysql://web:p%40ss@db" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (layout.snap_common / "run/web").stat().st_mode & 0o777 == 0o700


def test_a_key_directory_holds_the_keys_of_config_and_no_others(
    engine: Engine, services: Services, layout: Layout
):
    engine.configure({"web": {**COMPLETE["web"], "keys": {"0": "a", "1": "b"}}})
    services.since()
    engine.configure({"web": {**COMPLETE["web"], "keys": {"1": "b", "2": "c"}}})
    keys = layout.etc / "web/keys"
    assert {entry.name: entry.read_text() for entry in keys.iterdir()} == {"1": "b", "2": "c"}
    assert keys.stat().st_mode & 0o777 == 0o700
    assert services.since() == [("restart", "web")]


def test_a_service_that_could_not_start_is_tried_again(engine: Engine, services: Services):
    services.failing = True
    with pytest.raises(ServiceError):
        engine.configure(COMPLETE)
    services.failing = False
    engine.configure(COMPLETE)
    assert services.since() == [("start", "web"), ("start", "worker")]


def test_what_was_applied_is_remembered_across_processes(
    engine: Engine, services: Services, layout: Layout, templates: Path
):
    engine.configure(COMPLETE)
    services.since()
    later = Engine(sample.ALL.values(), layout, services, templates)
    assert later.changed(COMPLETE) == []
    assert later.changed({}) == ["web"]
    later.configure(COMPLETE)
    assert services.since() == []
    later.forget_services()
    later.configure(COMPLETE)
    assert services.since() == [("start", "web"), ("start", "worker")]
