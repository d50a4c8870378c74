"""What is installed on a bare host, and that it leaves the host's services alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from microstack import environment
from tests.unit.microstack.conftest import CHECKOUT


class Host:
    """A host's apt and systemd.

    Attributes:
        installed: packages.
        units: unit files.
        disabled: units, in the order in which they were disabled.
        killed: whether the next installation is killed, after packages were unpacked.
    """

    def __init__(self) -> None:
        self.installed: set[str] = set()
        self.units = {"ssh.service"}
        self.disabled: list[str] = []
        self.killed = False

    def run(self, command: Sequence[str], **_: str) -> None:
        if "install" in command:
            assert environment.POLICY.read_text().endswith("exit 101\n")
            names = command[command.index("--no-install-recommends") + 1 :]
            self.installed.update(names)
            self.units.update(f"{name}.service" for name in names)
            if self.killed:
                raise KeyboardInterrupt
        if command[:2] == ["systemctl", "disable"]:
            self.disabled += [word for word in command[2:] if not word.startswith("--")]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(environment, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(environment, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(environment, "_run", host.run)
    monkeypatch.setattr(environment, "_installed", host.installed.intersection)
    monkeypatch.setattr(environment, "_unit_files", lambda: set(host.units))
    monkeypatch.setattr(environment.shutil, "which", lambda name: f"/usr/bin/{name}")
    return host


def ensure(*packages: str) -> None:
    environment.ensure_packages(packages, lambda _: None)


def test_services_of_new_packages_neither_start_nor_are_enabled(host: Host) -> None:
    ensure("mariadb")
    assert host.disabled == ["mariadb.service"]
    assert not environment.POLICY.exists()


def test_nobody_but_root_can_hold_the_lock_and_keep_root_waiting(host: Host) -> None:
    lock = environment.CACHE / "lock"
    ensure("mariadb")
    assert lock.stat().st_mode & 0o077 == 0
    lock.chmod(0o644)  # as an earlier version made it
    ensure("rabbitmq")
    assert lock.stat().st_mode & 0o077 == 0


def test_a_service_that_was_there_before_is_left_alone(host: Host) -> None:
    host.installed.add("mariadb")
    host.units.add("mariadb.service")
    ensure("mariadb", "memcached")
    assert host.disabled == ["memcached.service"]


def test_an_installation_that_was_cut_off_is_made_good_by_the_next_run(host: Host) -> None:
    host.killed = True
    with pytest.raises(KeyboardInterrupt):
        ensure("mariadb")
    host.killed = False
    ensure("mariadb")
    assert host.disabled == ["mariadb.service"]
    ensure("mariadb")
    assert host.disabled == ["mariadb.service"]


def test_a_policy_that_a_killed_run_left_goes_and_anothers_stays(host: Host) -> None:
    environment.POLICY.write_text(environment.NO_STARTS)
    ensure("mariadb")
    assert not environment.POLICY.exists()
    others = "#!/bin/sh\nexit 101\n"
    environment.POLICY.write_text(others)
    ensure("memcached")
    assert environment.POLICY.read_text() == others


@pytest.mark.parametrize(
    ("release", "there"), [(("debian", "12"), False), (("debian", "13"), True), (("", ""), True)]
)
def test_packages_are_those_that_the_release_has(
    release: tuple[str, str], there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_release", lambda: release)
    packages = environment.distribution_packages(CHECKOUT / "snap/snapcraft.yaml")
    assert ("qemu-system-modules-spice" in packages) is there
