"""`placement`: where the placement API is."""

from __future__ import annotations

from pydantic import Field

from interfaces import base


class RequirerData(base.Databag):
    """The client asks for nothing."""


class ProviderData(base.Databag):
    """The API, once it answers."""

    placement_url: str | None = Field(default=None, description="e.g. http://10.0.0.1:8778")


class Requirer(base.Requirer[ProviderData]):
    """A client of the placement API."""

    interface = "placement"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Placement."""

    interface = "placement"
    request = RequirerData
