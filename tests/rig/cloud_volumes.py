"""Inside the rig: what a user of the cloud does with volumes, and what the host then has.

Run with the name of a step and its arguments; each asserts what it finds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openstack

GROUP = Path("/dev/microstack-volumes")
TARGETS = Path("/sys/kernel/config/target/iscsi")
SESSIONS = Path("/sys/class/iscsi_session")
PREFIX = "iqn.2010-10.org.openstack.microstack:"
IMAGE = "guest"
NETWORK = "test"
PAUSE = 0.5
TIMEOUT = 600

cloud: Any = openstack.connect(cloud="microstack")
cinder: Any = cloud.block_storage
nova: Any = cloud.compute


def step(text: str) -> None:
    print(Path("/proc/uptime").read_text().split()[0], text, flush=True)  # noqa: T201 - the log


def until(condition: Callable[[], Any], what: str, seconds: float = TIMEOUT) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(PAUSE)
    step(what)
    return found


def volume(name: str, size: int = 1, **more: Any) -> Any:
    made = cinder.create_volume(name=name, size=size, **more)
    return available(made, f"volume {name} is available")


def available(made: Any, what: str, status: str = "available") -> Any:
    def ready() -> Any:
        now = cinder.get_volume(made.id)
        assert status == "error" or not now.status.startswith("error"), now
        return now if now.status == status else None

    return until(ready, what)


def delete(made: Any) -> None:
    cinder.delete_volume(made.id)
    until(lambda: cinder.find_volume(made.id) is None, f"volume {made.name} is deleted")


def path(made: Any) -> Path:
    return GROUP / f"volume-{made.id}"


def write(made: Any, pattern: bytes) -> None:
    descriptor = os.open(path(made), os.O_WRONLY | os.O_SYNC)
    os.write(descriptor, pattern.ljust(4096, b"."))
    os.close(descriptor)


def read(made: Any) -> bytes:
    # Past the cache: an initiator writes to what is below it.
    command = ["dd", f"if={path(made)}", "iflag=direct", "bs=4096", "count=1", "status=none"]
    return subprocess.run(command, check=True, capture_output=True).stdout.rstrip(b".\0")


def size(made: Any) -> int:
    device = path(made).resolve().name
    return int(Path(f"/sys/class/block/{device}/size").read_text()) * 512


def life() -> None:
    """Snapshots, clones, extension, backups; no guest takes part."""
    first = volume("first")
    assert first.volume_type == "lvm"
    write(first, b"one")
    snapshot = cinder.create_snapshot(volume_id=first.id, name="snapshot")
    until(lambda: cinder.get_snapshot(snapshot.id).status == "available", "snapshot is available")
    write(first, b"two")
    restored = volume("restored", snapshot_id=snapshot.id)
    assert read(restored) == b"one"
    clone = volume("clone", source_volume_id=first.id)
    assert read(clone) == b"two"
    cloud.block_storage.default_microversion = "3.40"
    cinder.revert_volume_to_snapshot(first.id, snapshot.id)
    available(first, "volume first is as the snapshot")
    assert read(first) == b"one"
    cinder.extend_volume(clone.id, 2)
    available(clone, "volume clone is extended")
    assert size(clone) == 2 * 2**30
    assert read(clone) == b"two"
    backup = cinder.create_backup(volume_id=first.id, name="backup")
    until(lambda: cinder.get_backup(backup.id).status == "available", "backup is available")
    write(first, b"three")
    cinder.restore_backup(backup.id, volume_id=first.id)
    until(lambda: cinder.get_backup(backup.id).status == "available", "backup is restored")
    available(first, "volume first is as the backup")
    assert read(first) == b"one"
    cinder.delete_backup(backup.id)
    until(lambda: cinder.find_backup(backup.id) is None, "backup is deleted")
    cinder.delete_snapshot(snapshot.id)
    until(lambda: cinder.find_snapshot(snapshot.id) is None, "snapshot is deleted")
    for made in (first, restored, clone):
        delete(made)


def refused() -> None:
    """A volume that the storage could never hold is refused by Cinder itself."""
    large = cinder.create_volume(name="large", size=900)
    available(large, "volume large is refused", "error")
    delete(large)


def nothing() -> None:
    """No volume is left on the host, nor what belongs to one."""
    assert not list(GROUP.glob("volume-*")), list(GROUP.glob("*"))
    assert targets() == []
    assert sessions() == []
    assert not list(Path("/dev").glob("sd?"))
    step("nothing is left")


def targets() -> list[str]:
    return [found.name for found in TARGETS.glob("iqn.*")]


def sessions() -> list[str]:
    return [found.read_text().strip() for found in SESSIONS.glob("*/targetname")]


def make(name: str) -> None:
    volume(name)


def address(server: str) -> None:
    """Tell a guest's floating address."""
    guest = nova.find_server(server, ignore_missing=False, details=True)
    (found,) = nova.get_server(guest.id).addresses.values()
    step(next(entry["addr"] for entry in found if entry["OS-EXT-IPS:type"] == "floating"))


