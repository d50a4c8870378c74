"""What Keystone is told for its related applications: accounts, services, and their removal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import ops
from pydantic import BaseModel

from charmbase.identity import SERVICE, SERVICE_PROJECT, Identity, Place, Service
from charmbase.peers import Peers, Vault, new_password
from interfaces import keystone


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


def new_account(username: str) -> dict[str, str]:
    """Return the content of an account's secret, with a password of its own."""
    return {"username": username, "password": new_password()}


def services_of(data: keystone.RequirerData, region: str) -> tuple[Service, ...]:
    """Return the services that an application asks for; `region` where it names none."""
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


def register(
    clients: Sequence[Client], peers: Peers, vault: Vault, connect: Callable[[], Identity]
) -> None:
    """Tell Keystone what it does not know yet of its clients, and of those that are gone.

    Args:
        clients: all of them.
        peers: keep what Keystone was told.
        vault: keeps the accounts' passwords.
        connect: logs in; called only if there is something to tell.
    """
    for client in clients:
        vault.create(client.name, lambda c=client: new_account(c.username))
    wanted = {c.name: c.registered(vault.generation(c.name)) for c in clients}
    known = {
        name: Registered.model_validate_json(mark)
        for name, mark in peers.data.marks.items()
        if name.startswith("account-")
    }
    due = [client for client in clients if known.get(client.name) != wanted[client.name]]
    gone = [noted for name, noted in known.items() if name not in wanted]
    if not due and not gone:
        return
    identity = connect()
    _remove(identity, gone, wanted.values())
    for client in due:
        content = vault.get(client.name) or {}
        identity.ensure_account(client.username, content["password"], client.place)
        for service in client.services:
            identity.ensure_service(service)
    peers.note("account-", {name: noted.model_dump_json() for name, noted in wanted.items()})


def _remove(identity: Identity, gone: Sequence[Registered], kept: Iterable[Registered]) -> None:
    usernames = {registered.username for registered in kept}
    for registered in gone:
        if registered.username not in usernames:
            identity.remove_account(registered.username, registered.project)
        for type_, name in registered.services:
            identity.remove_service(type_, name)
