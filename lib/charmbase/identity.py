"""Accounts and the catalog of a live Keystone, through its v3 API.

Everything is ensured: what is there is listed first, once, and only what is missing or different
is written. No part of this knows of Juju.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

# At DEBUG it logs the body of every request, with the passwords of new accounts in it.
logging.getLogger("keystoneauth").setLevel(logging.INFO)

INTERFACES = ("public", "internal", "admin")
DOMAIN = "default"
"""Id of the domain that bootstrap makes; its name is `Default`."""
SERVICE_PROJECT = "service"
SERVICE_ROLES = ("admin", "service")
"""What a service account may do in the project `service`; bootstrap makes both roles."""


@dataclass(frozen=True)
class Service:
    """An API of the catalog.

    Attributes:
        name: e.g. `glance`.
        type: service type, e.g. `image`.
        description: one phrase.
        region: region id of its endpoints.
        urls: URL of the interfaces public, internal and admin, in this order.
    """

    name: str
    type: str
    description: str
    region: str
    urls: tuple[str, str, str]


class Identity:
    """A session with Keystone as the administrator.

    Args:
        auth_url: e.g. `http://127.0.0.1:5000/v3`.
        password: the administrator's.
    """

    def __init__(self, auth_url: str, password: str) -> None:
        # Imported here because most hooks have nothing to say to Keystone.
        from keystoneauth1 import adapter, session
        from keystoneauth1.identity import v3

        login = v3.Password(
            auth_url=auth_url,
            username="admin",
            password=password,
            user_domain_id=DOMAIN,
            project_name="admin",
            project_domain_id=DOMAIN,
        )
        self._api = adapter.Adapter(session.Session(auth=login), endpoint_override=auth_url)

    def ensure_account(self, username: str, password: str) -> None:
        """Make a service account with this password and the service roles."""
        user = self._users.get(username)
        if user is None:
            body = {"name": username, "domain_id": DOMAIN, "password": password}
            user = self._api.post("/users", json={"user": body}).json()["user"]
            self._users[username] = user
        else:
            self._api.patch(f"/users/{user['id']}", json={"user": {"password": password}})
        for role in SERVICE_ROLES:
            grant = (user["id"], self._roles[role])
            if grant not in self._grants:
                self._api.put(f"/projects/{self._project}/users/{grant[0]}/roles/{grant[1]}")
                self._grants.add(grant)

    def remove_account(self, username: str) -> None:
        """Delete a service account, if it is there."""
        user = self._users.pop(username, None)
        if user is not None:
            self._api.delete(f"/users/{user['id']}")

    def ensure_service(self, service: Service) -> None:
        """Put a service and its three endpoints into the catalog."""
        found = self._services.get((service.type, service.name))
        if found is None:
            body = {
                "type": service.type,
                "name": service.name,
                "description": service.description,
            }
            found = self._api.post("/services", json={"service": body}).json()["service"]
            self._services[service.type, service.name] = found
        for interface, url in zip(INTERFACES, service.urls, strict=True):
            self._ensure_endpoint(found["id"], interface, service.region, url)

    def remove_service(self, type_: str, name: str) -> None:
        """Take a service and its endpoints out of the catalog, if they are there."""
        found = self._services.pop((type_, name), None)
        if found is not None:
            self._api.delete(f"/services/{found['id']}")

    def _ensure_endpoint(self, service: str, interface: str, region: str, url: str) -> None:
        found = self._endpoints.get((service, interface, region))
        if found is None:
            body = {
                "service_id": service,
                "interface": interface,
                "region_id": region,
                "url": url,
            }
            self._api.post("/endpoints", json={"endpoint": body})
        elif found["url"] != url:
            self._api.patch(f"/endpoints/{found['id']}", json={"endpoint": {"url": url}})

    def _list(self, path: str, key: str, **params: str) -> Sequence[dict[str, Any]]:
        return self._api.get(path, params=params).json()[key]

    @cached_property
    def _users(self) -> dict[str, dict[str, Any]]:
        return {user["name"]: user for user in self._list("/users", "users", domain_id=DOMAIN)}

    @cached_property
    def _roles(self) -> dict[str, str]:
        return {role["name"]: role["id"] for role in self._list("/roles", "roles")}

    @cached_property
    def _project(self) -> str:
        found = self._list("/projects", "projects", name=SERVICE_PROJECT, domain_id=DOMAIN)
        if found:
            return found[0]["id"]
        body = {"name": SERVICE_PROJECT, "domain_id": DOMAIN, "description": "Service accounts"}
        return self._api.post("/projects", json={"project": body}).json()["project"]["id"]

    @cached_property
    def _grants(self) -> set[tuple[str, str]]:
        filters = {"scope.project.id": self._project}
        found = self._list("/role_assignments", "role_assignments", **filters)
        return {(a["user"]["id"], a["role"]["id"]) for a in found if "user" in a}

    @cached_property
    def _services(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(s["type"], s["name"]): s for s in self._list("/services", "services")}

    @cached_property
    def _endpoints(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        return {
            (e["service_id"], e["interface"], e["region_id"]): e
            for e in self._list("/endpoints", "endpoints")
        }
