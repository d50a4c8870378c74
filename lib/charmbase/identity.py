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


@dataclass(frozen=True)
class Place:
    """Where an account has rights, and which.

    Attributes:
        project: name of the project, made where it is missing.
        roles: what bootstrap makes: `admin`, `service`, `member`, ...
        description: of the project.
    """

    project: str
    roles: tuple[str, ...]
    description: str


SERVICE = Place(SERVICE_PROJECT, SERVICE_ROLES, "Service accounts")


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
        self._projects: dict[str, str] = {}
        self._grants: dict[str, set[tuple[str, str]]] = {}

    def ensure_account(self, username: str, password: str, place: Place = SERVICE) -> None:
        """Make an account with this password, with the roles of its place there."""
        user = self._users.get(username)
        if user is None:
            body = {"name": username, "domain_id": DOMAIN, "password": password}
            user = self._api.post("/users", json={"user": body}).json()["user"]
            self._users[username] = user
        else:
            self._api.patch(f"/users/{user['id']}", json={"user": {"password": password}})
        project = self._project(place)
        granted = self._granted(project)
        for role in place.roles:
            grant = (user["id"], self._roles[role])
            if grant not in granted:
                self._api.put(f"/projects/{project}/users/{grant[0]}/roles/{grant[1]}")
                granted.add(grant)

    def remove_account(self, username: str, project: str = SERVICE_PROJECT) -> None:
        """Delete an account and a project that was its own, if they are there."""
        user = self._users.pop(username, None)
        if user is not None:
            self._api.delete(f"/users/{user['id']}")
        if project == SERVICE_PROJECT:
            return
        for found in self._list("/projects", "projects", name=project, domain_id=DOMAIN):
            self._api.delete(f"/projects/{found['id']}")
            self._projects.pop(project, None)

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

    def _project(self, place: Place) -> str:
        if place.project not in self._projects:
            found = self._list("/projects", "projects", name=place.project, domain_id=DOMAIN)
            self._projects[place.project] = found[0]["id"] if found else self._new_project(place)
        return self._projects[place.project]

    def _new_project(self, place: Place) -> str:
        body = {"name": place.project, "domain_id": DOMAIN, "description": place.description}
        return self._api.post("/projects", json={"project": body}).json()["project"]["id"]

    def _granted(self, project: str) -> set[tuple[str, str]]:
        if project not in self._grants:
            filters = {"scope.project.id": project}
            found = self._list("/role_assignments", "role_assignments", **filters)
            pairs = {(a["user"]["id"], a["role"]["id"]) for a in found if "user" in a}
            self._grants[project] = pairs
        return self._grants[project]

    @cached_property
    def _services(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(s["type"], s["name"]): s for s in self._list("/services", "services")}

    @cached_property
    def _endpoints(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        return {
            (e["service_id"], e["interface"], e["region_id"]): e
            for e in self._list("/endpoints", "endpoints")
        }
