"""Cinder's LVM driver, kept from the host's LIO configuration as a whole.

Cinder's own LIO driver saves the configuration of all of the host's targets, restores that file
over them (cinder/volume/targets/lio.py), and names CHAP passwords in the arguments of a process.
"""
# pyright: basic, reportMissingImports=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

from typing import Any

from cinder import interface, utils
from cinder.volume.drivers.lvm import LVMVolumeDriver
from cinder.volume.targets.lio import LioAdm
from oslo_concurrency import processutils

from workload.host import targets
from workload.host.block_storage import targets_folder
from workload.jobs.job import common


class OwnTargets(LioAdm):
    """LIO targets of Cinder's volumes alone; `workload.host.targets` stands for cinder-rtstool."""

    def _verify_rtstool(self) -> None:
        """Trust rtslib to be there: this process has imported it."""

    @staticmethod
    @utils.synchronized("lioadm", external=True)
    def _execute(*arguments: Any, **_: Any) -> tuple[str, str]:
        """Do what a command of cinder-rtstool does.

        Raises:
            processutils.ProcessExecutionError: as the command would.
        """
        try:
            return _rtstool(*(str(argument) for argument in arguments[1:])), ""
        except targets.TargetError as error:
            raise processutils.ProcessExecutionError(stderr=str(error)) from None

    def ensure_export(self, context: Any, volume: Any, volume_path: str) -> None:
        """Export a volume that is not, also to whom it is attached."""
        name = f"{self.iscsi_target_prefix}{volume['name']}"
        if name in targets.names():
            return
        # Past LioAdm's own, which exports nothing where there is any target.
        super(LioAdm, self).ensure_export(context, volume, volume_path)
        for attachment in volume.volume_attachment:
            if attachment.connector:
                self.initialize_connection(volume, attachment.connector)


def _rtstool(command: str, *arguments: str) -> str:
    match command, arguments:
        case "create", (device, name, _user, _password, _iser, *options):
            port = next(int(text[2:]) for text in options if text.startswith("-p"))
            addresses = next(text[2:] for text in options if text.startswith("-a"))
            targets.create(name, device, [(address, port) for address in addresses.split(",")])
        case "add-initiator", (name, user, password, initiator):
            targets.allow(name, initiator, targets.Account(user, password))
        case "delete-initiator", (name, initiator):
            targets.deny(name, initiator)
        case "delete", (name,):
            targets.delete(name)
        case "get-targets", ():
            return "\n".join(targets.names())
        case "save", ():
            targets.save(targets_folder(common()))
        case _:
            raise targets.TargetError(f"cinder-rtstool {command} is not done here")
    return ""


@interface.volumedriver
class LvmDriver(LVMVolumeDriver):
    """Volumes on LVM, exported by `OwnTargets`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.__mapping: dict[str, str] = {}
        super().__init__(*args, **kwargs)

    def set_initialized(self) -> None:
        """Tell whoever waits for it that volumes can be made from now on."""
        super().set_initialized()
        common("run", "cinder-lvm", "ready").touch()

    @property
    def target_mapping(self) -> dict[str, str]:
        """The driver of each `target_helper`; the base class fills it before it reads it."""
        return {**self.__mapping, "lioadm": f"{__name__}.{OwnTargets.__name__}"}

    @target_mapping.setter
    def target_mapping(self, mapping: dict[str, str]) -> None:
        self.__mapping = mapping
