"""`neutron-plugin`: a hypervisor and the network plugin on its machine (container scope).

Both sides write their units' databags.
"""

from __future__ import annotations

from pydantic import Field

from interfaces import base


class RequirerData(base.Databag):
    """The network plugin."""

    chassis_name: str | None = Field(default=None, description="the chassis' system-id in OVN")


class ProviderData(base.Databag):
    """The hypervisor."""

    host: str | None = Field(
        default=None, description="its name in Nova; ports are bound to the chassis of this name"
    )


class Requirer(base.Requirer[ProviderData]):
    """The network plugin, a subordinate."""

    interface = "neutron-plugin"
    scope = "unit"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """The hypervisor, its principal."""

    interface = "neutron-plugin"
    scope = "unit"
    request = RequirerData