def attached(name: str, server: str) -> None:
    """After a start a guest is back, with its volume."""
    guest = nova.find_server(server, ignore_missing=False)
    until(lambda: nova.get_server(guest.id).status == "ACTIVE", f"{server} is active")
    made = cinder.find_volume(name, ignore_missing=False)
    assert cinder.get_volume(made.id).status == "in-use"
    # Nova starts guests again a while after its own start, and calls them active all the time.
    until(lambda: sessions() == [f"{PREFIX}volume-{made.id}"], f"{name} is attached to it again")


def attach(name: str, server: str) -> None:
    made = cinder.find_volume(name) or volume(name)
    guest = nova.find_server(server, ignore_missing=False)
    nova.create_volume_attachment(guest.id, volume_id=made.id)
    available(made, f"volume {name} is attached to {server}", "in-use")
    # Cinder says so a moment before Nova.
    until(lambda: list(nova.volume_attachments(guest.id)), "Nova knows it")
    assert sessions() == [f"{PREFIX}volume-{made.id}"]


def detach(name: str, server: str) -> None:
    made = cinder.find_volume(name, ignore_missing=False)
    guest = nova.find_server(server, ignore_missing=False)
    nova.delete_volume_attachment(guest.id, made.id)
    available(made, f"volume {name} is detached from {server}")
    until(lambda: sessions() == [], "its session is ended")


def holds(name: str, text: str) -> None:
    """The logical volume has what a guest wrote."""
    made = cinder.find_volume(name, ignore_missing=False)
    assert read(made) == text.encode(), read(made)
    step(f"volume {name} holds {text!r}")


def extend(name: str, gib: str) -> None:
    made = cinder.find_volume(name, ignore_missing=False)
    cloud.block_storage.default_microversion = "3.42"
    cinder.extend_volume(made.id, int(gib))
    available(made, f"volume {name} is extended while attached", "in-use")
    until(lambda: cinder.get_volume(made.id).size == int(gib), "Cinder knows its new size")


def boot(server: str) -> None:
    """A guest boots from a volume made from an image, and both go away."""
    image = cloud.image.find_image(IMAGE, ignore_missing=False)
    disk = volume(f"{server}-disk", image_id=image.id)
    assert disk.is_bootable
    guest = nova.create_server(
        name=server,
        flavor_id=nova.find_flavor("m1.tiny").id,
        networks=[{"uuid": cloud.network.find_network(NETWORK).id}],
        block_device_mapping=[
            {
                "boot_index": 0,
                "uuid": disk.id,
                "source_type": "volume",
                "destination_type": "volume",
                "delete_on_termination": True,
            }
        ],
    )
    nova.wait_for_server(guest, wait=TIMEOUT)
    step(f"{server} is active")

    def prompt() -> bool:
        return "login:" in (nova.get_server_console_output(guest.id)["output"] or "")

    until(prompt, f"{server} has booted from its volume")
    nova.delete_server(guest.id)
    nova.wait_for_delete(guest, wait=TIMEOUT)
    until(lambda: cinder.find_volume(disk.id) is None, "its volume is deleted with it")


def remove(name: str) -> None:
    delete(cinder.find_volume(name, ignore_missing=False))


def all_of_them() -> Iterator[str]:
    return (made.name for made in cinder.volumes())


def exist(*names: str) -> None:
    assert sorted(all_of_them()) == sorted(names)
    for made in cinder.volumes():
        assert path(made).exists(), made.name
    step(f"volumes {', '.join(names)} are there")


STEPS = (
    *(life, refused, nothing, make, remove, exist),
    *(address, attach, attached, detach, holds, extend, boot),
)

if __name__ == "__main__":
    {function.__name__: function for function in STEPS}[sys.argv[1]](*sys.argv[2:])
