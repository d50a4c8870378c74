"""Memcached: validated tokens. On a socket that only root opens, unless an address is given."""

from __future__ import annotations

from workload.component import Component, File, Service
from workload.config.memcached import MemcachedConfig

COMPONENT = Component(
    name="memcached",
    config=MemcachedConfig,
    files=(
        File("memcached/memcached.arguments", "memcached/memcached.arguments.j2", ("memcached",)),
    ),
    services=(Service("memcached", ("enabled",)),),
    directories=(("run/memcached", "memcache"),),
)
