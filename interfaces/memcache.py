"""`memcache`: memcached servers. Each unit of the provider names itself in its own databag."""

from __future__ import annotations

from pydantic import Field

from interfaces import base
from interfaces.base import derived


class RequirerData(base.Databag):
    """The client asks for nothing."""


class ProviderData(base.Databag):
    """One server, in its unit's databag."""

    host: str | None = None
    port: int | None = Field(default=None, description="TCP port")
    socket: str | None = Field(
        default=None,
        description="instead of host and port, for clients on this machine: unix:NAME.sock, a "
        "socket of the snap",
    )


class Servers(base.Databag):
    """All servers of the provider."""

    units: tuple[ProviderData, ...] = ()

    @derived("host", "port", "socket")
    def servers(self) -> str | None:
        """Comma-separated host:port or unix:NAME, sorted; None while no unit has sent its own."""
        found = {u.socket or f"{u.host}:{u.port}" for u in self.units if u.socket or u.port}
        return ",".join(sorted(found)) or None


class Requirer(base.Requirer[Servers]):
    """A client of the cache."""

    interface = "memcache"
    scope = "unit"
    offer = ProviderData
    view = Servers

    def combine(self, databags: list[ProviderData]) -> Servers:
        """Collect the units' servers."""
        return Servers(units=tuple(databags))


class Provider(base.Provider[RequirerData, ProviderData]):
    """A unit of the cache."""

    interface = "memcache"
    scope = "unit"
    request = RequirerData
