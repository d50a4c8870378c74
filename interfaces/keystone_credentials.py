"""`keystone-credentials`: an account in Keystone for something that is not in the catalog.

Field names are those of Sunbeam's `keystone-credentials` interface.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from interfaces import base
from interfaces.base import ContentOf, Credentials


class RequirerData(base.Databag):
    """The account that is asked for."""

    username: str | None = Field(default=None, description="no account is made when unset")


class Account(base.Databag):
    """An account, and where Keystone is."""

    api_version: str | None = Field(default=None, description="`v3`")
    region: str | None = None
    internal_endpoint: str | None = Field(default=None, description="e.g. http://10.0.0.1:5000/v3")
    public_endpoint: str | None = None
    user_domain_name: str | None = None
    project_domain_name: str | None = None
    project_name: str | None = None
    credentials: Annotated[str | None, ContentOf(Credentials)] = Field(
        default=None, description="id of the secret with username and password"
    )


class ProviderData(Account):
    """The account, and how administrators' role is called in this Keystone."""

    admin_role: str | None = None


class Requirer(base.Requirer[ProviderData]):
    """A user of Keystone."""

    interface = "keystone-credentials"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Keystone."""

    interface = "keystone-credentials"
    request = RequirerData
