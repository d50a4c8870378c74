"""Inside the rig: print what a snap could leave changed, as JSON, to compare two moments."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.cloud.host_state import HostState

# What snapd keeps for itself, and systemd: of no snap, or of a snap's past.
OWN = tuple(
    map(
        Path,
        (
            "/var/lib/snapd/state.json",
            "/var/lib/snapd/cache",
            "/var/lib/snapd/apparmor/snap-confine",
            "/var/lib/systemd",
            "/var/lib/private",
            "/run/systemd",
            "/run/udev",
            "/run/log",
            "/run/snapd/lock",
            "/usr/lib/rig",
        ),
    )
)

# Kernel threads have no command line; these come and go as they please.
COMING_AND_GOING = ("systemd-udevd", "(udev-worker)", "python3 /run/host", "snapd", "sleep 0")


def processes() -> list[str]:
    """Return the command line of every process."""
    lines: set[str] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        if line := words.decode(errors="replace").strip():
            lines.add(line)
    return sorted(line for line in lines if not any(name in line for name in COMING_AND_GOING))


def modules() -> list[str]:
    """Return the kernel modules that something uses."""
    return sorted(
        path.parent.name
        for path in Path("/sys/module").glob("*/refcnt")
        if int(path.read_text()) > 0
    )


def main() -> None:
    """Print the state."""
    state = {name: sorted(lines) for name, lines in asdict(HostState.collect(without=OWN)).items()}
    state |= {"processes": processes(), "modules": modules()}
    state["profiles"] = Path("/sys/kernel/security/apparmor/profiles").read_text().splitlines()
    json.dump(state, sys.stdout)


if __name__ == "__main__":
    main()
