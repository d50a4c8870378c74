"""Make the host part of the provider network: its address on the bridge, and the way out.

The oneshot service `external-bridge`; `stop` as its only argument undoes what it did.
"""

from __future__ import annotations

import json
import os
import sys
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from workload.host import firewall, network
from workload.host.things import Address
from workload.ledger import Ledger, LedgerError

OWNER = "external-bridge"

LINK_TIMEOUT = 60.0
"""Seconds until Open vSwitch must have made the bridge."""


class BridgeError(Exception):
    """The bridge cannot be set up; the message says why and what to do."""


class Settings(BaseModel):
    """What `ovn-chassis/external-bridge.json` holds.

    Attributes:
        name: the bridge.
        address: the host's address on it, with the prefix of the provider network.
        masquerade: whether guests reach what the host reaches, by its address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    address: IPv4Interface
    masquerade: bool = True


def set_up(settings: Settings, ledger: Ledger) -> None:
    """Give the host its address on the bridge, and guests a way out; again does no harm.

    Raises:
        BridgeError: no bridge in time, or its subnet is somewhere else already.
        network.NetworkError, firewall.FirewallError: the kernel refuses.
    """
    _check_free(settings)
    _await_link(settings.name)
    address = Address(link=settings.name, address=settings.address)
    made = [line.made for line in ledger.entries(OWNER)]
    if any(isinstance(thing, Address) and thing != address for thing in made):
        # Of an earlier configuration.
        ledger.undo(OWNER)
    ledger.make(OWNER, address, lambda: _add(address))
    network.set_up(settings.name)
    if settings.masquerade:
        _open_way_out(settings, ledger)


def tear_down(ledger: Ledger) -> None:
    """Undo what `set_up` did.

    Raises:
        LedgerError: something resists.
    """
    ledger.undo(OWNER)


def _add(address: Address) -> None:
    if not address.exists():
        network.add_address(address.link, address.address)


def _open_way_out(settings: Settings, ledger: Ledger) -> None:
    subnet = settings.address.network
    ledger.set_sysctl(OWNER, "net.ipv4.ip_forward", "1")
    if firewall.has_nftables():
        _make_table(subnet, ledger)
    else:
        rule = firewall.masquerading(subnet)
        ledger.make(OWNER, rule, lambda: firewall.insert(rule))
    for rule in firewall.passages(settings.name):
        ledger.make(OWNER, rule, lambda rule=rule: firewall.insert(rule))
    for chain in firewall.strangers():
        _say(f"warning: the firewall chain '{chain}' drops what guests send through this host")


def _make_table(subnet: IPv4Network, ledger: Ledger) -> None:
    if not ledger.make(OWNER, firewall.TABLE, lambda: firewall.masquerade(subnet)):
        raise BridgeError(
            f"{firewall.TABLE} is there and is not this appliance's; "
            f"remove it: nft delete table {firewall.TABLE.family} {firewall.TABLE.name}"
        )


def _check_free(settings: Settings) -> None:
    subnet = settings.address.network
    for taken, link in (*network.routes(), *_networks()):
        if link != settings.name and taken.overlaps(subnet):
            raise BridgeError(
                f"{subnet} is in use on this host: {taken} is reached by {link}. Choose another "
                "address for the bridge: ovn-chassis option external-bridge-address"
            )


def _networks() -> list[tuple[IPv4Network, str]]:
    return [(address.network, link) for link, address in network.addresses()]


def _await_link(name: str) -> None:
    retrying = Retrying(
        retry=retry_if_not_result(bool),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(LINK_TIMEOUT),
    )
    try:
        retrying(network.link_exists, name)
    except RetryError:
        raise BridgeError(
            f"Open vSwitch did not make {name} within {LINK_TIMEOUT:.0f} s; see the logs of "
            "ovs-vswitchd and ovs-setup"
        ) from None


def main(arguments: list[str]) -> int:
    """Run as a program; returns its exit code."""
    common = Path(os.environ["SNAP_COMMON"])
    ledger = Ledger(common / "ledger.jsonl")
    try:
        if arguments == ["stop"]:
            tear_down(ledger)
        else:
            path = common / "etc/ovn-chassis/external-bridge.json"
            set_up(Settings.model_validate(json.loads(path.read_text())), ledger)
    except (
        BridgeError,
        LedgerError,
        OSError,
        ValueError,
        firewall.FirewallError,
        network.NetworkError,
    ) as error:
        _say(f"error: {error}")
        return 1
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201, the service's log


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
