"""What of a host an appliance could leave changed, collected so that two moments can be compared.

Collected: daemons, mounts, network links and addresses, network namespaces, nftables rules,
sysctls, kernel modules, listening sockets, files (paths everywhere, contents under /etc).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from subprocess import run

VOLATILE_SYSCTLS = re.compile(
    r"nf_conntrack_count|/random/|dentry-state|inode-|file-nr|ns_last_pid|/pty/nr|"
    r"netdev_rss_key|aio-nr|perf_|sched_|/ipv[46]/(conf|neigh)/(?!all|default)"
)
SEARCHED = (
    "/boot", "/etc", "/home", "/mnt", "/opt", "/root/.config", "/root/.ssh", "/run", "/srv",
    "/usr", "/var/lib", "/var/log", "/var/spool",
)  # fmt: skip
"""The folders that programs keep things in (hier(7)); whoever runs the tests may use others."""

UNSEARCHED = ("/run/user", "/var/lib/apt", "/var/lib/dpkg", "/var/log/journal")

DAEMONS = re.compile(
    r"mariadb|beam\.smp|epmd|memcached|ovs|ovn|neutron|nova|cinder|uwsgi|libvirt|virtlog|qemu|"
    r"haproxy|supervis|privsep|microstack|machine agent|fork_server"
)
"""What the appliance runs, wherever it is; other programs of the host come and go meanwhile."""


@dataclass(frozen=True)
class HostState:
    """One moment of a host; every field is a set, so that a difference is a set too."""

    processes: frozenset[str]
    mounts: frozenset[str]
    links: frozenset[str]
    namespaces: frozenset[str]
    nftables: frozenset[str]
    sysctls: frozenset[str]
    modules: frozenset[str]
    listening: frozenset[str]
    files: frozenset[str]

    @classmethod
    def collect(cls, *, without: tuple[Path, ...] = ()) -> HostState:
        """Look at the host; `without` names folders whose files do not count."""
        return cls(
            processes=frozenset(_processes()),
            mounts=frozenset(line.split()[1] for line in _lines("/proc/self/mounts")),
            links=frozenset(_output("ip", "-brief", "address")),
            namespaces=frozenset(_output("ip", "netns", "list")),
            nftables=frozenset(_output("nft", "list", "ruleset")),
            sysctls=frozenset(_sysctls()),
            modules=frozenset(path.parent.name for path in Path("/sys/module").glob("*/refcnt")),
            listening=frozenset(listening()),
            files=frozenset(_files({*UNSEARCHED, *map(str, without)})),
        )

    def difference(self, later: HostState) -> dict[str, list[str]]:
        """Return what is there later and was not before (`+`), and the reverse (`-`)."""
        changed: dict[str, list[str]] = {}
        for part in fields(self):
            before, after = getattr(self, part.name), getattr(later, part.name)
            lines = [f"+ {x}" for x in sorted(after - before)]
            if part.name != "processes":  # one that has ended by itself is no trace
                lines += [f"- {x}" for x in sorted(before - after)]
            if lines:
                changed[part.name] = lines
        return changed


def listening() -> Iterator[str]:
    """Return the local address of every listening TCP and bound UDP socket (ss(8))."""
    for line in _output("ss", "-Hlntu"):
        yield line.split()[4]


def _processes() -> Iterator[str]:
    """Command lines of daemons, without what tests run and without what is just ending."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        except OSError:
            continue
        line = b" ".join(words).decode(errors="replace")[:200]
        if DAEMONS.search(line) and "pytest" not in line and not line.startswith(sys.prefix):
            yield line


def _sysctls() -> Iterator[str]:
    for path in Path("/proc/sys").rglob("*"):
        if VOLATILE_SYSCTLS.search(str(path)) or not path.is_file():
            continue
        try:
            yield f"{path}={path.read_text().strip()}"
        except (OSError, UnicodeDecodeError):
            continue


def _files(without: set[str]) -> Iterator[str]:
    for folder, names, files in itertools.chain.from_iterable(map(os.walk, SEARCHED)):
        names[:] = [
            name
            for name in names
            if (path := os.path.join(folder, name)) not in without
            and name != "__pycache__"
            and not os.path.ismount(path)
        ]
        for name in files:
            path = os.path.join(folder, name)
            yield f"{path} {_digest(path)}" if path.startswith("/etc/") else path
        yield from (os.path.join(folder, name) + "/" for name in names)


def _digest(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    except OSError:
        return "unreadable"


def _output(*command: str) -> list[str]:
    return run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
