"""A refresh or revert of the snap restarts what it changes, and leaves the rest as it is."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workload import snapd_stand_in
from tests.workload.snapd_stand_in import DATABASE, MEMCACHED, SNAPCRAFT, TABLE, Snapd
from workload.components import ALL
from workload.layout import Layout, SnapLayout
from workload.runtime.snap import Snap
from workload.service_table import ServiceTable
from workload.snapd import hooks, revision
from workload.snapd.__main__ import settle
from workload.snapd.config import SnapConfig
from workload.snapd.services import SnapdServices


@pytest.fixture(autouse=True)
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    return snapd_stand_in.enter(tmp_path, monkeypatch)


@pytest.fixture
def snapd(tmp_path: Path) -> Snapd:
    return Snapd(tmp_path / "bin")


@pytest.fixture
def come(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Layout]:
    """Make another revision the current one."""

    def to(name: str) -> Layout:
        monkeypatch.setenv("SNAP_DATA", str(layout.snap_data.with_name(name)))
        return Layout.from_environment()

    return to


def change_files(layout: Layout) -> None:
    """Have memcached read what another revision's templates said."""
    record = json.loads(layout.digests.read_text())
    record["services"]["memcached"] = "of another revision's templates"
    layout.digests.write_text(json.dumps(record))


def test_a_refresh_to_the_same_restarts_nothing(snapd: Snapd, come: Callable[[str], Layout]):
    snapd.run("configure", config=MEMCACHED)
    come("x2")
    assert snapd.run("configure") == []


@pytest.mark.parametrize("to", ["x0", "x2"], ids=["revert", "refresh"])
def test_a_refresh_or_revert_restarts_what_reads_other_files(
    snapd: Snapd, layout: Layout, come: Callable[[str], Layout], to: str
):
    snapd.run("configure", config=MEMCACHED)
    change_files(layout)
    assert snapd.run("configure") == []
    come(to)
    assert snapd.run("configure") == ["restart microstack.memcached"]
    assert snapd.run("configure") == []


