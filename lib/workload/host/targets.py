"""The kernel's iSCSI targets (LIO) of the appliance's volumes, and no others.

Whatever begins with `PREFIX` is the appliance's. Each target is kept in a file of its own, CHAP
account included, so that it is back after a boot before anything asks for it; the host's own
configuration of LIO is neither saved, restored nor cleared. rtslib does the work.
"""
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workload import atomic
from workload.layout import under_snapd

PREFIX = "iqn.2010-10.org.openstack.microstack:"
"""What the names of the appliance's targets begin with (RFC 3720, 3.2.6.3.1)."""

CONFIGFS = Path("/sys/kernel/config/target")
FABRIC = CONFIGFS / "iscsi"
"""There as soon as the kernel takes iSCSI targets, which are folders in it."""

NO_TARGET = "discovery_auth"
"""A folder that the kernel has there of its own."""


class TargetError(Exception):
    """LIO refuses; the message says what."""


@dataclass(frozen=True)
class Account:
    """A CHAP account (RFC 1994); never an argument of a process, where others could read it."""

    user: str
    password: str


def lock() -> Path:
    """Return the file that is locked while a target is made: rtslib's, in the snap targetcli's.

    Strict confinement lets a snap open that one alone (snapd,
    interfaces/builtin/microstack_support.go).
    """
    return Path("/run", "targetcli.lock" if under_snapd() else "rtslib_backstore.lock")


def names() -> list[str]:
    """Return the names of the appliance's targets."""
    return sorted(path.name for path in FABRIC.glob(f"{PREFIX}*"))


def takes_targets() -> bool:
    """Whether the kernel takes iSCSI targets, as it does from the first on."""
    return FABRIC.is_dir()


def of_anyone() -> bool:
    """Whether there is any iSCSI target, the appliance's or others'."""
    return any(path.is_dir() and path.name != NO_TARGET for path in FABRIC.glob("*"))


def exist() -> bool:
    """Whether there is any target of the appliance, or what one is made of."""
    return bool(names()) or any(CONFIGFS.glob(f"core/*/{PREFIX}*"))


def create(name: str, device: str, portals: Sequence[tuple[str, int]]) -> None:
    """Export a block device, to nobody yet; again does no harm.

    Args:
        name: of the target.
        device: path of the block device.
        portals: addresses and ports to listen on.

    Raises:
        TargetError: LIO refuses; nothing is left of the target.
    """
    lio = _lio()
    _own(name)
    if name in names():
        return
    with _refusals():
        try:
            storage = lio.BlockStorageObject(name, dev=device)
            group = lio.TPG(lio.Target(lio.FabricModule("iscsi"), name), 1)
            group.set_attribute("authentication", "1")
            lio.LUN(group, 0, storage)
            for address, port in portals:
                lio.NetworkPortal(group, address, port)
            group.enable = True
        except lio.RTSLibError:
            delete(name)
            raise


def delete(name: str) -> None:
    """End an export; without one nothing is done.

    Raises:
        TargetError: LIO refuses.
    """
    lio = _lio()
    _own(name)
    with _refusals():
        for target in lio.FabricModule("iscsi").targets:
            if target.wwn == name:
                target.delete()
        for storage in lio.BlockStorageObject.all():
            if storage.name == name:
                storage.delete()


def allow(name: str, initiator: str, account: Account) -> None:
    """Let an initiator in; again does no harm.

    Raises:
        TargetError: there is no such target, or LIO refuses.
    """
    lio = _lio()
    with _refusals():
        group = next(_target(name).tpgs)
        acl = lio.NodeACL(group, initiator.lower())
        acl.chap_userid, acl.chap_password = account.user, account.password
        if not any(mapped.mapped_lun == 0 for mapped in acl.mapped_luns):
            lio.MappedLUN(acl, 0, tpg_lun=0)


def deny(name: str, initiator: str) -> None:
    """Let an initiator in no longer.

    Raises:
        TargetError: there is no such target, or LIO refuses.
    """
    with _refusals():
        for acl in next(_target(name).tpgs).node_acls:
            if acl.node_wwn.lower() == initiator.lower():
                acl.delete()


def save(folder: Path) -> None:
    """Keep the appliance's targets in a folder, a file for each; forget those that are gone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = {f"{name}.json" for name in names()}
    for path in folder.glob("*.json"):
        if path.name not in kept:
            path.unlink()
    for name in names():
        document = {"storage_objects": [_storage(name).dump()], "targets": [_target(name).dump()]}
        atomic.write_json(folder / f"{name}.json", document)


def restore(folder: Path) -> list[str]:
    """Bring back those that were kept and are not there.

    Returns:
        What could not be brought back, a line each; all else was.
    """
    failures: list[str] = []
    for path in sorted(folder.glob(f"{PREFIX}*.json")):
        name = path.stem
        if name in names():
            continue
        document: dict[str, Any] = json.loads(path.read_text())
        # Without `clear_existing` it only adds what the document has.
        try:
            with _refusals():
                failures += [f"{name}: {line}" for line in _lio().RTSRoot().restore(document)]
        except TargetError as error:
            failures.append(f"{name}: {error}")
    return failures


def forget(folder: Path) -> None:
    """Keep none of them any longer."""
    for path in folder.glob("*.json"):
        path.unlink()


def remove() -> None:
    """End all exports of the appliance.

    Raises:
        TargetError: LIO refuses; the others are ended.
    """
    left = {path.name for path in CONFIGFS.glob(f"core/*/{PREFIX}*")}
    failures: list[str] = []
    for name in sorted({*names(), *left}):
        try:
            delete(name)
        except TargetError as error:
            failures.append(str(error))
    if failures:
        raise TargetError("; ".join(failures))


def _lio() -> Any:
    """Return rtslib; it loads modules, so only what has to do with targets imports it."""
    import rtslib_fb
    from rtslib_fb import tcm

    tcm.lock_file = str(lock())
    # It would give the kernel another folder for state, for all of the host's targets.
    dbroot = CONFIGFS / "dbroot"
    if dbroot.exists():
        rtslib_fb.RTSRoot._preferred_dbroot = dbroot.read_text().strip()
    return rtslib_fb


def _target(name: str) -> Any:
    _own(name)
    for target in _lio().FabricModule("iscsi").targets:
        if target.wwn == name:
            return target
    raise TargetError(f"there is no target {name}")


def _storage(name: str) -> Any:
    return next(storage for storage in _lio().BlockStorageObject.all() if storage.name == name)


def _own(name: str) -> None:
    if not name.startswith(PREFIX):
        raise TargetError(f"{name} is no target of this appliance")


@contextmanager
def _refusals() -> Generator[None]:
    try:
        yield
    except (_lio().RTSLibError, OSError) as error:
        raise TargetError(str(error)) from None


if __name__ == "__main__":
    try:
        remove()
    except TargetError as error:
        sys.exit(str(error))
