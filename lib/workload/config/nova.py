"""Snap config of Nova's control plane: API, metadata API, conductor, scheduler, console proxy."""

from __future__ import annotations

from pydantic import Field

from workload.config.base import Secret, Section
from workload.config.shared import ApiComponent, Cache, Database, Identity, Messaging


class NovaMetadata(Section):
    """The metadata API that guests reach through the OVN agent's proxy."""

    port: int = Field(default=8775, ge=1, le=65535)
    shared_secret: Secret | None = None


class NovaSpice(Section):
    """The Spice HTML5 console proxy."""

    port: int = Field(default=6082, ge=1, le=65535)
    url: str | None = Field(default=None, description="page a browser opens for a console")


class NovaConfig(ApiComponent):
    """Keys under `nova`."""

    port: int = Field(default=8774, ge=1, le=65535)
    api_database: Database = Database()
    database: Database = Database()
    cell0_database: Database = Database()
    rabbitmq: Messaging = Messaging()
    identity: Identity = Identity()
    cache: Cache = Cache()
    metadata: NovaMetadata = NovaMetadata()
    spice: NovaSpice = NovaSpice()
    cpu_allocation_ratio: float = Field(default=16.0, gt=0)
    ram_allocation_ratio: float = Field(default=1.5, gt=0)
