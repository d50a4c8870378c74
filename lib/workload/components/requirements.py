"""Keys that a service cannot start without, and what is derived from them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Protocol

from workload.config.shared import Identity

SCHEMA = ("schema-release",)
IDENTITY = (
    "identity.auth-url",
    "identity.username",
    "identity.password",
    "identity.project-name",
    "identity.project-domain-name",
    "identity.user-domain-name",
)
MESSAGING = ("rabbitmq.host", "rabbitmq.username", "rabbitmq.password")


def database(section: str = "database") -> tuple[str, ...]:
    """Return the keys of a database account."""
    return tuple(f"{section}.{key}" for key in ("host", "name", "username", "password"))


class WithIdentity(Protocol):
    """The config of a component that validates tokens."""

    @property
    def identity(self) -> Identity:
        """The component's own account."""
        ...


def cache_secret(config: WithIdentity) -> Mapping[str, Any]:
    """Derive the key a service encrypts its cached tokens with from its own password.

    So that all units of a service share it, no other service has it, and it changes with the
    password.
    """
    password = config.identity.password
    if password is None:
        return {"cache_secret": ""}
    digest = hmac.digest(password.get_secret_value().encode(), b"token cache", hashlib.sha256)
    return {"cache_secret": digest.hex()}
