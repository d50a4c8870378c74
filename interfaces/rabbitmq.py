"""`rabbitmq`: an account on an AMQP broker.

Field names are those of Sunbeam's `rabbitmq` interface; the password is in a secret.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from interfaces import base
from interfaces.base import ContentOf, Credentials


class RequirerData(base.Databag):
    """What the client asks for."""

    vhost: str | None = Field(default=None, description="virtual host; `openstack` when unset")


class ProviderData(base.Databag):
    """Where the broker is."""

    hostname: str | None = Field(default=None, description="address of the broker")
    port: int | None = Field(default=None, description="TCP port")
    vhost: str | None = None
    secret_user: Annotated[str | None, ContentOf(Credentials)] = Field(
        default=None,
        title="credentials",
        description="id of the secret with username and password",
    )


class Requirer(base.Requirer[ProviderData]):
    """A client of the broker."""

    interface = "rabbitmq"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """The broker."""

    interface = "rabbitmq"
    request = RequirerData
