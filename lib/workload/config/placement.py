"""Snap config of Placement."""

from __future__ import annotations

from pydantic import Field

from workload.config.shared import ApiComponent, Cache, Database, Identity


class PlacementConfig(ApiComponent):
    """Keys under `placement`."""

    port: int = Field(default=8778, ge=1, le=65535)
    database: Database = Database()
    identity: Identity = Identity()
    cache: Cache = Cache()
