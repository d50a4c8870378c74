"""`keystone-admin`: an administrator's account in Keystone, e.g. for tests that make users.

The account has the role admin in a project of its own and nothing else, and goes with the
relation. Field names are those of `keystone-credentials`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from interfaces import base
from interfaces.base import ContentOf, Credentials


class RequirerData(base.Databag):
    """Nothing: who is related gets an account, named by Keystone."""


class ProviderData(base.Databag):
    """The account, and where Keystone is."""

    api_version: str | None = Field(default=None, description="`v3`")
    region: str | None = None
    internal_endpoint: str | None = Field(default=None, description="e.g. http://10.0.0.1:5000/v3")
    public_endpoint: str | None = None
    user_domain_name: str | None = None
    project_domain_name: str | None = None
    project_name: str | None = Field(default=None, description="the account's own project")
    credentials: Annotated[str | None, ContentOf(Credentials)] = Field(
        default=None, description="id of the secret with username and password"
    )


class Requirer(base.Requirer[ProviderData]):
    """Who administers the cloud from outside."""

    interface = "keystone-admin"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Keystone."""

    interface = "keystone-admin"
    request = RequirerData
