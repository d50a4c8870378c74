"""Snap config of Cinder's API and scheduler."""

from __future__ import annotations

from pydantic import Field

from workload.config.shared import ApiComponent, Cache, Database, Identity, Messaging


class CinderConfig(ApiComponent):
    """Keys under `cinder`."""

    port: int = Field(default=8776, ge=1, le=65535)
    host: str | None = Field(default=None, description="name of this node")
    database: Database = Database()
    rabbitmq: Messaging = Messaging()
    identity: Identity = Identity()
    cache: Cache = Cache()
    default_volume_type: str | None = None
