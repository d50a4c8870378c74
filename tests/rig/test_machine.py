"""The rig itself: a machine that stays up, and whose disk outlives it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.machine import Machine, Outcome, install

DIGEST = "import hashlib; print(hashlib.sha256(bytes(64 << 20)).hexdigest())"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    install()
    machine = Machine(tmp_path, memory="512M")
    machine.make_disk(2**30)
    machine.boot()
    yield machine
    machine.cut_power()


def test_commands_run_one_after_another(machine: Machine):
    assert machine.run("echo first; exit 3") == Outcome(3, "first\n")
    assert machine.check("echo second") == "second\n"


def test_processes_side_by_side_keep_their_registers(machine: Machine):
    started = f"python3 -c '{DIGEST}' & " * 3
    digest = hashlib.sha256(bytes(64 << 20)).hexdigest()
    assert machine.check(f"{started} wait").split() == [digest] * 3


def test_what_was_synced_outlives_a_power_cut_and_the_host_is_as_before(machine: Machine):
    mark = Path("/etc/rig-mark")
    machine.check(f"echo kept >{mark}; sync")
    machine.cut_power()
    machine.boot()
    assert machine.check(f"cat {mark}") == "kept\n"
    assert not mark.exists()


def test_a_machine_is_switched_off(machine: Machine):
    machine.check("echo kept >/root/rig-mark")
    machine.power_off()
    machine.boot()
    assert machine.check("cat /root/rig-mark") == "kept\n"


@pytest.mark.slow
def test_a_machine_boots_as_the_distribution_does(tmp_path: Path):
    install()
    machine = Machine(tmp_path, memory="1G", systemd=True)
    machine.make_disk(2**30)
    machine.boot()
    try:
        assert machine.check("ps -p 1 -o comm=") == "systemd\n"
        machine.check("systemctl is-active systemd-udevd dbus")
        machine.check("test -e /sys/kernel/security/apparmor/profiles")
    finally:
        machine.cut_power()
