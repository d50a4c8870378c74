"""Removes what tests made and a run that was cut off has left.

Tempest's own command `cleanup` knows nothing but names, which ports and addresses have not, and of
servers those in the administrator's project only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from workload.validation.inventory import COLLECTIONS, Collection, Thing, listed

if TYPE_CHECKING:
    from openstack.connection import Connection

PATIENCE = 300.0
"""Seconds that all may take to be gone: the ends of guests and volumes take some."""

POLL = 1.0
"""Seconds between two looks."""

OWN_KEY_PAIRS = "2.10"
"""Nova's microversion from which an administrator sees others' key pairs."""


def remove(
    connection: Connection, things: Sequence[Thing], patience: float = PATIENCE
) -> dict[Thing, str]:
    """Remove resources, each kind once those that use it are gone.

    Args:
        connection: as the cloud's administrator.
        things: what shall go.
        patience: seconds to ask again; what is in use may be free then.

    Returns:
        What stays, and what its API answered to the last request.
    """
    staying: dict[Thing, str] = {}
    until = time.monotonic() + patience
    for collection in COLLECTIONS:
        due = [thing for thing in things if thing.kind == collection.kind]
        if due:
            seconds = max(until - time.monotonic(), POLL)
            staying |= _remove(connection, collection, due, seconds)
    return staying


def _remove(
    connection: Connection, collection: Collection, things: Sequence[Thing], seconds: float
) -> dict[Thing, str]:
    from openstack.exceptions import ResourceTimeout
    from openstack.utils import iterate_timeout

    answers: dict[Thing, str] = {}
    with suppress(ResourceTimeout):
        for _ in iterate_timeout(seconds, f"the end of {collection.kind}", POLL):
            there = _there(connection, collection, things)
            if not there:
                return {}
            answers |= {thing: _ask(connection, collection, thing) for thing in there}
    return {thing: answers[thing] for thing in _there(connection, collection, things)}


def _there(
    connection: Connection, collection: Collection, things: Sequence[Thing]
) -> Sequence[Thing]:
    """Return those of the resources that are there still."""
    known = {str(found["id"]) for found in listed(connection, collection)}
    return [thing for thing in things if thing.id in known]


def _ask(connection: Connection, collection: Collection, thing: Thing) -> str:
    """Ask for a resource's end; return the answer in one line."""
    if release := _RELEASE.get(thing.kind):
        release(connection, thing.id)
    answer = getattr(connection, collection.api).delete(f"{collection.path}/{thing.id}")
    return f"{answer.status_code} {answer.text}".strip()


def _release_router(connection: Connection, router: str) -> None:
    """Take a router's routes and interfaces away; routes go over interfaces."""
    api: Any = connection.network
    api.put(f"/routers/{router}", json={"router": {"routes": []}})
    for port in api.get(f"/ports?device_id={router}").json()["ports"]:
        interface = {"port_id": port["id"]}
        api.put(f"/routers/{router}/remove_router_interface", json=interface)


def _release_aggregate(connection: Connection, aggregate: str) -> None:
    """Take an aggregate's hosts out of it."""
    api: Any = connection.compute
    path = f"/os-aggregates/{aggregate}"
    for host in api.get(path).json()["aggregate"]["hosts"]:
        api.post(f"{path}/action", json={"remove_host": {"host": host}})


def _release_user(connection: Connection, user: str) -> None:
    """Remove a user's key pairs: without the user nobody finds them."""
    api: Any = connection.compute
    found = api.get(f"/os-keypairs?user_id={user}", microversion=OWN_KEY_PAIRS).json()
    for pair in found["keypairs"]:
        path = f"/os-keypairs/{pair['keypair']['name']}?user_id={user}"
        api.delete(path, microversion=OWN_KEY_PAIRS)


def _release_domain(connection: Connection, domain: str) -> None:
    """Disable a domain: Keystone removes no other."""
    api: Any = connection.identity
    api.patch(f"/domains/{domain}", json={"domain": {"enabled": False}})


_RELEASE: Mapping[str, Callable[[Connection, str], None]] = {
    "routers": _release_router,
    "aggregates": _release_aggregate,
    "users": _release_user,
    "domains": _release_domain,
}
"""What must be done before a resource of a kind can be removed."""
