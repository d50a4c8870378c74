#!/usr/bin/env python3
"""Keystone: users, tokens and the catalog."""

from __future__ import annotations

import ops

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
    sections,
)
from charmbase.identity import SERVICE_PROJECT, Identity, Place
from interfaces import keystone, keystone_admin, keystone_credentials, memcache, mysql_client
from registration import Client, new_account, register, services_of
from workload.config.keystone import KeystoneConfig


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
        register(clients, self.peers, self.vault, lambda: self._identity(config))
        self.vault.keep("account-", {f"account-{r.id}" for r in self._client_relations()})
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
            Client(asked.relation, asked.app, services_of(asked.data, region))
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
            self.vault.replace(client.name, new_account(client.username))
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


if __name__ == "__main__":
    ops.main(KeystoneCharm)
