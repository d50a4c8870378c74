"""Cinder's LVM driver, kept from the host's LIO configuration as a whole.

Cinder's own LIO driver saves the configuration of all of the host's targets, and restores that
file over them (cinder/volume/targets/lio.py). Cinder knows all of its own volumes, their CHAP
accounts and who is attached: after a boot they are exported anew from that.
"""
# pyright: basic, reportMissingImports=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

from typing import Any

from cinder import interface
from cinder.volume.drivers.lvm import LVMVolumeDriver
from cinder.volume.targets.lio import LioAdm


class OwnTargets(LioAdm):
    """LIO targets of Cinder's volumes alone."""

    def _persist_configuration(self, vol_id: str) -> None:
        """Save nothing: Cinder's database has it all."""

    def _restore_configuration(self) -> None:
        """Restore nothing: `ensure_export` makes each target."""

    def ensure_export(self, context: Any, volume: Any, volume_path: str) -> None:
        """Export a volume that is not, as after a boot, also to whom it is attached."""
        name = f"{self.iscsi_target_prefix}{volume['name']}"
        if self._get_target(name):
            return
        # Past LioAdm's own, which exports nothing where there is any target.
        super(LioAdm, self).ensure_export(context, volume, volume_path)
        for attachment in volume.volume_attachment:
            if attachment.connector:
                self.initialize_connection(volume, attachment.connector)


@interface.volumedriver
class LvmDriver(LVMVolumeDriver):
    """Volumes on LVM, exported by `OwnTargets`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.__mapping: dict[str, str] = {}
        super().__init__(*args, **kwargs)

    @property
    def target_mapping(self) -> dict[str, str]:
        """The driver of each `target_helper`; the base class fills it before it reads it."""
        return {**self.__mapping, "lioadm": f"{__name__}.{OwnTargets.__name__}"}

    @target_mapping.setter
    def target_mapping(self, mapping: dict[str, str]) -> None:
        self.__mapping = mapping
