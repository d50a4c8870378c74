"""Snap config of the Neutron API (ML2/OVN)."""

from __future__ import annotations

from pydantic import Field

from workload.config.base import Section
from workload.config.shared import ApiComponent, Cache, Database, Identity, Messaging


class Ovn(Section):
    """Connections to OVN's databases.

    `unix:NAME.sock` (no leading slash) names a socket under `$SNAP_COMMON/run/ovn`;
    `tcp:HOST:PORT` and `ssl:HOST:PORT` are as in ovsdb(7).
    """

    nb_connection: str | None = None
    sb_connection: str | None = None


class NeutronConfig(ApiComponent):
    """Keys under `neutron`."""

    port: int = Field(default=9696, ge=1, le=65535)
    host: str | None = Field(default=None, description="name of this node")
    database: Database = Database()
    rabbitmq: Messaging = Messaging()
    identity: Identity = Identity()
    cache: Cache = Cache()
    ovn: Ovn = Ovn()
    dns_domain: str = "microstack.example."
    dns_servers: str | None = Field(
        default=None, description="comma-separated upstream resolvers for guests; never loopback"
    )
    physical_network: str = "physnet1"
    physical_network_mtu: int = Field(default=1500, ge=576, le=65535)
