"""Inside the rig: print what a snap could leave changed, as JSON, to compare two moments."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

from tests.cloud.host_state import HostState

# What snapd keeps of a snap's past, and what it, systemd and the rig have for themselves.
OWN = tuple(
    map(
        Path,
        (
            "/run/log",
            "/run/netns",
            "/run/snapd",
            "/run/systemd",
            "/run/udev",
            "/usr/lib/rig",
            "/var/lib/private",
            "/var/lib/snapd/apparmor/snap-confine",
            "/var/lib/snapd/cache",
            "/var/lib/snapd/hostfs",
            "/var/lib/snapd/sequence",
            "/var/lib/systemd",
        ),
    )
)
OWN_MOUNTS = ("/run/host-", "/run/snapd/ns")

# Derived by the kernel from the memory it finds, which differs a little from boot to boot, or
# counted.
NO_SETTING = re.compile(
    r"/(quota/syncs|max_user_watches|max_user_marks|threads-max|tcp_mem|udp_mem|min_free_kbytes|"
    r"user_reserve_kbytes|user/max_[a-z]+_(namespaces|marks|watches))="
)

# Programs of the machine itself, which come and go as they please; the first is the kernel's own.
COMING_AND_GOING = re.compile(
    r"bpfilter_umh|udev|crub_all|tests\.rig\.snapd_state|/usr/lib/snapd/snapd|"
    r"systemd-(timedated|hostnamed)"
)


def processes() -> list[str]:
    """Return the command line of every process; threads of the kernel have none."""
    lines: set[str] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        if line := words.decode(errors="replace").strip():
            lines.add(line)
    return sorted(line for line in lines if not COMING_AND_GOING.search(line))


def modules() -> list[str]:
    """Return the kernel modules that something uses, other modules aside.

    snapd loads those that an interface names, and leaves them loaded.
    """
    return sorted(
        folder.name
        for folder in (path.parent for path in Path("/sys/module").glob("*/refcnt"))
        if int((folder / "refcnt").read_text()) > len([*folder.glob("holders/*")])
    )


def profiles() -> list[str]:
    """Return AppArmor's profiles, but those of snaps, which snapd unloads at the next boot."""
    loaded = Path("/sys/kernel/security/apparmor/profiles")
    # A machine may be booted without AppArmor.
    lines = loaded.read_text().splitlines() if loaded.exists() else []
    return sorted(line for line in lines if not line.startswith(("snap.", "snap-update-ns.")))


def main() -> None:
    """Print the state."""
    state = {name: sorted(lines) for name, lines in asdict(HostState.collect(without=OWN)).items()}
    state["processes"] = processes()
    state["modules"] = modules()
    state["mounts"] = [path for path in state["mounts"] if not path.startswith(OWN_MOUNTS)]
    state["files"] = [path for path in state["files"] if not path.startswith("/etc/mtab ")]
    state["profiles"] = profiles()
    state["sysctls"] = [line for line in state["sysctls"] if not NO_SETTING.search(line)]
    json.dump(state, sys.stdout)


if __name__ == "__main__":
    main()
