"""Snap config of MariaDB."""

from __future__ import annotations

from pydantic import Field

from workload.config.base import Secret
from workload.config.shared import Component


class MariadbConfig(Component):
    """Keys under `mariadb`."""

    bind_address: str = "127.0.0.1"
    port: int = Field(default=3306, ge=1, le=65535)
    admin_username: str = Field(
        default="operator", description="account the charm administers with"
    )
    admin_password: Secret | None = None
    buffer_pool_size: str = Field(
        default="64M", pattern=r"^\d+[MG]$", description="InnoDB buffer pool"
    )
    max_connections: int = Field(default=512, ge=16)
