"""What Open vSwitch and OVN's agent make on the host, and leave there when they end."""

from __future__ import annotations

import re
from collections.abc import Iterable

from workload.host import network
from workload.host.things import AnyThing, Datapath, Link, Links, NamespaceFolder, Namespaces
from workload.layout import under_snapd
from workload.ledger import Ledger

OWNER = "open-vswitch"

GUEST_PORTS = r"tap[0-9a-f]{8}-[0-9a-f]{2}"
"""How Nova names the device of a guest's port: by the beginning of the port's UUID."""


def remember(ledger: Ledger, datapath: str, bridges: Iterable[str]) -> None:
    """Enter into the ledger what the services are about to make; again does no harm.

    Args:
        ledger: the host's.
        datapath: `netdev`, whose bridges are persistent tap devices, or `system`, the kernel's.
        bridges: names of the bridges.
    """
    things: list[AnyThing] = [Link(name=bridge) for bridge in bridges]
    if datapath == "netdev":
        things.append(Link(name="ovs-netdev"))
    else:
        # Deleting the datapath deletes the bridges with it; the tunnel is a link of its own.
        things += [Link(name="genev_sys_6081"), Datapath(name="ovs-system")]
    # A guest that is shut down keeps its devices, to find its ports again when it is started.
    present = tuple(name for name in network.links() if re.fullmatch(GUEST_PORTS, name))
    things.append(Links(pattern=GUEST_PORTS, spared=present))
    # A snap has its own, which goes with it.
    folder = NamespaceFolder()
    if not folder.mounted and not under_snapd():
        things.append(folder)
    # One for each network that a guest on this host asks for metadata from.
    prefix = "ovnmeta-"
    present = tuple(name for name in network.namespaces() if name.startswith(prefix))
    things.append(Namespaces(prefix=prefix, spared=present))
    for thing in things:
        ledger.make(OWNER, thing, lambda: None)
