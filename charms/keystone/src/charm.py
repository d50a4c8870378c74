#!/usr/bin/env python3
"""Keystone: users, tokens and the catalog."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ops
from pydantic import BaseModel

import fernet
from charmbase import (
    Binding,
    ComponentCharm,
    Computed,
    Generated,
    Http,
    Job,
    Option,
    Provides,
    Requires,
    new_password,
    sections,
)
from charmbase.identity import SERVICE, SERVICE_PROJECT, Identity, Place, Service
from interfaces import keystone, keystone_admin, keystone_credentials, memcache, mysql_client
from workload.config.keystone import KeystoneConfig


class Registered(BaseModel):
    """What Keystone was told for one relation; noted so that it's told once."""

    username: str
    services: tuple[tuple[str, str], ...] = ()
    project: str = SERVICE_PROJECT
    digest: str = ""


@dataclass(frozen=True)
class Client:
    """A related application with the account and the services it shall have."""

    relation: ops.Relation
    username: str
    services: tuple[Service, ...] = ()
    place: Place = SERVICE

    @property
    def name(self) -> str:
        """Name of its secret and of the note of its registration."""
        return f"account-{self.relation.id}"

    def registered(self, generation: int) -> Registered:
        """Return what is noted once Keystone knows this account and these services."""
        # The place of most isn't part of it, so that a new revision finds them registered.
        own = () if self.place is SERVICE else (self.place,)
        known = repr((self.username, self.services, generation, *own))
        return Registered(
            username=self.username,
            services=tuple((service.type, service.name) for service in self.services),
            project=self.place.project,
            digest=hashlib.sha256(known.encode()).hexdigest(),
        )


