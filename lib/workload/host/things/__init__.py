"""What can be made on a host, each with how to see that it is there and how to undo it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from workload.host.things.apparmor import GuestProfiles, Profile
from workload.host.things.networking import (
    Address,
    Datapath,
    IptablesRule,
    Link,
    Links,
    NamespaceFolder,
    Namespaces,
    NftablesTable,
)
from workload.host.things.storage import LoopDevice, Sessions, TargetFabric, Targets, VolumeGroup
from workload.host.things.system import Directory, File, Module, Mount, Sysctl
from workload.host.things.thing import Thing, UndoError

__all__ = [
    "Address",
    "AnyThing",
    "Datapath",
    "Directory",
    "File",
    "GuestProfiles",
    "IptablesRule",
    "Link",
    "Links",
    "LoopDevice",
    "Module",
    "Mount",
    "NamespaceFolder",
    "Namespaces",
    "NftablesTable",
    "Profile",
    "Sessions",
    "Sysctl",
    "TargetFabric",
    "Targets",
    "Thing",
    "UndoError",
    "VolumeGroup",
]

AnyThing = Annotated[
    Link
    | Links
    | Datapath
    | Address
    | NftablesTable
    | IptablesRule
    | Sysctl
    | File
    | Directory
    | Mount
    | Namespaces
    | NamespaceFolder
    | Module
    | LoopDevice
    | VolumeGroup
    | Targets
    | TargetFabric
    | Sessions
    | Profile
    | GuestProfiles,
    Field(discriminator="kind"),
]
