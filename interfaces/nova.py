"""`nova`: what a chassis needs of Nova: the metadata API, and the secret its proxies sign with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from interfaces import base
from interfaces.base import ContentOf


class RequirerData(base.Databag):
    """The chassis asks for nothing."""


class MetadataSecret(base.SecretContent):
    """What the metadata agents sign requests with."""

    shared_secret: SecretStr | None = None


class ProviderData(base.Databag):
    """Nova's side."""

    metadata_host: str | None = Field(default=None, description="address of the metadata API")
    metadata_port: int | None = Field(default=None, description="its TCP port")
    metadata_secret: Annotated[str | None, ContentOf(MetadataSecret)] = Field(
        default=None, description="id of the secret with shared-secret"
    )
    spice_proxy_url: str | None = Field(
        default=None, description="page a browser opens for a console"
    )


class Requirer(base.Requirer[ProviderData]):
    """A chassis."""

    interface = "nova"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Nova's control plane."""

    interface = "nova"
    request = RequirerData
