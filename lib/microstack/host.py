"""Facts about this host, and what they mean for a cloud on it.

`observe` reads the facts; the checks are pure functions of them, so that `up` (which refuses) and
`doctor` (which explains) judge alike.
"""

from __future__ import annotations

import ipaddress
import os
import platform
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GIB = 1024**3

MEMORY_NEEDED = 5 * GIB
"""All services without guests take 3.5 GiB (PSS); a guest and the page cache need the rest."""

DISK_NEEDED = 4 * GIB
"""Packages and environments 1.3 GiB, databases and images 1 GiB, room for guests."""

DISTRIBUTIONS: Mapping[str, float] = {"debian": 12, "ubuntu": 24.04}
"""What the project is tested on; newer releases are taken to work."""

KERNEL_FEATURES: Mapping[str, str] = {
    "openvswitch": "Open vSwitch switches packets in userspace, which is slower",
    "kvm": "guests are emulated, which is slower",
    "apparmor": "no profile confines guests, which their account alone holds back",
}
"""What a cloud runs better with, and what happens without."""

APPARMOR = Path("/sys/module/apparmor/parameters/enabled")

SUBNETS_TRIED = 1024
"""Enough to get past a taken 10.20.0.0/16 by steps of a /24."""

Level = Literal["ok", "note", "fail"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        level: `ok`, `note` (it works, but the user should know) or `fail`.
        subject: what was checked, e.g. `memory`.
        text: what was found, in one line.
        hint: what to do about it.
    """

    level: Level
    subject: str
    text: str
    hint: str | None = None


@dataclass(frozen=True)
class Listener:
    """A process that listens on a TCP port.

    Attributes:
        ours: whether it belongs to this installation.
    """

    port: int
    address: str
    pid: int | None
    process: str
    ours: bool


@dataclass(frozen=True)
class Subnet:
    """A network that the host has an address in."""

    network: ipaddress.IPv4Network
    device: str


@dataclass(frozen=True)
class Facts:
    """What this host is.

    Attributes:
        memory: bytes of RAM; `memory_available` of them could be used now.
        disk_free: free bytes of the file systems that the cloud writes to, by folder.
        closed: folders above those that only their owners may pass.
        distribution: `ID` and `VERSION_ID` of os-release(5).
        features: kernel features that were found.
    """

    root: bool
    cores: int
    memory: int
    memory_available: int
    disk_free: Mapping[Path, int]
    closed: tuple[Path, ...]
    distribution: tuple[str, str]
    python: tuple[int, int]
    listeners: tuple[Listener, ...]
    subnets: tuple[Subnet, ...]
    features: frozenset[str]


def observe(folders: Iterable[Path], own: Collection[int], lacking: Collection[str] = ()) -> Facts:
    """Read the facts.

    Args:
        folders: where the cloud writes; they need not exist yet.
        own: ids of the installation's own processes.
        lacking: kernel features that are there but are known not to work.
    """
    import psutil

    memory = psutil.virtual_memory()
    folders = [*folders]
    return Facts(
        root=os.geteuid() == 0,
        cores=len(os.sched_getaffinity(0)),
        memory=memory.total,
        memory_available=memory.available,
        disk_free={folder: psutil.disk_usage(str(_existing(folder))).free for folder in folders},
        closed=tuple(dict.fromkeys(path for folder in folders for path in _closed(folder))),
        distribution=_distribution(),
        python=(int(platform.python_version_tuple()[0]), int(platform.python_version_tuple()[1])),
        listeners=tuple(_listeners(own)),
        subnets=tuple(_subnets()),
        features=frozenset(_features()).difference(lacking),
    )


def check_root(facts: Facts) -> Finding:
    """Services get their own accounts, bridges and namespaces: that takes root."""
    if facts.root:
        return Finding("ok", "root", "running as root")
    return Finding("fail", "root", "this must be run as root", "try again with sudo")


def check_distribution(facts: Facts) -> Finding:
    """Packages come from apt, by the names of Debian and Ubuntu."""
    name, version = facts.distribution
    oldest = DISTRIBUTIONS.get(name)
    shown = f"{name} {version}".strip()
    if oldest is not None and _number(version) >= oldest:
        return Finding("ok", "distribution", shown)
    tested = " or ".join(f"{name.title()} {oldest:g}" for name, oldest in DISTRIBUTIONS.items())
    if oldest is not None and version:
        return Finding("fail", "distribution", f"{shown} is too old", f"use {tested}")
    return Finding("note", "distribution", f"{shown or 'unknown'} is untested", f"use {tested}")


def check_memory(facts: Facts, running: bool) -> Finding:
    """Enough memory, free unless the cloud already runs in it."""
    usable = facts.memory if running else facts.memory_available
    text = f"{facts.memory / GIB:.1f} GiB, {facts.memory_available / GIB:.1f} GiB available"
    if usable >= MEMORY_NEEDED:
        return Finding("ok", "memory", text)
    need = f"{MEMORY_NEEDED / GIB:g} GiB available memory is needed, there is {usable / GIB:.1f}"
    return Finding("fail", "memory", need, "stop other programs, or use a larger machine")


def check_disk(facts: Facts, running: bool) -> Iterator[Finding]:
    """Enough room for what is installed and written; a running cloud needs a quarter of it."""
    needed = DISK_NEEDED // 4 if running else DISK_NEEDED
    for folder, free in facts.disk_free.items():
        if free >= needed:
            yield Finding("ok", "disk", f"{free / GIB:.1f} GiB free in {folder}")
            continue
        text = f"{needed / GIB:g} GiB free disk is needed in {folder}, there is {free / GIB:.1f}"
        yield Finding("fail", "disk", text, "free some space there, or mount a larger file system")


def check_reach(facts: Facts) -> Iterator[Finding]:
    """Service accounts, such as mysql, can pass all folders above those they write to."""
    for folder in facts.closed:
        yield Finding(
            "fail",
            "disk",
            f"{folder} lets only its owner in, so that services cannot reach their files",
            f"chmod o+x {folder}, or choose another root with MICROSTACK_ROOT",
        )


def check_ports(facts: Facts, ports: Mapping[int, str]) -> Iterator[Finding]:
    """No port that the cloud will listen on is taken by another program.

    `ports` names for each TCP port the option that sets it, e.g. `keystone.port`.
    """
    taken = {item.port: item for item in facts.listeners if not item.ours and item.port in ports}
    for port, listener in sorted(taken.items()):
        who = listener.process + (f" (pid {listener.pid})" if listener.pid else "")
        yield Finding(
            "fail",
            "ports",
            f"port {port}, of option {ports[port]}, is taken by {who}",
            "stop what has it, or set the option to another port in an overlay: up --overlay FILE",
        )
    if not taken:
        yield Finding("ok", "ports", f"{len(ports)} ports are free or the cloud's own")


def check_subnet(facts: Facts, address: str, bridge: str) -> Finding:
    """The provider network's subnet is not one the host is already in.

    `address` is the host's address on it, e.g. `10.20.20.1/24`; `bridge` the device that has it.
    """
    network = ipaddress.IPv4Interface(address).network
    for subnet in facts.subnets:
        if subnet.device != bridge and subnet.network.overlaps(network):
            return Finding(
                "fail",
                "subnet",
                f"subnet {network}, for guests' floating IPs, overlaps {subnet.network} on"
                f" {subnet.device}",
                "choose another with the option `external-bridge-address` of ovn-chassis in an"
                " overlay: up --overlay FILE",
            )
    return Finding("ok", "subnet", f"{network} is free or the cloud's own")


def check_features(facts: Facts) -> Iterator[Finding]:
    """What of the kernel the cloud can use."""
    if "tun" not in facts.features:
        yield Finding("fail", "kernel", "no /dev/net/tun, guests have no network", "modprobe tun")
    for feature, consequence in KERNEL_FEATURES.items():
        if feature in facts.features:
            yield Finding("ok", "kernel", f"{feature} is there")
        else:
            yield Finding("note", "kernel", f"no {feature}: {consequence}")


def free_address(facts: Facts, wanted: str, bridge: str) -> str | None:
    """Return `wanted`, or the same host address in the next subnet of its size that is free."""
    interface = ipaddress.IPv4Interface(wanted)
    offset = int(interface.ip) - int(interface.network.network_address)
    step = interface.network.num_addresses
    for number in range(SUBNETS_TRIED):
        candidate = ipaddress.IPv4Address(int(interface.network.network_address) + number * step)
        address = f"{candidate + offset}/{interface.network.prefixlen}"
        if check_subnet(facts, address, bridge).level == "ok":
            return address
    return None


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _closed(folder: Path) -> Iterator[Path]:
    for path in folder.parents:
        if path.exists() and not path.stat().st_mode & stat.S_IXOTH:
            yield path


def _distribution() -> tuple[str, str]:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "", ""
    return release.get("ID", ""), release.get("VERSION_ID", "")


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return 0


def _listeners(own: Collection[int]) -> Iterator[Listener]:
    import psutil

    for connection in psutil.net_connections(kind="tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        address, port = connection.laddr
        pid = connection.pid
        yield Listener(port, address, pid, _process_name(pid), pid in own)


def _process_name(pid: int | None) -> str:
    import psutil

    try:
        return psutil.Process(pid).name() if pid else "another program"
    except psutil.Error:
        return "another program"


def _subnets() -> Iterator[Subnet]:
    import socket

    import psutil

    for device, addresses in psutil.net_if_addrs().items():
        for item in addresses:
            if item.family == socket.AF_INET and item.netmask and device != "lo":
                interface = ipaddress.IPv4Interface(f"{item.address}/{item.netmask}")
                yield Subnet(interface.network, device)


def _features() -> Iterator[str]:
    modules = _modules()
    if "openvswitch" in modules:
        yield "openvswitch"
    if _opens(Path("/dev/kvm")):
        yield "kvm"
    if _opens(Path("/dev/net/tun")):
        yield "tun"
    if _lines(APPARMOR) == ["Y"]:
        yield "apparmor"


def _modules() -> set[str]:
    """Return the modules that are loaded, built in, or could be loaded."""
    folder = Path("/lib/modules") / platform.release()
    names = {path.name for path in Path("/sys/module").glob("*")}
    for listing in ("modules.builtin", "modules.dep"):
        names |= {
            Path(line.partition(":")[0]).name.partition(".")[0]
            for line in _lines(folder / listing)
        }
    return names


def _opens(device: Path) -> bool:
    """Tell whether there is a driver behind a device file."""
    try:
        with device.open("r+b", buffering=0):
            return True
    except OSError:
        return False


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
