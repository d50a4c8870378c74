"""Under snapd the same engine follows snap config; snapd keeps it and runs the services."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workload import snapd_stand_in
from tests.workload.snapd_stand_in import DATABASE, MEMCACHED, PASSWORD, TABLE, Snapd
from workload import detect
from workload.components import ALL
from workload.config.marks import MARK, mark
from workload.host.things import File
from workload.jobs import job
from workload.layout import Layout, SnapLayout
from workload.ledger import Ledger
from workload.runtime.client import Client, ClientError
from workload.runtime.server import Api, Server
from workload.runtime.services import State
from workload.runtime.snap import Snap
from workload.snapd import hooks, leftovers
from workload.snapd.config import SnapConfig
from workload.snapd.services import SnapdServices


@pytest.fixture(autouse=True)
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    return snapd_stand_in.enter(tmp_path, monkeypatch)


@pytest.fixture
def snapd(tmp_path: Path) -> Snapd:
    return Snapd(tmp_path / "bin")


@pytest.fixture
def client(layout: Layout, snapd: Snapd) -> Iterator[Client]:
    """The API that charms inside the snap speak to."""
    hooks.main(["install"])
    snap = Snap(layout, ALL.values(), TABLE, SnapdServices(TABLE), store=SnapConfig(layout))
    with Server(layout, Api(snap, layout)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Client(layout.snapd_socket)
        server.shutdown()
        thread.join()


# -- where things are -------------------------------------------------------------------------


def test_the_appliance_keeps_its_own_things_apart_from_those_of_services(layout: Layout):
    assert layout.etc == layout.snap_common / "etc"
    assert layout.run.parent == layout.snap_common / "appliance"


def test_rendered_files_name_the_snap_so_that_they_outlive_a_refresh(layout: Layout):
    assert str(layout.snap) == "/snap/microstack/current"


def test_a_service_may_have_no_account_but_the_one_snapd_makes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    layout = SnapLayout()
    assert layout.account("mysql") == "snap_daemon"
    assert layout.account(detect.QEMU_ACCOUNT) == "root"
    assert layout.account(None) is None


def test_a_terminal_of_another_snap_does_not_pass_for_this_one():
    assert type(Layout.from_environment({"SNAP": "/snap/code/x1", "SNAP_COOKIE": "c"})) is Layout


def test_what_a_charm_runs_in_the_snap_knows_that_it_is_there(layout: Layout):
    assert type(Layout.from_environment(layout.environment())) is SnapLayout


def test_what_is_entered_into_the_ledger_outlives_a_refresh(monkeypatch: pytest.MonkeyPatch):
    assert job.snap() == Path("/snap/microstack/current")
    monkeypatch.setenv("SNAP", "/var/lib/microstack/snap")
    assert job.snap() == Path("/var/lib/microstack/snap")


# -- hooks ------------------------------------------------------------------------------------


def test_a_fresh_snap_runs_nothing(snapd: Snapd):
    assert snapd.run("install") == []
    assert snapd.run("configure") == []


def test_a_service_is_enabled_and_started_once_its_config_is_complete(
    snapd: Snapd, layout: Layout
):
    assert snapd.run("configure", config={"memcached": {"enabled": False}}) == []
    assert snapd.run("configure", config=MEMCACHED) == ["start --enable microstack.memcached"]
    assert list((layout.etc / "memcached").iterdir())


def test_only_a_change_restarts(snapd: Snapd):
    snapd.run("configure", config=MEMCACHED)
    assert snapd.run("configure") == []
    changed = {"memcached": {"enabled": True, "memory": 64}}
    assert snapd.run("configure", config=changed) == ["restart microstack.memcached"]


def test_a_service_that_a_user_disabled_stays_so_and_one_that_died_is_tried_again(snapd: Snapd):
    snapd.run("configure", config=MEMCACHED)
    services = snapd.state["services"]
    changed = {"memcached": {"enabled": True, "memory": 64}}
    disabled = {**services, "memcached": [False, False]}
    assert snapd.run("configure", config=changed, services=disabled) == []
    dead = {**services, "memcached": [True, False]}
    again = {"memcached": {"enabled": True, "memory": 65}}
    restarted = snapd.run("configure", config=again, services=dead)
    assert restarted == ["restart microstack.memcached"]


def test_a_service_whose_config_goes_is_stopped_and_disabled(snapd: Snapd):
    snapd.run("configure", config=MEMCACHED)
    assert snapd.run("configure", config={}) == ["stop --disable microstack.memcached"]


def test_a_refused_value_is_told_and_changes_nothing(
    snapd: Snapd, capsys: pytest.CaptureFixture[str]
):
    wrong = {"memcached": {"enabled": True, "port": "x"}}
    assert snapd.run("configure", code=1, config=wrong) == []
    assert "memcached.port: Input should be a valid integer" in capsys.readouterr().err


def test_a_connected_interface_has_what_died_tried_again_and_nothing_else(snapd: Snapd):
    assert snapd.run("connect-plug-microstack-support") == []
    snapd.run("configure", config=MEMCACHED)
    assert snapd.run("connect-plug-microstack-support") == []
    dead = {**snapd.state["services"], "memcached": [True, False]}
    started = snapd.run("connect-plug-microstack-support", services=dead)
    assert started == ["start --enable microstack.memcached"]


def test_a_start_that_fails_after_the_hook_is_tried_again_by_the_next_one(snapd: Snapd):
    chassis = {"host": "rig", "encap-address": "127.0.0.1", "ovn": {"sb-connection": "unix:sb"}}
    before = snapd.state["services"]
    started = snapd.run("configure", config={"ovn-chassis": chassis, **MEMCACHED})
    assert "microstack.ovs-setup" in started[0]
    # snapd stops and disables all that were to be started with it.
    assert snapd.run("configure", services=before) == started
    assert snapd.run("configure") == []


def test_a_oneshot_that_has_nothing_to_undo_has_not_died_when_it_has_ended(snapd: Snapd):
    ended = {**snapd.state["services"], "ovs-setup": [True, False], "guests": [True, False]}
    snapd.run("install", services=ended)
    found = SnapdServices(TABLE).processes()
    assert found["ovs-setup"].state is State.EXITED
    assert found["guests"].state is State.FATAL


def test_removing_the_snap_undoes_the_ledger(snapd: Snapd, layout: Layout, tmp_path: Path):
    snapd.run("install")
    path = tmp_path / "made"
    Ledger(layout.ledger).make("test", File(path=path), path.touch)
    (tmp_path / "run-libvirt/qemu").mkdir(parents=True)
    (tmp_path / "xtables.lock").touch()
    snapd.run("remove")
    assert not path.exists()
    assert not (tmp_path / "xtables.lock").exists()
    assert not (tmp_path / "run-libvirt").exists()


def test_options_of_charms_are_handed_on_once(
    snapd: Snapd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    taken = tmp_path / "taken"
    monkeypatch.setattr(hooks, "OPTIONS_PROGRAM", ("/bin/sh", "-c", f"cat >>{taken}"))
    options = {"nova": {"debug": True}}
    assert snapd.run("configure", config={"charms": options}) == []
    snapd.run("configure", config={"charms": options} | MEMCACHED)
    assert json.loads(taken.read_text()) == options


def test_an_option_that_is_refused_is_told_and_nothing_changes(
    snapd: Snapd, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    refuse = "echo nova: unknown option >&2; exit 1"
    monkeypatch.setattr(hooks, "OPTIONS_PROGRAM", ("/bin/sh", "-c", refuse))
    config = {"charms": {"nova": {"x": 1}}} | MEMCACHED
    assert snapd.run("configure", code=1, config=config) == []
    assert "nova: unknown option" in capsys.readouterr().err


def test_processes_that_a_stopped_service_spared_are_found_by_its_control_group(tmp_path: Path):
    groups = {
        1: "0::/init.scope",
        20: "0::/system.slice/snap.microstack.libvirtd.service",
        21: "12:pids:/system.slice/snap.microstack.libvirtd.service/emulator",
        22: "0::/system.slice/snap.other.libvirtd.service",
        23: "0::/system.slice/snap.microstack.hook.remove-4.scope",
        24: "0::/user.slice/snap.microstack.openstack-7.scope",
    }
    for pid, group in groups.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(f"{group}\n")
    assert sorted(leftovers.pids(tmp_path)) == [20, 21]


# -- secrets ----------------------------------------------------------------------------------


def test_snapd_is_left_with_the_mark_of_a_secret(snapd: Snapd, layout: Layout):
    snapd.run("configure", config={"mariadb": DATABASE})
    assert snapd.config == {"mariadb": {"admin-password": mark(PASSWORD)}}
    assert PASSWORD in (layout.etc / "mariadb/init.sql").read_text()
    assert layout.secrets.stat().st_mode & 0o777 == 0o600


def test_no_secret_is_an_argument_of_snapctl(snapd: Snapd, client: Client):
    client.set_config({"mariadb.admin-password": PASSWORD})
    assert PASSWORD not in json.dumps(snapd.state)
    assert client.config(["mariadb"]) == {"mariadb": DATABASE}


def test_config_that_snapd_puts_back_finds_its_secrets(snapd: Snapd, client: Client):
    client.set_config({"mariadb.admin-password": PASSWORD})
    before = snapd.config
    client.set_config({"mariadb.admin-password": "another"})
    snapd.run("configure", config=before)
    assert client.config(["mariadb"]) == {"mariadb": DATABASE}


def test_a_mark_without_its_secret_is_no_password(snapd: Snapd, layout: Layout):
    lost = {"mariadb": {"admin-password": f"{MARK}0"}}
    assert snapd.run("configure", config=lost) == []
    assert SnapConfig(layout).document() == {"mariadb": {}}


def test_secrets_in_lists_and_mappings_are_marked_too(snapd: Snapd, layout: Layout):
    config = {
        "rabbitmq": {"users": [{"username": "nova", "password": PASSWORD}]},
        "keystone": {"fernet-keys": {"0": PASSWORD}},
    }
    snapd.run("configure", config=config)
    assert PASSWORD not in json.dumps(snapd.config)
    assert SnapConfig(layout).document() == config


# -- the API for charms in the snap ---------------------------------------------------------------


def test_a_charm_sets_config_and_its_service_starts(snapd: Snapd, client: Client):
    client.set_config({"memcached.enabled": True})
    assert snapd.config == MEMCACHED
    assert snapd.calls("start") == ["start --enable microstack.memcached"]
    states = {service.name: service.state for service in client.services()}
    assert (states["memcached"], states["mariadb"]) == ("active", "waiting")


def test_unsetting_a_section_leaves_nothing_in_snapd(snapd: Snapd, client: Client):
    client.set_config({"memcached.enabled": True})
    client.set_config({"memcached": None})
    assert snapd.config == {}
    assert snapd.calls("stop") == ["stop --disable microstack.memcached"]


def test_a_change_that_snapd_is_at_is_waited_for(snapd: Snapd, client: Client):
    snapd.be_busy(calls=3)
    client.set_config({"memcached.enabled": True})
    assert snapd.calls("start") == ["start --enable microstack.memcached"]


def test_snapd_that_answers_too_late_is_asked_again(snapd: Snapd, client: Client):
    snapd.be_late(calls=2)
    client.set_config({"memcached.enabled": True})
    assert snapd.calls("start") == ["start --enable microstack.memcached"]


def test_snapd_is_asked_about_the_services_that_change_and_no_others(snapd: Snapd, client: Client):
    """It asks systemd for one after another, which takes long for all of them."""
    client.set_config({"memcached.enabled": True})
    assert snapd.state["asked"] == [["microstack.memcached"]]


def test_what_the_engine_refuses_the_charm_is_told(client: Client, snapd: Snapd):
    with pytest.raises(ClientError, match=r"memcached\.port: Input should be"):
        client.set_config({"memcached.port": "x"})
    assert snapd.config == {}


def test_services_stop_before_what_they_build_on(client: Client, snapd: Snapd):
    started = {**snapd.state["services"], "ovsdb-server": [True, True], "ovs-vswitchd": [1, 1]}
    snapd.run("configure", services=started)
    client.stop()
    assert snapd.calls("stop") == [
        "stop --disable microstack.ovs-vswitchd",
        "stop --disable microstack.ovsdb-server",
    ]


def test_starting_all_leaves_alone_what_is_up(client: Client, snapd: Snapd):
    client.set_config({"memcached.enabled": True})
    client.start()
    assert snapd.calls("start", "restart") == ["start --enable microstack.memcached"]


def test_the_appliance_itself_is_no_service_of_the_cloud():
    assert not {"machine", "snap-api"} & TABLE.services.keys()
    assert not {"microstack", "juju"} & TABLE.commands.keys()
