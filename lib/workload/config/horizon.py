"""Snap config of Horizon."""

from __future__ import annotations

from pydantic import Field

from workload.config.base import Secret
from workload.config.shared import Cache, Component


class HorizonConfig(Component):
    """Keys under `horizon`."""

    bind_address: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    auth_url: str | None = Field(
        default=None, description="Keystone, e.g. http://127.0.0.1:5000/v3"
    )
    region: str | None = None
    cache: Cache = Cache()
    secret_key: Secret | None = None
    allowed_hosts: str = Field(default="*", description="comma-separated names browsers may use")
