"""Snap config of memcached."""

from __future__ import annotations

from pydantic import Field

from workload.config.shared import Component


class MemcachedConfig(Component):
    """Keys under `memcached`."""

    enabled: bool = False
    bind_address: str = Field(
        default="unix:memcached.sock",
        description="an address, or unix:NAME.sock: a socket below `$SNAP_COMMON/run/memcached` "
        "that only root opens",
    )
    port: int = Field(default=11211, ge=1, le=65535)
    memory: int = Field(default=32, ge=8, description="item memory, MiB")
