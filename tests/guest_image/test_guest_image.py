"""The guest image boots under software emulation and does what a cloud asks of a guest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.guest_image.machine import Machine

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / "snap/guest-image/build.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("qemu-system-x86_64"), reason="needs the package qemu-system-x86"
    ),
]

SCRIPT = "#!/bin/sh\necho user data as $(id -un)\n"


def build(output: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BUILD), "--output", str(output)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from microstack.environment import CACHE

    output = CACHE / "guest-image/guest.qcow2"
    built = build(output)
    assert built.returncode == 0, built.stderr
    return output


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from microstack import keys

    return keys.ensure(tmp_path_factory.mktemp("key") / "id_test")


def openstack_tree(
    folder: Path, key: Path, name: str, user_data: str, uuid: str = "5f0b1b8e"
) -> None:
    """What Nova serves and puts on config drives, as far as guests read it."""
    public = key.with_suffix(".pub").read_text()
    metadata = {
        "uuid": uuid,
        "meta": {"hostname": "not-this-one", "public_keys": "nor this"},
        "public_keys": {"mine": public},
        "keys": [{"name": "mine", "type": "ssh", "data": public}],
        "hostname": f"{name}.novalocal",
        "name": name,
        "random_seed": "c2VlZA==" * 80,
    }
    latest = folder / "openstack/latest"
    latest.mkdir(parents=True)
    (latest / "meta_data.json").write_text(json.dumps(metadata))
    (latest / "user_data").write_text(user_data)


@pytest.fixture(scope="module")
def guest(image: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("guest")
    openstack_tree(folder / "metadata", key, "t1", SCRIPT)
    machine = Machine(image, folder, network=True)
    machine.wait_for("login:")
    machine.wait_for_ssh()
    yield machine
    machine.end()


@pytest.fixture
def offline(
    image: Path, key: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Machine]:
    """A guest without a network, its data on a config drive as Nova makes them."""
    openstack_tree(tmp_path / "drive", key, "t2", request.param)
    drive = tmp_path / "drive.iso"
    command = ["genisoimage", "-quiet", "-V", "config-2", "-J", "-r", "-o", str(drive)]
    subprocess.run([*command, str(tmp_path / "drive")], check=True)
    options = ["-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=config"]
    options += ["-drive", f"file={drive},if=none,id=config,format=raw,readonly=on"]
    machine = Machine(image, tmp_path, network=False, options=options)
    yield machine
    machine.end()


def test_log_in_prompt_with_the_host_name_of_the_metadata(
    guest: Machine, record_property: Callable[[str, object], None]
) -> None:
    seconds = guest.wait_for("t1 login:")
    record_property("seconds to the prompt", seconds)


def test_ssh_by_the_key_of_the_metadata(guest: Machine, key: Path) -> None:
    assert guest.ssh("hostname", key=key).stdout == "t1\n"
    assert guest.ssh("hostname", key=key, user="root").stdout == "t1\n"


def test_no_password_is_valid_over_ssh(guest: Machine, tmp_path: Path) -> None:
    refused = guest.ssh("true", key=tmp_path / "none")
    assert "Permission denied (publickey)" in refused.stderr


def test_a_script_in_user_data_runs_once(guest: Machine) -> None:
    guest.wait_for("user data ended with 0")
    assert guest.text.count("user data as root") == 1


def test_curl_gets_and_posts(guest: Machine, key: Path) -> None:
    url = "http://169.254.169.254/openstack/latest"
    assert guest.ssh(f"curl -s {url}/user_data", key=key).stdout == SCRIPT
    assert guest.ssh(f"curl {url}/absent", key=key).returncode != 0
    guest.ssh(f"curl -X POST -d secret {url}/password", key=key)
    assert (guest.folder / "metadata/openstack/latest/password").read_text() == "secret"


def test_file_systems_of_config_drives_are_known_so_that_mount_finds_out_which_it_is(
    guest: Machine, key: Path
) -> None:
    script = """
        until grep -q iso9660 /proc/filesystems && grep -q vfat /proc/filesystems; do
            usleep 50000
        done
        echo known
    """
    assert guest.ssh(script, key=key).stdout == "known\n"


def test_a_disk_plugged_in_can_be_formatted_and_mounted(
    guest: Machine, key: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(32 * 2**20)
    node = {"driver": "raw", "node-name": "new", "file": {"driver": "file", "filename": str(disk)}}
    device = {"driver": "virtio-blk-pci", "drive": "new", "id": "new", "bus": "plug"}
    guest.qmp(("blockdev-add", node), ("device_add", device))
    script = """
        until [ -b /dev/vdb ]; do usleep 50000; done
        sudo mkfs -t ext4 /dev/vdb && sudo mount /dev/vdb /mnt && echo kept >/mnt/file
        sudo umount /mnt && sudo mount /dev/vdb /mnt && cat /mnt/file && lsblk -lb --nodeps
    """
    done = guest.ssh(script, key=key)
    assert "kept" in done.stdout
    assert "vdb" in done.stdout, done.stderr


def test_metadata_that_comes_late_are_taken_all_the_same(
    image: Path, key: Path, tmp_path: Path
) -> None:
    """As after a power cut, when the cloud comes up together with its guests."""
    machine = Machine(image, tmp_path, network=True)
    try:
        machine.wait_for("no metadata yet")
        machine.wait_for("guest login:")
        openstack_tree(tmp_path / "served", key, "late", SCRIPT)
        (tmp_path / "served").rename(tmp_path / "metadata")  # all of it at once, as Nova does
        machine.wait_for("user data ended with 0")
        assert machine.text.count("user data as root") == 1
        machine.wait_for_ssh()
        assert machine.ssh("hostname", key=key).stdout == "late\n"
    finally:
        machine.end()


HOST_KEY = "dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key"


@pytest.fixture
def disk(image: Path, tmp_path: Path) -> Path:
    """A disk with the image on it, and room beside it, as Nova makes them."""
    disk = tmp_path / "disk.qcow2"
    backing = ["-b", str(image), "-F", "qcow2"]
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(disk), "1G"]
    subprocess.run(command, check=True)
    return disk


@contextlib.contextmanager
def booted(disk: Path, folder: Path, key: Path, uuid: str) -> Iterator[Machine]:
    """A guest that keeps what it writes; its power is cut at the end."""
    folder.mkdir()
    openstack_tree(folder / "metadata", key, uuid, SCRIPT, uuid)
    machine = Machine(disk, folder, network=True, kept=True)
    try:
        machine.wait_for(f"{uuid} login:")
        machine.wait_for_ssh()
        yield machine
    finally:
        machine.end()


def test_what_a_guest_writes_outlives_a_power_cut_and_a_copy_of_its_disk_is_another_guest(
    disk: Path, key: Path, tmp_path: Path
) -> None:
    with booted(disk, tmp_path / "first", key, "one") as guest:
        guest.wait_for("user data ended with 0")
        assert guest.ssh("echo kept >/tmp/file; sync", key=key).returncode == 0
        host_key = guest.ssh(f"sudo {HOST_KEY}", key=key).stdout
    with booted(disk, tmp_path / "again", key, "one") as guest:
        assert guest.ssh("cat /tmp/file", key=key).stdout == "kept\n"
        assert guest.ssh(f"sudo {HOST_KEY}", key=key).stdout == host_key
        assert guest.ssh("grep -c 127.0.1.1 /etc/hosts", key=key).stdout == "1\n"
        assert "user data ended" not in guest.text
    copy = shutil.copy(disk, tmp_path / "copy.qcow2")
    with booted(copy, tmp_path / "copied", key, "two") as guest:
        guest.wait_for("user data ended with 0")
        assert guest.ssh("cat /tmp/file", key=key).stdout == "kept\n"
        other = guest.ssh(f"sudo {HOST_KEY}", key=key).stdout
        assert other.startswith("Public key portion") and other != host_key


def test_what_is_written_has_all_of_the_disk(disk: Path, key: Path, tmp_path: Path) -> None:
    script = """
        until df -k / | awk '$2 > 900000 { whole = 1 } END { exit !whole }'; do
            usleep 50000
        done
        echo whole
    """
    with booted(disk, tmp_path / "guest", key, "one") as guest:
        assert guest.ssh(script, key=key).stdout == "whole\n"


def test_a_disk_that_is_not_the_images_is_left_as_it_is(
    image: Path, key: Path, tmp_path: Path
) -> None:
    strange = tmp_path / "strange.raw"
    command = ["qemu-img", "convert", "-O", "raw", str(image), str(strange)]
    subprocess.run(command, check=True)
    with strange.open("r+b") as file:
        file.seek(440)
        file.write(b"ELSE")
        file.truncate(2**30)
    digest = hashlib.sha256(strange.read_bytes()).digest()
    openstack_tree(tmp_path / "metadata", key, "t4", SCRIPT)
    machine = Machine(strange, tmp_path, network=True, kept=True)
    try:
        machine.wait_for("what is written stays in memory")
        machine.wait_for_ssh()
        assert machine.ssh("echo >/tmp/file; sync", key=key).returncode == 0
    finally:
        machine.end()
    assert hashlib.sha256(strange.read_bytes()).digest() == digest


def test_the_power_button_shuts_down(image: Path, tmp_path: Path) -> None:
    machine = Machine(image, tmp_path, network=False)
    try:
        machine.wait_for("login:")
        # The driver of the button comes right after the prompt.
        machine.type("guest")
        machine.wait_for("Password:")
        machine.type("guest")
        machine.wait_for("guest@guest:~#")
        machine.type("until pidof acpid; do usleep 50000; done; echo power''button")
        machine.wait_for("powerbutton")
        machine.qmp(("system_powerdown", {}))
        assert machine.process.wait(10) == 0
    finally:
        machine.end()


@pytest.mark.skipif(not shutil.which("genisoimage"), reason="needs the package genisoimage")
@pytest.mark.parametrize("offline", ["#cloud-config\npassword: of-its-own\n"], indirect=True)
def test_a_config_drive_serves_where_no_network_does(offline: Machine) -> None:
    offline.wait_for("metadata from the config drive")
    offline.wait_for("t2 login:")
    offline.type("guest")
    offline.wait_for("Password:")
    offline.type("of-its-own")
    offline.wait_for("guest@t2:~#")


def test_the_same_inputs_are_not_built_again(image: Path) -> None:
    before = image.stat()
    assert "up to date" in build(image).stdout
    assert image.stat() == before
