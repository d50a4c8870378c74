"""`nova-compute`: between Nova's control plane and its hypervisors."""

from __future__ import annotations

from pydantic import Field

from interfaces import base


class RequirerData(base.Databag):
    """One hypervisor, in its unit's databag."""

    hypervisor_hostname: str | None = Field(default=None, description="its name in Nova")


class ProviderData(base.Databag):
    """What hypervisors need to know of the control plane."""

    spice_proxy_url: str | None = Field(
        default=None, description="page a browser opens for a console"
    )
    takes_hypervisors: bool | None = Field(
        default=None, description="conductor, scheduler and Placement answer"
    )


class Requirer(base.Requirer[ProviderData]):
    """A hypervisor."""

    interface = "nova-compute"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Nova's control plane."""

    interface = "nova-compute"
    request = RequirerData
