"""Snap config of Glance."""

from __future__ import annotations

from pydantic import Field

from workload.config.shared import ApiComponent, Cache, Database, Identity


class GlanceConfig(ApiComponent):
    """Keys under `glance`."""

    port: int = Field(default=9292, ge=1, le=65535)
    database: Database = Database()
    identity: Identity = Identity()
    cache: Cache = Cache()
