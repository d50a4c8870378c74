"""`glance`: where the image API is."""

from __future__ import annotations

from pydantic import Field

from interfaces import base


class RequirerData(base.Databag):
    """The client asks for nothing."""


class ProviderData(base.Databag):
    """The API, once it answers."""

    glance_api_server: str | None = Field(default=None, description="e.g. http://10.0.0.1:9292")


class Requirer(base.Requirer[ProviderData]):
    """A client of the image API."""

    interface = "glance"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Glance."""

    interface = "glance"
    request = RequirerData
