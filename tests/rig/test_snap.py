"""A snap on a real snapd: first a small one, which proves the rig and the charms' way to snapd."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from microstack.environment import ensure_environment
from tests.rig import snapd_image, snapd_sample
from tests.rig.snapd_bridge import bridge
from tests.rig.snapd_host import CHECKOUT, NAME, PATIENCE, Host
from tests.rig.snapd_machine import Machine, MachineError
from tests.snapd_contract import SnapdContract, lead_to

SERVICE = "memcached"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root builds and boots the machine"),
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11),
        reason="the machine is Debian 12: libraries of this Python do not run there",
    ),
]


def run_charm(host: Host, statement: str) -> None:
    """Run a statement in the machine as a charm does, with charms' libraries."""
    libraries = ensure_environment(CHECKOUT / "requirements/project.txt", print)
    (packages,) = libraries.glob("lib/python3*/site-packages")
    path = f"{host.checkout}/lib:{host.checkout}:{host.machine.share(packages)}"
    code = f"from pathlib import Path; from charmbase import snap; {statement}"
    # Libraries are compiled for one version of the interpreter; snapd's socket is its own.
    interpreter = packages.parent.name
    environment = [f"PYTHONPATH={path}", "PYTHONDONTWRITEBYTECODE=1"]
    host.machine.run("env", *environment, interpreter, "-c", code, timeout=PATIENCE)


@pytest.fixture(scope="module")
def snaps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions of the small snap: two that are the same, and one whose service is another."""
    folder = tmp_path_factory.mktemp("snaps")
    same, other = snapd_sample.SERVICE, snapd_sample.ANOTHER
    for version, service in (("1", same), ("2", same), ("3", other)):
        (folder / version).mkdir()
        made = snapd_sample.make(folder / version, version, service)
        made.rename(folder / f"{version}.snap")
    return folder


@pytest.fixture(scope="module")
def host(snaps: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The machine, booted from an overlay of its image."""
    folder = tmp_path_factory.mktemp("machine")
    with Machine(folder / "overlay", folder, backing=snapd_image.ensure()) as machine:
        host = Host(machine, snaps)
        host.boot()
        host.remember()
        yield host


class TestLifeOfASmallSnap:
    """In this order; each begins where the one before ended."""

    def test_install_runs_nothing(self, host: Host):
        host.install("1.snap")
        assert "memcached  disabled  inactive" in host.snap("services", NAME)

    def test_a_good_value_is_applied_and_the_service_starts_and_is_enabled(self, host: Host):
        host.snap("set", NAME, "memcached.memory=16", "memcached.enabled=true")
        assert host.active(SERVICE)
        assert "enabled" in host.snap("services", f"{NAME}.memcached")

    def test_a_bad_value_is_refused_in_words_and_nothing_changes(self, host: Host):
        run = host.started(SERVICE)
        with pytest.raises(MachineError, match=r"memcached\.port: Input should be a valid int"):
            host.snap("set", NAME, "memcached.memory=32", "memcached.port=many")
        assert host.get("memcached.memory") == "16"
        assert host.started(SERVICE) == run

    def test_a_refresh_keeps_config_and_restarts_nothing_that_is_the_same(self, host: Host):
        run = host.started(SERVICE)
        host.install("2.snap")
        assert " x2 " in host.snap("list", NAME)
        assert host.get("memcached.memory") == "16"
        assert host.active(SERVICE)
        assert host.started(SERVICE) == run

    def test_a_revert_goes_back_and_restarts_nothing_that_is_the_same(self, host: Host):
        run = host.started(SERVICE)
        host.snap("revert", NAME)
        assert " x1 " in host.snap("list", NAME)
        assert host.active(SERVICE)
        assert host.started(SERVICE) == run
        assert "enabled" in host.snap("services", f"{NAME}.memcached")

    def test_what_runs_from_a_revision_that_snapd_takes_away_is_restarted(self, host: Host):
        run = host.started(SERVICE)
        host.install("2.snap")
        assert host.started(SERVICE) == run
        host.install("1.snap")
        assert " x1 " not in host.snap("list", "--all", NAME)
        assert host.active(SERVICE)
        assert host.started(SERVICE) != run

    def test_a_value_set_after_a_refresh_is_honoured(self, host: Host):
        run = host.started(SERVICE)
        host.snap("set", NAME, "memcached.memory=17")
        assert host.active(SERVICE)
        assert host.started(SERVICE) != run

    def test_a_refresh_restarts_a_service_that_is_another_program(self, host: Host):
        run = host.started(SERVICE)
        host.install("3.snap")
        assert host.active(SERVICE)
        assert host.started(SERVICE) != run

    def test_a_revert_restarts_a_service_that_is_another_program(self, host: Host):
        run = host.started(SERVICE)
        host.snap("revert", NAME)
        assert " 1 " in host.snap("list", NAME).splitlines()[-1]
        assert host.active(SERVICE)
        assert host.started(SERVICE) != run

    def test_a_refresh_leaves_stopped_what_a_user_stopped(self, host: Host):
        host.snap("stop", "--disable", f"{NAME}.memcached")
        host.install("3.snap")
        host.snap("revert", NAME)
        assert "memcached  disabled  inactive" in host.snap("services", NAME)
        host.snap("start", "--enable", f"{NAME}.memcached")

    def test_after_a_power_cut_all_is_back_by_itself(self, host: Host):
        host.machine.cut_power()
        host.boot()
        host.await_boot()
        assert host.active(SERVICE)
        assert host.get("memcached.memory") == "17"


class TestCharms(SnapdContract):
    """What the embedded snapd is held to, of the real one."""

    @pytest.fixture
    def port(self, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        host.snap("unset", NAME, "memcached", "cinder")
        with bridge(host.machine, tmp_path / "snapd.socket") as socket:
            lead_to(socket, monkeypatch)
            yield

    def test_a_snap_attached_to_a_charm_is_installed_once_for_all_charms(self, host: Host):
        install = f"snap.install(None, Path('{host.snaps}/2.snap'))"
        run_charm(host, install)
        listed = host.snap("list", NAME)
        assert " 2 " in listed.splitlines()[-1]
        run_charm(host, install)
        assert host.snap("list", NAME) == listed


class TestRemoval:
    def test_removal_leaves_the_host_as_it_was_found(self, host: Host):
        host.snap("set", NAME, "memcached.enabled=true")
        host.snap("remove", "--purge", NAME)
        assert host.changed() == {}
