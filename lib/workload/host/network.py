"""Links, addresses, routes and namespaces of the host, by netlink."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from ipaddress import IPv4Interface, IPv4Network, ip_network
from typing import Any, cast


class NetworkError(Exception):
    """The kernel refuses; the message says what was asked of it."""


def links() -> list[str]:
    """Return the names of the host's links."""
    with _netlink() as netlink:
        return list(_names(netlink).values())


def link_exists(name: str) -> bool:
    """Return whether the host has a link of this name."""
    with _netlink() as netlink:
        return bool(netlink.link_lookup(ifname=name))


def delete_link(name: str) -> None:
    """Delete a link; one that is gone is no error: an end of a pair goes with the other.

    Raises:
        NetworkError: the kernel refuses.
    """
    try:
        with _netlink() as netlink:
            netlink.link("del", index=_index(netlink, name))
    except NetworkError:
        if link_exists(name):
            raise


def set_up(name: str) -> None:
    """Bring a link up."""
    with _netlink() as netlink:
        netlink.link("set", index=_index(netlink, name), state="up")


def has_address(link: str, address: IPv4Interface) -> bool:
    """Return whether a link that exists has this address."""
    return address in (found for name, found in addresses() if name == link)


def addresses() -> list[tuple[str, IPv4Interface]]:
    """Return every link's IPv4 addresses, by the link's name."""
    with _netlink() as netlink:
        names = _names(netlink)
        return [
            (
                names.get(message["index"], ""),
                IPv4Interface(f"{message.get('address')}/{message['prefixlen']}"),
            )
            for message in netlink.get_addr(family=_AF_INET)
        ]


def add_address(link: str, address: IPv4Interface) -> None:
    """Give a link an address."""
    with _netlink() as netlink:
        index = _index(netlink, link)
        netlink.addr("add", index=index, address=str(address.ip), prefixlen=_prefix(address))


def delete_address(link: str, address: IPv4Interface) -> None:
    """Take an address from a link."""
    with _netlink() as netlink:
        index = _index(netlink, link)
        netlink.addr("del", index=index, address=str(address.ip), prefixlen=_prefix(address))


def routes() -> list[tuple[IPv4Network, str]]:
    """Return the destination and the link of every IPv4 route but default ones."""
    with _netlink() as netlink:
        names = _names(netlink)
        return [
            (
                cast("IPv4Network", ip_network(f"{destination}/{message['dst_len']}")),
                names.get(message.get("oif"), "no link"),
            )
            for message in netlink.get_routes(family=_AF_INET)
            if message["dst_len"] and (destination := message.get("dst"))
        ]


def namespaces() -> list[str]:
    """Return the names of the host's network namespaces."""
    from pyroute2 import netns  # pyright: ignore[reportMissingTypeStubs]

    return list(cast("list[str]", netns.listnetns()))  # pyright: ignore[reportUnknownMemberType]


def delete_namespace(name: str) -> None:
    """Remove a network namespace."""
    from pyroute2 import netns  # pyright: ignore[reportMissingTypeStubs]

    netns.remove(name)  # pyright: ignore[reportUnknownMemberType]


_AF_INET = 2


@contextmanager
def _netlink() -> Generator[Any]:
    # Its import takes a third of a second, and most readers of the ledger never need it.
    from pyroute2 import IPRoute  # pyright: ignore[reportMissingTypeStubs]
    from pyroute2.netlink.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
        NetlinkError,
    )

    try:
        with IPRoute() as netlink:
            yield netlink
    except NetlinkError as error:
        raise NetworkError(f"the kernel refuses: {error.args[1]}") from None


def _index(netlink: Any, name: str) -> int:
    indexes = netlink.link_lookup(ifname=name)
    if not indexes:
        raise NetworkError(f"there is no link {name}")
    return indexes[0]


def _names(netlink: Any) -> dict[int, str]:
    return {message["index"]: message.get("ifname") for message in netlink.get_links()}


def _prefix(address: IPv4Interface) -> int:
    return address.network.prefixlen
