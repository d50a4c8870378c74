"""`keystone`: a service registers itself in the catalog, and gets a service account.

Field names are those of Sunbeam's `keystone` interface (endpoint `identity-service`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from interfaces import base
from interfaces.base import ContentOf, Credentials


class ServiceEndpoint(BaseModel):
    """One service of the catalog, with the URL of each interface."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    service_name: str | None = None
    type: str | None = Field(default=None, description="service type, e.g. `compute`")
    description: str | None = None
    internal_url: str | None = None
    public_url: str | None = None
    admin_url: str | None = None


class RequirerData(base.Databag):
    """The services to register."""

    service_endpoints: tuple[ServiceEndpoint, ...] | None = None
    region: str | None = Field(
        default=None, description="of the endpoints; Keystone's own when unset"
    )


class ProviderData(base.Databag):
    """The service account, and where Keystone is."""

    api_version: str | None = Field(default=None, description="`v3`")
    region: str | None = None
    internal_auth_url: str | None = Field(default=None, description="e.g. http://10.0.0.1:5000/v3")
    public_auth_url: str | None = None
    admin_auth_url: str | None = None
    service_domain_name: str | None = Field(default=None, description="domain of user and project")
    service_project_name: str | None = None
    admin_role: str | None = None
    service_credentials: Annotated[str | None, ContentOf(Credentials)] = Field(
        default=None,
        title="credentials",
        description="id of the secret with username and password",
    )


class Requirer(base.Requirer[ProviderData]):
    """A service of the cloud."""

    interface = "keystone"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Keystone."""

    interface = "keystone"
    request = RequirerData
