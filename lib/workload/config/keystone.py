"""Snap config of Keystone."""

from __future__ import annotations

from pydantic import Field

from workload.config.base import Secret, Section
from workload.config.shared import ApiComponent, Cache, Database


class KeystoneBootstrap(Section):
    """What `keystone-manage bootstrap` is given."""

    admin_password: Secret | None = None
    public_url: str | None = Field(default=None, description="e.g. http://127.0.0.1:5000/v3")
    region: str = "RegionOne"


class KeystoneConfig(ApiComponent):
    """Keys under `keystone`."""

    port: int = Field(default=5000, ge=1, le=65535)
    database: Database = Database()
    cache: Cache = Cache()
    bootstrap: KeystoneBootstrap = KeystoneBootstrap()
    fernet_keys: dict[str, Secret] | None = Field(
        default=None, description="key repository, file name to key; shared by all units"
    )
    credential_keys: dict[str, Secret] | None = None