class KeystoneCharm(ComponentCharm[KeystoneConfig]):
    """Operate Keystone."""

    component = "keystone"

    database = Requires(
        "database",
        mysql_client.Requirer,
        request=mysql_client.RequirerData(database="keystone"),
    )
    cache = Requires("cache", memcache.Requirer)
    identity_service = Provides("identity-service", keystone.Provider)
    identity_credentials = Provides("identity-credentials", keystone_credentials.Provider)
    identity_admin = Provides("identity-admin", keystone_admin.Provider)

    bootstrap = Job(
        "keystone-bootstrap", needs=("database", "bootstrap", "fernet-keys", "credential-keys")
    )
    probe = Http(path="/v3")
    mapping = {
        "debug": Option("debug"),
        "bind-address": Binding("identity-service"),
        "port": Option("port"),
        "database": sections.database(database),
        "cache": sections.cache(cache),
        "bootstrap": {
            "admin-password": Generated("admin-password"),
            "public-url": Computed(lambda charm: charm.auth_url, "address and port"),
            "region": Option("region"),
        },
        "fernet-keys": Computed(
            lambda charm: charm.keys("fernet-keys"), "generated key repository for tokens"
        ),
        "credential-keys": Computed(
            lambda charm: charm.keys("credential-keys"), "generated key repository for credentials"
        ),
        "schema-release": bootstrap.done,
    }

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        actions = {
            "get-admin-account": self._on_get_admin_account,
            "rotate-admin-password": self._on_rotate_admin_password,
            "rotate-fernet-keys": self._on_rotate_fernet_keys,
            "rotate-passwords": self._on_rotate_passwords,
        }
        for name, handler in actions.items():
            framework.observe(self.on[name].action, handler)

    @property
    def auth_url(self) -> str | None:
        """URL of the identity API."""
        address = self.address("identity-service")
        return f"http://{address}:{self.config['port']}/v3" if address else None

    def keys(self, name: str) -> dict[str, str] | None:
        """Return a key repository, file name -> key; the leader makes it first."""
        content = self.vault.ensure(name, fernet.new_repository)
        return None if content is None else fernet.files(content)

    def publish(self, config: KeystoneConfig) -> None:
        """Register every related application, and send each its account."""
        if not self.peers.writable:
            return
        clients = self._clients(config)
        self._register(clients, config)
        secrets = {c.relation.id: self.vault.share(c.name, c.relation) for c in clients}
        for client in clients:
            if client.relation.name == "identity-service":
                data = self._service_data(config, secrets[client.relation.id])
                self.identity_service.publish(data, client.relation)
        for relation in self.identity_credentials.relations:
            # Who asks for no account is told where Keystone is all the same.
            account = _account(config, SERVICE_PROJECT, secrets.get(relation.id))
            data = keystone_credentials.ProviderData(**account, admin_role="admin")
            self.identity_credentials.publish(data, relation)
        for client in clients:
            if client.relation.name == "identity-admin":
                account = _account(config, client.place.project, secrets[client.relation.id])
                admin = keystone_admin.ProviderData(**account)
                self.identity_admin.publish(admin, client.relation)

    def _clients(self, config: KeystoneConfig) -> list[Client]:
        region = config.bootstrap.region
        services = [
            Client(asked.relation, asked.app, _services(asked.data, region))
            for asked in self.identity_service.requests()
            if asked.data.service_endpoints is not None
        ]
        accounts = [
            Client(asked.relation, asked.data.username)
            for asked in self.identity_credentials.requests()
            if asked.data.username
        ]
        administrators = [
            Client(asked.relation, name, place=Place(name, ("admin",), f"Of {asked.app}"))
            for asked in self.identity_admin.requests()
            # What begins with an application's name may be what it cleans up.
            for name in [f"admin-{asked.app}"]
        ]
        return services + accounts + administrators

    def _register(self, clients: Sequence[Client], config: KeystoneConfig) -> None:
        for client in clients:
            self.vault.create(client.name, lambda c=client: _new_account(c.username))
        marks = self.peers.data.marks
        wanted = {c.name: c.registered(self.vault.generation(c.name)) for c in clients}
        known = {
            name: Registered.model_validate_json(mark)
            for name, mark in marks.items()
            if name.startswith("account-")
        }
        due = [client for client in clients if known.get(client.name) != wanted[client.name]]
        gone = [noted for name, noted in known.items() if name not in wanted]
        if due or gone:
            identity = self._identity(config)
            _remove(identity, gone, wanted.values())
            for client in due:
                content = self.vault.get(client.name) or {}
                identity.ensure_account(client.username, content["password"], client.place)
                for service in client.services:
                    identity.ensure_service(service)
            self.peers.note(
                "account-", {k: noted.model_dump_json() for k, noted in wanted.items()}
            )
        self.vault.keep("account-", {f"account-{r.id}" for r in self._client_relations()})

    def _client_relations(self) -> list[ops.Relation]:
        endpoints = (self.identity_service, self.identity_credentials, self.identity_admin)
        return [relation for endpoint in endpoints for relation in endpoint.relations]

    def _identity(self, config: KeystoneConfig) -> Identity:
        password = config.bootstrap.admin_password
        assert config.bootstrap.public_url and password  # noqa: S101 - both are required keys
        return Identity(config.bootstrap.public_url, password.get_secret_value())

    def _service_data(self, config: KeystoneConfig, secret: str | None) -> keystone.ProviderData:
        url = config.bootstrap.public_url
        return keystone.ProviderData(
            api_version="v3",
            region=config.bootstrap.region,
            internal_auth_url=url,
            public_auth_url=url,
            admin_auth_url=url,
            service_domain_name="Default",
            service_project_name=SERVICE_PROJECT,
            admin_role="admin",
            service_credentials=secret,
        )

    def _on_get_admin_account(self, event: ops.ActionEvent) -> None:
        bootstrap = self.built.config.bootstrap
        if not bootstrap.admin_password or not bootstrap.public_url:
            event.fail("Keystone is not set up yet: see the unit's status")
            return
        event.set_results(
            {
                "auth-url": bootstrap.public_url,
                "username": "admin",
                "password": bootstrap.admin_password.get_secret_value(),
                "project-name": "admin",
                "user-domain-name": "Default",
                "project-domain-name": "Default",
                "region": bootstrap.region,
            }
        )

    def _on_rotate_admin_password(self, event: ops.ActionEvent) -> None:
        if not self._ready(event):
            return
        self.vault.regenerate("admin-password")
        self.rebuild()
        self.run_job("keystone-bootstrap")
        event.set_results({"rotated": "admin"})

    def _on_rotate_fernet_keys(self, event: ops.ActionEvent) -> None:
        if not self._ready(event):
            return
        self.vault.replace("fernet-keys", fernet.rotate(self.vault.get("fernet-keys") or {}))
        self.reconcile()
        event.set_results({"rotated": "fernet-keys"})

    def _on_rotate_passwords(self, event: ops.ActionEvent) -> None:
        if not self._ready(event):
            return
        clients = self._clients(self.built.config)
        for client in clients:
            self.vault.replace(client.name, _new_account(client.username))
        self.reconcile()
        event.set_results({"rotated": ",".join(client.username for client in clients)})

    def _ready(self, event: ops.ActionEvent) -> bool:
        if not self.peers.writable:
            event.fail("run this on the leader")
        elif not self.built.complete:
            event.fail("Keystone is not set up yet: see the unit's status")
        else:
            return True
        return False


def _new_account(username: str) -> dict[str, str]:
    return {"username": username, "password": new_password()}


def _account(config: KeystoneConfig, project: str, secret: str | None) -> dict[str, str | None]:
    """What is told of an account, and of where Keystone is."""
    url = config.bootstrap.public_url
    return {
        "api_version": "v3",
        "region": config.bootstrap.region,
        "internal_endpoint": url,
        "public_endpoint": url,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "project_name": project,
        "credentials": secret,
    }


def _services(data: keystone.RequirerData, region: str) -> tuple[Service, ...]:
    return tuple(
        Service(
            name=endpoint.service_name,
            type=endpoint.type,
            description=endpoint.description or "",
            region=data.region or region,
            urls=(
                endpoint.public_url or endpoint.internal_url,
                endpoint.internal_url,
                endpoint.admin_url or endpoint.internal_url,
            ),
        )
        for endpoint in data.service_endpoints or ()
        if endpoint.service_name and endpoint.type and endpoint.internal_url
    )


def _remove(identity: Identity, gone: Sequence[Registered], kept: Any) -> None:
    usernames = {registered.username for registered in kept}
    for registered in gone:
        if registered.username not in usernames:
            identity.remove_account(registered.username, registered.project)
        for type_, name in registered.services:
            identity.remove_service(type_, name)


if __name__ == "__main__":
    ops.main(KeystoneCharm)
