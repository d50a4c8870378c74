"""The sections of snap config that many components have, mapped from their endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from charmbase.endpoints import Requires
from charmbase.sources import Source
from interfaces import (
    keystone,
    keystone_admin,
    keystone_credentials,
    memcache,
    mysql_client,
    rabbitmq,
)

Section = dict[str, Source]


def database(endpoint: Requires[mysql_client.Requirer]) -> Section:
    """Map `workload.config.shared.Database`."""
    return {
        "host": endpoint["host"],
        "port": endpoint["port"],
        "name": endpoint["database"],
        "username": endpoint["secret-user.username"],
        "password": endpoint["secret-user.password"],
    }


def messaging(endpoint: Requires[rabbitmq.Requirer]) -> Section:
    """Map `workload.config.shared.Messaging`."""
    return {
        "host": endpoint["hostname"],
        "port": endpoint["port"],
        "vhost": endpoint["vhost"],
        "username": endpoint["secret-user.username"],
        "password": endpoint["secret-user.password"],
    }


def cache(endpoint: Requires[memcache.Requirer]) -> Section:
    """Map `workload.config.shared.Cache`."""
    return {"servers": endpoint["servers"]}


def identity(endpoint: Requires[keystone.Requirer]) -> Section:
    """Map `workload.config.shared.Identity` from a service's registration."""
    return {
        "auth-url": endpoint["internal-auth-url"],
        "region": endpoint["region"],
        "username": endpoint["service-credentials.username"],
        "password": endpoint["service-credentials.password"],
        "project-name": endpoint["service-project-name"],
        "project-domain-name": endpoint["service-domain-name"],
        "user-domain-name": endpoint["service-domain-name"],
    }


def administrator(endpoint: Requires[keystone_admin.Requirer]) -> Section:
    """Map `workload.config.shared.Identity` from an administrator's account."""
    return _account(endpoint)


def credentials(endpoint: Requires[keystone_credentials.Requirer]) -> Section:
    """Map `workload.config.shared.Identity` from an account without a service."""
    return _account(endpoint)


def _account(endpoint: Requires[Any]) -> Section:
    return {
        "auth-url": endpoint["internal-endpoint"],
        "region": endpoint["region"],
        "username": endpoint["credentials.username"],
        "password": endpoint["credentials.password"],
        "project-name": endpoint["project-name"],
        "project-domain-name": endpoint["project-domain-name"],
        "user-domain-name": endpoint["user-domain-name"],
    }


def catalog(
    service: str,
    name: str,
    description: str,
    path: str = "",
    aliases: Mapping[str, str] | None = None,
) -> Callable[[Any], keystone.RequirerData | None]:
    """Return the request that registers an API in the catalog.

    Args:
        service: service type, e.g. `image`.
        name: its name, e.g. `glance`.
        description: one phrase.
        path: appended to the API's base URL, e.g. `/v2.1`.
        aliases: further service types for the same API, and the name of each.
    """
    services = {service: name, **(aliases or {})}

    def request(charm: Any) -> keystone.RequirerData | None:
        if charm.api_url is None:
            return None
        url = f"{charm.api_url}{path}"
        endpoints = (
            keystone.ServiceEndpoint(
                service_name=known_as,
                type=kind,
                description=description,
                internal_url=url,
                public_url=url,
                admin_url=url,
            )
            for kind, known_as in services.items()
        )
        return keystone.RequirerData(service_endpoints=tuple(endpoints))

    return request
