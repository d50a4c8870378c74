"""Snap config of the volume service on LVM."""

from __future__ import annotations

from pydantic import Field

from workload.config.shared import Component


class CinderLvmConfig(Component):
    """Keys under `cinder-lvm`; all else is in `cinder` on the same machine."""

    host: str | None = Field(default=None, description="name of this node in Cinder")
    schema_release: str | None = Field(
        default=None, description="release the database was migrated to; gates the service"
    )
    volume_group: str | None = Field(
        default=None, description="the volume group, once it is made; gates the service"
    )
