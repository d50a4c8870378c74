"""Where instances of storage are: folders in the agent's state, and loop devices on files there.

Like Juju's own pools on a machine: `rootfs` for filesystems, `loop` for block devices. What is on
disk says what there is, so that a kill at any instant leaves nothing that `sweep` does not find.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from machine.model import Model, Storage

logger = logging.getLogger(__name__)

ROOTFS, LOOP = "rootfs", "loop"
POOLS = {"filesystem": ROOTFS, "block": LOOP}
"""The pool of each kind of storage."""

DEFAULT_SIZE = 1024
"""MiB of a block device for which neither the charm nor its operator names a size."""

_CONTROL = Path("/dev/loop-control")
_FILE, _LINK = ".img", ".link"


class StorageError(Exception):
    """Storage cannot be had; the message is one line."""


def offered(kind: str) -> bool:
    """Whether this host can have a kind of storage: block devices need the kernel's loop."""
    return kind != "block" or _CONTROL.exists()


def provision(folder: Path, storage: Storage) -> str:
    """Make an instance, where it is not made yet, and return its location.

    Args:
        folder: of all instances of the model.
        storage: the instance.

    Raises:
        StorageError: something else is where the charm wants it, or there are no loop devices.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if storage.kind == "block":
        return _loop_device(folder / f"{_dashed(storage.id)}{_FILE}", storage)
    own = folder / _dashed(storage.id)
    own.mkdir(exist_ok=True)
    if not storage.wanted:
        return str(own)
    place = Path(storage.wanted)
    _note(folder, storage, place)
    if not (place.is_symlink() and place.readlink() == own):
        _link(place, own, storage)
    return str(place)


def _note(folder: Path, storage: Storage, place: Path) -> None:
    """Remember a link before it is made."""
    (folder / f"{_dashed(storage.id)}{_LINK}").write_text(str(place))


def _link(place: Path, own: Path, storage: Storage) -> None:
    try:
        if place.is_dir() and not place.is_symlink():
            place.rmdir()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(own)
    except OSError as e:
        raise StorageError(
            f'storage {storage.id} cannot be at "{place}", where its charm wants it: {e.strerror}'
        ) from None


def _loop_device(file: Path, storage: Storage) -> str:
    """The loop device of a file, which is made in the storage's size and holds no space yet."""
    if not offered("block"):
        raise StorageError(f"storage {storage.id} is a block device: this kernel has no loop")
    if not file.exists():
        with file.open("xb") as new:
            file.chmod(0o600)
            new.truncate((storage.size or DEFAULT_SIZE) << 20)
    return _device_of(file) or _losetup("--find", "--show", str(file))


def _device_of(file: Path) -> str:
    return _losetup("--noheadings", "--output", "NAME", "--associated", str(file))


def _losetup(*arguments: str) -> str:
    try:
        done = subprocess.run(["losetup", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        said = e.stderr.strip() if isinstance(e, subprocess.CalledProcessError) else e.strerror
        raise StorageError(f"losetup {arguments[0]}: {said}") from None
    return done.stdout.strip().partition("\n")[0]


def after_boot(folder: Path, model: Model) -> Model:
    """The model with block devices as they are after a boot, which takes them away."""
    for known in model.storages.values():
        if known.kind == "block" and known.location:
            try:
                location = provision(folder, known)
            except (StorageError, OSError):
                logger.exception("storage %s is not there after the boot", known.id)
                continue
            model = model.with_storage(replace(known, location=location))
    return model


def sweep(folder: Path, kept: Collection[str]) -> None:
    """Remove all instances but those with these ids, with what they hold."""
    names = {_dashed(storage) for storage in kept}
    for link in folder.glob(f"*{_LINK}"):
        if link.stem not in names:
            place, own = Path(link.read_text()), folder / link.stem
            if place.is_symlink() and place.readlink() == own:
                place.unlink()
            link.unlink()
    for entry in folder.glob("*"):
        if entry.stem in names:
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.suffix == _FILE:
            if device := _device_of(entry):
                _losetup("--detach", device)
            entry.unlink()


def _dashed(storage: str) -> str:
    return storage.replace("/", "-")
