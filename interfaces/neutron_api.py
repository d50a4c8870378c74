"""`neutron-api`: where the network API is."""

from __future__ import annotations

from pydantic import Field

from interfaces import base


class RequirerData(base.Databag):
    """The client asks for nothing."""


class ProviderData(base.Databag):
    """The API, once it answers."""

    neutron_url: str | None = Field(default=None, description="e.g. http://10.0.0.1:9696")


class Requirer(base.Requirer[ProviderData]):
    """A client of the network API."""

    interface = "neutron-api"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Neutron."""

    interface = "neutron-api"
    request = RequirerData
