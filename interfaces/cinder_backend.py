"""`cinder-backend`: a volume service and the control plane it belongs to.

The requirer is the backend; it runs cinder-volume with the account Cinder's own services have.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from interfaces import base
from interfaces.base import ContentOf


class RequirerData(base.Databag):
    """The backend."""

    backend_name: str | None = Field(
        default=None, description="section in cinder.conf, e.g. `lvm`"
    )
    volume_type: str | None = Field(default=None, description="volume type that selects it")


class ServiceSecret(base.SecretContent):
    """What cinder-volume shares with the control plane."""

    database_password: SecretStr | None = None
    messaging_password: SecretStr | None = None
    identity_password: SecretStr | None = None


class ProviderData(base.Databag):
    """The control plane, once its schema is there."""

    release: str | None = Field(default=None, description="release of the schema, e.g. `2026.2`")
    secret_service: Annotated[str | None, ContentOf(ServiceSecret)] = Field(
        default=None, description="id of the secret with the passwords"
    )


class Requirer(base.Requirer[ProviderData]):
    """A backend."""

    interface = "cinder-backend"
    offer = ProviderData


class Provider(base.Provider[RequirerData, ProviderData]):
    """Cinder's control plane."""

    interface = "cinder-backend"
    request = RequirerData
