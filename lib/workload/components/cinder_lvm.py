"""The volume service on LVM, which exports volumes by LIO over iSCSI."""

from __future__ import annotations

from workload.component import Component, File, Service
from workload.config.cinder_lvm import CinderLvmConfig

READY = ("schema-release", "volume-group", "host")

COMPONENT = Component(
    name="cinder-lvm",
    config=CinderLvmConfig,
    files=(
        File("cinder-lvm/cinder-lvm.conf", "cinder-lvm/cinder-lvm.conf.j2", ("cinder-volume",)),
    ),
    services=(Service("cinder-lvm-storage", ("volume-group",)), Service("cinder-volume", READY)),
    directories=(("etc/lvm", None),),
)
