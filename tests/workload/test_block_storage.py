"""Storage of volumes: what is refused before anything is changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from workload import detect
from workload.host import block_storage, initiator, lvm, targets
from workload.host.block_storage import (
    OWNER,
    BlockStorage,
    HostLacksError,
    StorageError,
    parse_size,
    targets_folder,
)
from workload.host.things import TargetFabric, VolumeGroup
from workload.ledger import Ledger


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlockStorage:
    monkeypatch.setattr(block_storage, "MODULES", ())
    # Mounted anywhere.
    monkeypatch.setattr(block_storage, "CONFIGFS", Path("/proc"))
    return BlockStorage(tmp_path, Ledger(tmp_path / "ledger.jsonl"))


@pytest.mark.parametrize(
    ("text", "size"), [("20G", 20 * 2**30), ("512MiB", 2**29), (" 1TiB ", 2**40)]
)
def test_sizes_are_in_binary_units(text: str, size: int):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "20", "20GB", "0G", "-1G", "1.5G", "G"])
def test_anything_else_is_refused_with_an_example(text: str):
    with pytest.raises(StorageError, match=r"binary units, e\.g\. 20G"):
        parse_size(text)


def test_a_missing_module_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(block_storage, "MODULES", ("no_such_module",))
    with pytest.raises(HostLacksError, match=r"^no kernel module no_such_module$"):
        block_storage.require_modules()


def test_a_file_that_does_not_fit_is_refused_and_nothing_is_made(storage: BlockStorage):
    with pytest.raises(HostLacksError, match=r"has room for .* GiB are asked for"):
        storage.setup(2**60)
    assert not storage.file.exists()
    assert storage.ledger.entries() == []


def test_what_is_no_block_device_is_refused(storage: BlockStorage, tmp_path: Path):
    with pytest.raises(StorageError, match="is not a block device"):
        storage.setup(2**30, tmp_path / "ledger.jsonl")


def test_there_is_nothing_to_grow_before_setup(storage: BlockStorage):
    with pytest.raises(StorageError, match="run cinder-lvm-setup first"):
        storage.grow(2**30)


def test_storage_on_a_loop_device_is_known_by_its_file_which_a_boot_does_not_rename(
    storage: BlockStorage, monkeypatch: pytest.MonkeyPatch
):
    origins = {Path("/dev/loop3"): Path("/srv/disk.img")}
    monkeypatch.setattr(block_storage, "_origin", lambda device: origins.get(device, device))
    group = VolumeGroup(name=lvm.GROUP, device=Path("/srv/disk.img"), system_dir=storage.common)
    storage.ledger.make(OWNER, group, lambda: None)
    assert storage.is_on(Path("/dev/loop3"))
    assert not storage.is_on(Path("/dev/sdb"))


def test_a_disk_is_known_by_each_of_its_names(storage: BlockStorage, tmp_path: Path):
    disk, link = tmp_path / "sdb", tmp_path / "by-id"
    disk.touch()
    link.symlink_to(disk)
    group = VolumeGroup(name=lvm.GROUP, device=link, system_dir=storage.common)
    storage.ledger.make(OWNER, group, lambda: None)
    assert storage.is_on(disk)
    assert storage.is_on(link)
    assert not storage.is_on(tmp_path / "sdc")


def test_a_disk_that_a_boot_gives_another_name_is_found_again(
    storage: BlockStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    by_id, limits = tmp_path / "by-id", list[Path]()
    by_id.mkdir()
    for link in ("lvm-pv-uuid-x", "ata-DISK_1", "ata-DISK_1-part1"):
        (by_id / link).symlink_to(tmp_path / ("sdb1" if "part" in link else "sdb"))
    for disk in ("sdb", "sdb1", "sdc"):
        (tmp_path / disk).touch()
    monkeypatch.setattr(block_storage, "BY_ID", by_id)
    monkeypatch.setattr(block_storage, "_check_empty", lambda _: None)
    monkeypatch.setattr(Path, "is_block_device", lambda _: True)
    monkeypatch.setattr(lvm, "limit", lambda _, device: limits.append(device))
    monkeypatch.setattr(lvm, "run", lambda *_: "")
    monkeypatch.setattr(lvm, "has_group", lambda _: False)
    monkeypatch.setattr(lvm, "has_pool", lambda _: True)
    storage.setup(2**30, tmp_path / "sdb")
    (by_id / "ata-DISK_1").unlink()
    (by_id / "ata-DISK_1").symlink_to(tmp_path / "sdc")
    storage.start()
    assert storage.is_on(tmp_path / "sdc")
    assert limits == [tmp_path / "sdb", tmp_path / "sdc"]


@pytest.mark.parametrize(("first", "then"), [(None, "/dev/sdb"), ("/dev/sdb", None)])
def test_storage_whose_group_is_not_found_is_not_made_in_another_place(
    storage: BlockStorage, monkeypatch: pytest.MonkeyPatch, first: str | None, then: str | None
):
    places = [None if place is None else Path(place) for place in (first, then)]
    group = VolumeGroup(name=lvm.GROUP, device=places[0], system_dir=storage.common)
    storage.ledger.make(OWNER, group, lambda: None)
    monkeypatch.setattr(lvm, "has_group", lambda _: False)
    monkeypatch.setattr(BlockStorage, "start", lambda _: None)
    monkeypatch.setattr(block_storage, "_check_empty", lambda _: None)
    monkeypatch.setattr(BlockStorage, "_make", lambda *_: pytest.fail("it was made"))
    told = rf"no volume group is found on {storage.origin}, .* run cinder-lvm-teardown first"
    with pytest.raises(StorageError, match=told):
        storage.setup(2**30, places[1])


def test_a_disk_that_is_gone_is_named(storage: BlockStorage):
    group = VolumeGroup(name=lvm.GROUP, device=Path("/dev/gone"), system_dir=storage.common)
    storage.ledger.make(OWNER, group, lambda: None)
    with pytest.raises(StorageError, match=r"^/dev/gone is gone"):
        storage.start()


def test_a_disk_on_which_the_group_is_not_found_is_not_made_anew_over_what_it_has(
    storage: BlockStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(device: Path) -> None:
        raise StorageError(f"{device} has LVM2_member on it")

    disk = tmp_path / "disk"
    group = VolumeGroup(name=lvm.GROUP, device=disk, system_dir=storage.common)
    monkeypatch.setattr(lvm, "has_group", lambda _: False)
    storage.ledger.make(OWNER, group, lambda: None)
    monkeypatch.setattr(BlockStorage, "start", lambda _: None)
    monkeypatch.setattr(block_storage, "_check_empty", refuse)
    monkeypatch.setattr(BlockStorage, "_make", lambda *_: pytest.fail("it was made anew"))
    with pytest.raises(StorageError, match="has LVM2_member on it"):
        storage.setup(2**30, disk)


def test_a_setup_that_was_cut_off_behind_its_group_is_brought_to_its_end_by_the_next(
    storage: BlockStorage, monkeypatch: pytest.MonkeyPatch
):
    ran: list[tuple[str, ...]] = []
    group = VolumeGroup(name=lvm.GROUP, device=None, system_dir=storage.common)
    storage.ledger.make(OWNER, group, lambda: None)
    monkeypatch.setattr(BlockStorage, "start", lambda _: None)
    monkeypatch.setattr(lvm, "has_group", lambda _: True)
    monkeypatch.setattr(lvm, "has_pool", lambda _: bool(ran))
    monkeypatch.setattr(lvm, "run", lambda _, *command: ran.append(command))
    for _ in range(2):
        storage.setup(2**30)
    assert [(command[0], command[-1]) for command in ran] == [("lvcreate", lvm.GROUP)]
    made = [line.made.kind for line in storage.ledger.entries()]
    assert made == ["volume-group", "file", "iscsi-fabric", "iscsi-targets", "iscsi-sessions"]


def test_storage_whose_volume_a_guest_has_is_not_stopped(
    storage: BlockStorage, monkeypatch: pytest.MonkeyPatch
):
    group = VolumeGroup(name=lvm.GROUP, device=None, system_dir=storage.common)
    storage.ledger.make(OWNER, group, lambda: None)
    monkeypatch.setattr(initiator, "used", lambda _: [Path("/dev/sda")])
    monkeypatch.setattr(targets, "remove", lambda: pytest.fail("a target was removed"))
    with pytest.raises(StorageError, match=r"^/dev/sda is in use.*stop the guests first$"):
        storage.stop()


def test_removing_what_was_never_made_does_nothing(storage: BlockStorage):
    storage.teardown()
    assert storage.ledger.entries() == []


def test_the_targets_of_removed_storage_do_not_come_back(storage: BlockStorage):
    folder = targets_folder(storage.common)
    folder.mkdir(parents=True)
    (folder / f"{targets.PREFIX}volume-1.json").write_text("{}")
    storage.teardown()
    assert list(folder.iterdir()) == []


def test_targets_are_made_under_the_lock_that_may_be_had(monkeypatch: pytest.MonkeyPatch):
    assert targets.lock() == Path("/run/rtslib_backstore.lock")
    monkeypatch.setattr(targets, "under_snapd", lambda: True)
    assert targets.lock() == Path("/run/targetcli.lock")


@pytest.mark.parametrize(
    ("folders", "stays"), [(("discovery_auth",), False), (("discovery_auth", "iqn.x:y"), True)]
)
def test_the_kernel_takes_no_targets_any_longer_unless_the_host_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: tuple[str, ...], stays: bool
):
    fabric = tmp_path / "iscsi"
    monkeypatch.setattr(targets, "FABRIC", fabric)
    # The kernel's own files go with a folder of its file system, whatever is in it.
    monkeypatch.setattr(Path, "rmdir", shutil.rmtree)
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.make(OWNER, TargetFabric(), lambda: None)
    for name in folders:
        (fabric / name).mkdir(parents=True)
    ledger.undo()
    assert fabric.exists() == stays
    assert ledger.entries() == []


def test_nothing_of_a_removed_group_is_left_in_dev(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lvm, "DEVICES", tmp_path)
    for folder in (lvm.GROUP, "mapper"):
        (tmp_path / folder).mkdir()
    node = tmp_path / "mapper/microstack--volumes-volume--1"
    for path in (node, tmp_path / "mapper/control", tmp_path / "mapper/vg-root"):
        path.touch()
    (tmp_path / lvm.GROUP / "volume-1").symlink_to(node)
    lvm.forget_nodes()
    assert not (tmp_path / lvm.GROUP).exists()
    assert {path.name for path in (tmp_path / "mapper").iterdir()} == {"control", "vg-root"}


def test_of_a_pool_that_is_not_active_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    row = {"lv_size": "19456.00", "data_percent": "", "metadata_percent": ""}
    report = json.dumps({"report": [{"lv": [row]}]})
    monkeypatch.setattr(lvm, "run", lambda *_: report)
    told = "microstack-volumes/microstack-volumes-pool is not active"
    with pytest.raises(lvm.LvmError, match=told):
        lvm.pool_usage(tmp_path)


NOTIFY, LVM, DEBIAN_LVM = "95-dm-notify.rules", "11-dm-lvm.rules", "56-lvm.rules"


@pytest.mark.parametrize(
    ("runs", "rules", "waits", "links"),
    [
        pytest.param(True, (NOTIFY, LVM), 1, 1, id="udev makes them and says when"),
        pytest.param(True, (NOTIFY, DEBIAN_LVM), 1, 1, id="so does Debian's"),
        pytest.param(True, (NOTIFY,), 1, 0, id="udev that does not know LVM says when it is done"),
        pytest.param(True, (), 0, 0, id="udev that does not know device-mapper"),
        pytest.param(False, (NOTIFY, LVM), 0, 0, id="no udev"),
    ],
)
def test_nodes_are_made_by_udev_where_it_knows_lvm_and_else_by_lvm(
    runs: bool,
    rules: tuple[str, ...],
    waits: int,
    links: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(detect, "udev", lambda: runs)
    monkeypatch.setattr(lvm, "UDEV_RULES", (tmp_path / "none", tmp_path))
    for rule in rules:
        (tmp_path / rule).touch()
    lvm.limit(tmp_path, Path("/dev/loop7"))
    conf = (tmp_path / "lvm.conf").read_text()
    assert f"udev_sync = {waits}\n" in conf
    assert f"udev_rules = {links}\n" in conf


def test_pools_are_checked_by_the_program_that_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    program = tmp_path / "thin_check"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    lvm.limit(tmp_path, Path("/dev/loop7"))
    assert f'thin_check_executable = "{program}"\n' in (tmp_path / "lvm.conf").read_text()