def test_a_refresh_restarts_what_is_another_program_and_nothing_else(
    snapd: Snapd, come: Callable[[str], Layout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    snap = tmp_path / "snap"
    (snap / "digests").mkdir(parents=True)
    shutil.copytree(SNAPCRAFT.parent / "local/bin", snap / "bin")
    monkeypatch.setattr(SnapLayout, "snap", snap)
    snapd.run("configure", config={**MEMCACHED, "mariadb": DATABASE})
    (snap / "bin/memcached").write_text("another")
    assert snapd.run("configure") == []
    come("x2")
    assert snapd.run("configure") == ["restart microstack.memcached"]


def test_a_refresh_leaves_a_service_disabled_that_a_user_disabled(
    snapd: Snapd, layout: Layout, come: Callable[[str], Layout]
):
    snapd.run("configure", config={**MEMCACHED, "mariadb": DATABASE})
    services = {**snapd.state["services"], "memcached": [False, False]}
    snapd.run("pre-refresh", services=services)
    change_files(layout)
    come("x2")
    assert snapd.run("configure") == []


def test_a_refresh_starts_a_service_that_the_revision_before_did_not_have(
    snapd: Snapd, layout: Layout, come: Callable[[str], Layout]
):
    snapd.run("configure", config={**MEMCACHED, "mariadb": DATABASE})
    record = json.loads(layout.digests.read_text())
    record["services"].pop("memcached")
    layout.digests.write_text(json.dumps(record))
    services = {**snapd.state["services"], "memcached": [False, False]}
    come("x2")
    started = snapd.run("configure", services=services)
    assert started == ["start --enable microstack.memcached"]


def test_a_service_that_a_revision_does_not_have_is_started_when_it_comes_again(
    snapd: Snapd, come: Callable[[str], Layout], monkeypatch: pytest.MonkeyPatch
):
    snapd.run("configure", config={**MEMCACHED, "mariadb": DATABASE})
    without = ServiceTable([app for app in TABLE.apps.values() if app.name != "memcached"])
    components = {name: component for name, component in ALL.items() if name != "memcached"}
    with monkeypatch.context() as other:
        other.setattr(ServiceTable, "load", lambda _path: without)
        other.setattr(hooks, "ALL", components)
        come("x2")
        config = snapd.config
        assert snapd.run("configure", config={"mariadb": config["mariadb"]}) == []
    come("x3")
    services = {**snapd.state["services"], "memcached": [False, False]}
    started = snapd.run("configure", config=config, services=services)
    assert "start --enable microstack.memcached" in started


def test_what_runs_from_a_revision_whose_files_go_is_restarted(
    snapd: Snapd, come: Callable[[str], Layout]
):
    """snapd keeps two revisions."""
    snapd.run("configure", config=MEMCACHED)
    come("x2")
    assert snapd.run("configure") == []
    come("x3")
    assert snapd.run("configure") == ["restart microstack.memcached"]
    come("x4")
    assert snapd.run("configure") == []


def test_what_a_user_disabled_is_not_started_when_a_revisions_files_go(
    snapd: Snapd, come: Callable[[str], Layout]
):
    snapd.run("configure", config={**MEMCACHED, "mariadb": DATABASE})
    services = {**snapd.state["services"], "memcached": [False, False]}
    for name in ("x2", "x3"):
        come(name)
        restarted = snapd.run("configure", services=services)
    assert restarted == ["restart microstack.mariadb"]


def test_a_oneshot_is_undone_by_no_refresh(snapd: Snapd, come: Callable[[str], Layout]):
    """Restarting them would end guests, and take volumes away."""
    done = {"cinder-lvm": {"volume-group": "volumes"}, "nova-compute": {"host": "rig"}}
    started = snapd.run("configure", config=done)[0]
    assert "microstack.cinder-lvm-storage" in started
    assert "microstack.guests" in started
    come("x2")
    assert snapd.run("configure") == []
    come("x3")
    (restarted,) = snapd.run("configure")
    assert set(restarted.split()[1:]) == {"microstack.iscsid", "microstack.libvirtd"}


def test_a_record_from_before_revisions_were_noted_is_good_for_a_refresh(
    snapd: Snapd, layout: Layout, come: Callable[[str], Layout]
):
    snapd.run("configure", config=MEMCACHED)
    record = json.loads(layout.digests.read_text())
    del record["revisions"]
    layout.digests.write_text(json.dumps(record))
    come("x2")
    assert snapd.run("configure") == []


def test_a_revert_to_the_first_revision_which_disables_all_starts_again_what_had_died(
    snapd: Snapd, come: Callable[[str], Layout]
):
    snapd.run("configure", config=MEMCACHED)
    snapd.run("pre-refresh")
    come("x0")
    disabled = {name: [False, False] for name in snapd.state["services"]}
    assert snapd.run("configure", services=disabled) == ["start --enable microstack.memcached"]


def test_a_revert_to_the_first_revision_has_the_appliance_and_all_that_runs_enabled_again(
    snapd: Snapd, come: Callable[[str], Layout]
):
    snapd.run("configure", config=MEMCACHED)
    snapd.run("pre-refresh", services={**snapd.state["services"], "machine": [True, True]})
    come("x0")
    disabled = {name: [False, False] for name in snapd.state["services"]}
    snapd.run("configure", services={**disabled, "memcached": [False, True]})
    services = snapd.state["services"]
    assert services["memcached"] == services["machine"] == [True, True]
    assert services["keystone"] == [False, False]


# -- the API's server -----------------------------------------------------------------------------


def serving(layout: Layout) -> Snap:
    return Snap(layout, ALL.values(), TABLE, SnapdServices(TABLE), store=SnapConfig(layout))


def test_the_server_serves_at_once_where_there_is_no_refresh(snapd: Snapd, layout: Layout):
    snapd.run("configure", config=MEMCACHED)
    settle(serving(layout), layout, timeout=0)
    assert snapd.calls("start", "restart") == ["start --enable microstack.memcached"]


def test_the_server_lets_the_hook_be_first_in_a_refresh(
    snapd: Snapd, come: Callable[[str], Layout]
):
    snapd.run("configure", config=MEMCACHED)
    layout = come("x2")
    waiting = threading.Thread(target=settle, args=(serving(layout), layout))
    waiting.start()
    assert snapd.run("configure") == []
    waiting.join(timeout=10)
    assert not waiting.is_alive()


def test_after_a_refresh_that_snapd_undid_the_server_follows_what_is_there(
    snapd: Snapd, layout: Layout, come: Callable[[str], Layout]
):
    snapd.run("configure", config=MEMCACHED)
    change_files(layout)
    layout = come("x0")
    settle(serving(layout), layout, timeout=0)
    assert snapd.calls("restart") == ["restart microstack.memcached"]
    assert revision.followed(layout) == "x0"
