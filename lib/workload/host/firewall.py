"""The appliance's own nftables table, and passage through a firewall that the host has.

An `accept` ends only the chain it stands in: where another chain at the forward hook drops what it
does not know, as Docker and ufw make iptables' FORWARD do, no rule in a table of our own can let
guests through. There, and only there, one rule for each direction goes into that chain.

A kernel built without nftables for IPv4 has one rule of iptables in the table's place.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Literal, cast

from workload.host.things import IptablesRule, NftablesTable

TABLE = NftablesTable(family="ip", name="microstack")


class FirewallError(Exception):
    """Nft or iptables refuse; the message has their reason."""


def has_nftables() -> bool:
    """Return whether the kernel filters IPv4 with nftables: some are built without it.

    Raises:
        FirewallError: nft is not installed, or may not ask the kernel.
    """
    if not shutil.which("nft"):
        raise FirewallError("nft is not installed")
    added = {"add": {"table": {"family": TABLE.family, "name": TABLE.name}}}
    try:
        _run(["nft", "--check", "--json", "--file", "-"], json.dumps({"nftables": [added]}))
    except FirewallError as error:
        # What a kernel without it answers depends on how much of it is missing.
        if os.strerror(errno.EPERM) in str(error):
            raise
        return False
    return True


def masquerading(subnet: IPv4Network) -> IptablesRule:
    """Return the rule that does what `masquerade` does, for a kernel without nftables."""
    rule = ("--source", str(subnet), "!", "--destination", str(subnet), "--jump", "MASQUERADE")
    command = "iptables-legacy"
    return IptablesRule(command=command, table="nat", chain="POSTROUTING", rule=rule)


def masquerade(subnet: IPv4Network) -> None:
    """Replace the appliance's table by one that lets a subnet reach what the host reaches.

    The table is exchanged in one transaction, so doing it twice leaves what doing it once does.
    """
    table = {"family": TABLE.family, "name": TABLE.name}
    chain = {"family": TABLE.family, "table": TABLE.name}
    prefix = {"prefix": {"addr": str(subnet.network_address), "len": subnet.prefixlen}}
    rule = [
        _match("saddr", "==", prefix),
        _match("daddr", "!=", prefix),
        {"masquerade": None},
    ]
    hook = {"type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"}
    _nft(
        {"add": {"table": table}},
        {"delete": {"table": table}},
        {"add": {"table": table}},
        {"add": {"chain": {**chain, "name": "postrouting", **hook}}},
        {"add": {"rule": {**chain, "chain": "postrouting", "expr": rule}}},
    )


def passages(link: str) -> list[IptablesRule]:
    """Return the rules that a link's traffic needs in the host's own firewall; often none."""
    return [
        IptablesRule(command=command, chain="FORWARD", rule=(option, link, "-j", "ACCEPT"))
        for command in _dropping()
        for option in ("-i", "-o")
    ]


def insert(rule: IptablesRule) -> None:
    """Put a rule at the head of its chain, unless it is there."""
    if not rule.exists():
        _run(rule.arguments("--insert"), "")


def strangers() -> list[str]:
    """Return other firewalls' chains that drop forwarded packets and that nobody here opens."""
    return [
        f"{chain['family']} {chain['table']} {chain['name']}"
        for chain in _chains()
        if _drops(chain) and not _is_iptables(chain)
    ]


def _dropping() -> list[Literal["iptables", "iptables-legacy"]]:
    """Return the iptables whose FORWARD chain drops what it does not know."""
    found: list[Literal["iptables", "iptables-legacy"]] = []
    if any(_drops(chain) and _is_iptables(chain) for chain in _chains()):
        found.append("iptables")
    # Asking the older kind loads its modules: only where they are in use.
    names = Path("/proc/net/ip_tables_names")
    if names.exists() and "filter" in names.read_text().split():
        policy = _run(["iptables-legacy", "--wait", "--list-rules", "FORWARD"], "")
        if "-P FORWARD DROP" in policy:
            found.append("iptables-legacy")
    return found


def _chains() -> list[dict[str, Any]]:
    if not has_nftables():
        return []
    listing = json.loads(_run(["nft", "--json", "list", "chains"], ""))
    entries = cast("list[dict[str, Any]]", listing["nftables"])
    return [entry["chain"] for entry in entries if "chain" in entry]


def _drops(chain: dict[str, Any]) -> bool:
    passes_ipv4 = chain["family"] in ("ip", "inet")
    return passes_ipv4 and chain.get("hook") == "forward" and chain.get("policy") == "drop"


def _is_iptables(chain: dict[str, Any]) -> bool:
    return (chain["family"], chain["table"], chain["name"]) == ("ip", "filter", "FORWARD")


def _match(field: str, operator: str, right: object) -> dict[str, Any]:
    left = {"payload": {"protocol": "ip", "field": field}}
    return {"match": {"op": operator, "left": left, "right": right}}


def _nft(*commands: dict[str, Any]) -> None:
    """Apply commands as one transaction, in the language of libnftables-json(5)."""
    _run(["nft", "--json", "--file", "-"], json.dumps({"nftables": commands}))


def _run(command: list[str], given: str) -> str:
    # In the language that the kernel's refusals are known by.
    spoken = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, check=True, env=spoken
        )
    except FileNotFoundError:
        raise FirewallError(f"{command[0]} is not installed") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no message"]
        raise FirewallError(f"{command[0]}: {lines[0]}") from None
    return done.stdout
