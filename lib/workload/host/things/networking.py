"""Links, addresses, datapaths, rules and namespaces of the host's network."""

from __future__ import annotations

import re
import subprocess
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Literal

from workload.host import network
from workload.host.mounts import mount_points
from workload.host.things.thing import Thing, run


class Link(Thing):
    """A network link: a bridge, a veth pair, a dummy."""

    kind: Literal["link"] = "link"
    name: str

    def __str__(self) -> str:
        return f"network link {self.name}"

    def exists(self) -> bool:
        """Whether it is there."""
        return network.link_exists(self.name)

    def undo(self) -> None:
        """Delete it."""
        network.delete_link(self.name)


class Links(Thing):
    """Network links that a service makes and names by itself.

    Attributes:
        pattern: regular expression that their whole names match.
        spared: those that were there before.
    """

    kind: Literal["links"] = "links"
    pattern: str
    spared: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"network links {self.pattern}"

    @property
    def key(self) -> str:
        """The pattern: what was there before is what was there at first."""
        return self.pattern

    def exists(self) -> bool:
        """Whether any is there."""
        return bool(self._present())

    def undo(self) -> None:
        """Delete them."""
        for name in self._present():
            network.delete_link(name)

    def _present(self) -> list[str]:
        return [
            name
            for name in network.links()
            if re.fullmatch(self.pattern, name) and name not in self.spared
        ]


class Datapath(Thing):
    """A datapath of the kernel's Open vSwitch, with its ports."""

    kind: Literal["datapath"] = "datapath"
    name: str

    def __str__(self) -> str:
        return f"Open vSwitch datapath {self.name}"

    def exists(self) -> bool:
        """Whether it is there: its local port is a link of the same name."""
        return network.link_exists(self.name)

    def undo(self) -> None:
        """Delete it."""
        run(["ovs-dpctl", "del-dp", self.name])


class Address(Thing):
    """An IPv4 address of a link, with its prefix."""

    kind: Literal["address"] = "address"
    link: str
    address: IPv4Interface

    def __str__(self) -> str:
        return f"address {self.address} of {self.link}"

    def exists(self) -> bool:
        """Whether the link is there and has it."""
        return network.has_address(self.link, self.address)

    def undo(self) -> None:
        """Take it from the link."""
        network.delete_address(self.link, self.address)


class NftablesTable(Thing):
    """A table of nftables with all that is in it."""

    kind: Literal["nftables-table"] = "nftables-table"
    family: Literal["ip", "ip6", "inet", "bridge"] = "ip"
    name: str

    def __str__(self) -> str:
        return f"nftables table {self.family} {self.name}"

    def exists(self) -> bool:
        """Whether it is there."""
        command = ["nft", "list", "table", self.family, self.name]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def undo(self) -> None:
        """Delete it."""
        run(["nft", "delete", "table", self.family, self.name])


class IptablesRule(Thing):
    """A rule in a chain of iptables.

    Attributes:
        command: `iptables`, or `iptables-legacy` where the chain is of the older kind.
        table: the chain's.
        rule: its words behind the chain's name.
    """

    kind: Literal["iptables-rule"] = "iptables-rule"
    command: Literal["iptables", "iptables-legacy"]
    table: Literal["filter", "nat"] = "filter"
    chain: str
    rule: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.command} rule {self.chain} {' '.join(self.rule)}"

    def arguments(self, act: str) -> list[str]:
        """Return the command that does an act, e.g. `--check`, with it."""
        chosen = [self.command, "--wait", "--table", self.table]
        return [*chosen, act, self.chain, *self.rule]

    def exists(self) -> bool:
        """Whether it is in the chain."""
        command = self.arguments("--check")
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def undo(self) -> None:
        """Delete it."""
        run(self.arguments("--delete"))


class Namespaces(Thing):
    """Network namespaces that a service makes and names by itself.

    Attributes:
        prefix: what their names begin with.
        spared: those that were there before.
    """

    kind: Literal["namespaces"] = "namespaces"
    prefix: str
    spared: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"network namespaces {self.prefix}*"

    @property
    def key(self) -> str:
        """The prefix: what was there before is what was there at first."""
        return self.prefix

    def exists(self) -> bool:
        """Whether any is there."""
        return bool(self._present())

    def undo(self) -> None:
        """Remove them."""
        for name in self._present():
            network.delete_namespace(name)

    def _present(self) -> list[str]:
        return [
            name
            for name in network.namespaces()
            if name.startswith(self.prefix) and name not in self.spared
        ]


class NamespaceFolder(Thing):
    """The folder of named network namespaces: the first that is made mounts it (ip-netns(8))."""

    kind: Literal["namespace-folder"] = "namespace-folder"
    path: Path = Path("/run/netns")

    def __str__(self) -> str:
        return f"folder of network namespaces {self.path}"

    @property
    def mounted(self) -> bool:
        """Whether any was made since the host was started."""
        return self.path in mount_points()

    def exists(self) -> bool:
        """Whether it is there and nobody has a namespace in it; it is theirs once they have."""
        return self.mounted and not any(self.path.iterdir())

    def undo(self) -> None:
        """Unmount and delete it."""
        run(["umount", str(self.path)])
        self.path.rmdir()
