"""`mysql_client`: a schema on a MySQL or MariaDB server, and an account for it.

Field names are those of the `mysql_client` interface of the data platform's charms.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from interfaces import base
from interfaces.base import ContentOf, Credentials, derived


class RequirerData(base.Databag):
    """What the client asks for."""

    database: str | None = Field(default=None, description="name of the schema")


class ProviderData(base.Databag):
    """Where the schema is."""

    database: str | None = Field(default=None, description="name of the schema that was made")
    endpoints: str | None = Field(default=None, description="comma-separated host:port")
    secret_user: Annotated[str | None, ContentOf(Credentials)] = Field(
        default=None,
        title="credentials",
        description="id of the secret with username and password",
    )
    version: str | None = Field(default=None, description="of the server")

    @derived("endpoints")
    def host(self) -> str | None:
        """Host of the first endpoint."""
        return self.endpoints.split(",")[0].rpartition(":")[0] if self.endpoints else None

    @derived("endpoints")
    def port(self) -> int | None:
        """TCP port of the first endpoint."""
        return int(self.endpoints.split(",")[0].rpartition(":")[2]) if self.endpoints else None


class Requirer(base.Requirer[ProviderData]):
    """A client of the database server."""

    interface = "mysql_client"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """The database server."""

    interface = "mysql_client"
    request = RequirerData
