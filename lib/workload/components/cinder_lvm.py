"""The volume service on LVM, which exports volumes by LIO over iSCSI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workload.component import Component, File, Service
from workload.config.cinder_lvm import CinderLvmConfig
from workload.host import targets

READY = ("schema-release", "volume-group", "host")


def derive(_: CinderLvmConfig) -> Mapping[str, Any]:
    """Name the targets that are the appliance's."""
    return {"target_prefix": targets.PREFIX}


COMPONENT = Component(
    name="cinder-lvm",
    config=CinderLvmConfig,
    files=(
        File(
            "cinder-lvm/cinder-lvm.conf",
            "cinder-lvm/cinder-lvm.conf.j2",
            ("cinder-volume", "cinder-backup"),
        ),
    ),
    services=(
        Service("cinder-lvm-storage", ("volume-group",)),
        Service("iscsid", ("volume-group",)),
        Service("cinder-volume", READY),
        Service("cinder-backup", READY),
    ),
    derive=derive,
    directories=(
        ("etc/iscsi", None),
        ("etc/lvm", None),
        ("lib/cinder-lvm", None),
        ("lib/cinder-lvm/backups", None),
        ("run/cinder-lvm", None),
    ),
)
