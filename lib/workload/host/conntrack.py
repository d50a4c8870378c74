"""What the kernel's tracking of connections can do: asked, never changed."""

from __future__ import annotations

import errno
import socket
from typing import cast


def has_zones() -> bool:
    """Return whether connections are tracked in zones, one for each port of a switch.

    OVN needs it of the kernel's Open vSwitch. Asking for a connection that does not exist tells:
    a kernel built without zones refuses to look in one (net/netfilter/nf_conntrack_netlink.c,
    `ctnetlink_parse_zone`). One that gives no answer at all is taken to have them, as
    every distribution's kernel for machines has.
    """
    # Its import takes a third of a second.
    from pyroute2.netlink.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
        NetlinkError,
    )
    from pyroute2.netlink.nfnetlink.nfctsocket import (  # pyright: ignore[reportMissingTypeStubs]
        NFCTAttrTuple,
        NFCTSocket,
    )

    here = "127.0.0.1"
    none = NFCTAttrTuple(saddr=here, daddr=here, proto=socket.IPPROTO_TCP, sport=1, dport=1)
    try:
        with NFCTSocket() as tracking:
            tracking.entry("get", tuple_orig=none, zone=1)  # pyright: ignore[reportUnknownMemberType]
    except NetlinkError as error:
        return cast("int", error.code) != errno.EOPNOTSUPP
    except OSError:
        return True
    return True
