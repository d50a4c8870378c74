#!/usr/bin/env python3
"""memcached: validated tokens."""

from __future__ import annotations

from dataclasses import dataclass

import ops

from charmbase import ComponentCharm, Computed, Constant, Option, Probe, Provides, Tcp, UnixSocket
from interfaces import memcache
from workload.config.memcached import MemcachedConfig

SOCKET = "unix:memcached.sock"
"""Opened by root alone. Clients unpickle what they read, so who writes to a cache, runs code."""


@dataclass(frozen=True)
class Listener(Probe):
    """The cache takes a connection, on its socket or its port."""

    def uses(self) -> tuple[str, ...]:
        """Return the keys of address and port."""
        return Tcp().uses()

    def target(self, config: MemcachedConfig) -> str:
        """Return the socket's path, or address and port."""
        return self._chosen(config).target(config)

    def answers(self, config: MemcachedConfig) -> bool:
        """Connect."""
        return self._chosen(config).answers(config)

    def _chosen(self, config: MemcachedConfig) -> Probe:
        on_socket = config.bind_address == SOCKET
        return UnixSocket("run/memcached/memcached.sock") if on_socket else Tcp()


class MemcachedCharm(ComponentCharm[MemcachedConfig]):
    """Operate memcached."""

    component = "memcached"

    cache = Provides("cache", memcache.Provider)

    probe = Listener()
    mapping = {
        "debug": Option("debug"),
        "enabled": Constant(True),
        "bind-address": Computed(
            lambda charm: charm.listen_address,
            "a socket of this machine, or the address of binding cache with option remote-access",
        ),
        "port": Option("port"),
        "memory": Option("memory"),
    }

    @property
    def listen_address(self) -> str | None:
        """Where clients reach the cache."""
        return self.address("cache") if self.config["remote-access"] else SOCKET

    def publish(self, config: MemcachedConfig) -> None:
        """Tell every client where this unit's cache is."""
        if config.bind_address == SOCKET:
            self.cache.publish(memcache.ProviderData(socket=SOCKET))
        else:
            self.cache.publish(memcache.ProviderData(host=config.bind_address, port=config.port))


if __name__ == "__main__":
    ops.main(MemcachedCharm)
