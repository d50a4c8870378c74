"""A machine with snapd as its user sees it: snaps, services, what changed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rig.snapd_machine import Machine

CHECKOUT = Path(__file__).parents[2]
NAME = "microstack"
PATIENCE = 600
"""Seconds one operation of snapd may take."""

STATE = """
import json, os, sys
path = "/var/lib/snapd/state.json"
with open(path) as file:
    state = json.load(file)
connections = state["data"].setdefault("conns", {})
CHANGE
with open(path + ".new", "w") as file:
    os.chmod(file.fileno(), 0o600)
    json.dump(state, file)
os.replace(path + ".new", path)
"""
"""Changes connections where snapd keeps them (snapd, overlord/ifacestate/helpers.go)."""

CONNECT = STATE.replace(
    "CHANGE",
    f"""
for plug, attributes in json.load(sys.stdin).items():
    interface = attributes.pop("interface", plug)
    entry = {{"interface": interface, "plug-static": attributes}}
    connections[f"{NAME}:{{plug}} core:{{interface}}"] = entry
""",
)
FORGET = STATE.replace("CHANGE", "connections.clear()")


@dataclass
class Host:
    """The machine, and the folder of snaps it is given."""

    machine: Machine
    folder: Path
    checkout: str = ""
    snaps: str = ""
    before: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def boot(self) -> None:
        """Switch it on, with snapd, the checkout and the folder of snaps at hand."""
        self.machine.boot()
        # It listens a moment after the first commands can be run.
        self.machine.run("systemctl", "start", "snapd.socket")
        self.checkout = self.machine.share(CHECKOUT)
        self.snaps = self.machine.share(self.folder)

    def snap(self, *arguments: str, check: bool = True, timeout: float = PATIENCE) -> str:
        """Run `snap`; return what it wrote."""
        done = self.machine.run("snap", *arguments, timeout=timeout, check=check)
        return done.output + done.errors

    def install(self, name: str) -> None:
        """Install or refresh to one of the given snaps."""
        self.snap("install", "--dangerous", f"{self.snaps}/{name}")

    def connect(self, plugs: Mapping[str, Mapping[str, Any]]) -> None:
        """Connect plugs of the snap, all at once; no hook of it learns of that.

        The store's declaration would have it installed with them. Connected one by one, each has
        snapd make all its profiles anew; here it does so once, for a system that it does not know.

        Args:
            plugs: what snapcraft.yaml declares of each, the interface among it where it has
                another name.
        """
        script = (
            "systemctl stop snapd.socket snapd.service\n"
            f"python3 -c {shlex.quote(CONNECT)}\n"
            "rm /var/lib/snapd/system-key\n"
            "systemctl start snapd.socket snapd.service\n"
        )
        self.machine.run("sh", "-ec", script, given=json.dumps(plugs), timeout=PATIENCE)

    def forget_connections(self) -> None:
        """Have snapd know of no connection; the snap may do what it could.

        It disconnects one plug after another when a snap is removed, and makes all profiles anew
        after each: here some twenty minutes.
        """
        self.machine.shell(
            "systemctl stop snapd.socket snapd.service\n"
            f"python3 -c {shlex.quote(FORGET)}\n"
            "systemctl start snapd.socket snapd.service\n",
            timeout=PATIENCE,
        )

    def get(self, key: str) -> str:
        """Return the value of an option."""
        return self.snap("get", NAME, key).strip()

    def active(self, service: str) -> bool:
        """Whether systemd has a service of the snap running."""
        return self.machine.run("systemctl", "is-active", _unit(service), check=False).code == 0

    def started(self, service: str) -> str:
        """Return what differs between two runs of a service."""
        unit = _unit(service)
        return self.machine.run("systemctl", "show", "-P", "InvocationID", unit).output

    def await_boot(self) -> None:
        """Wait until all that starts at boot has been started."""
        self.machine.run("systemctl", "is-system-running", "--wait", timeout=PATIENCE, check=False)

    def remember(self) -> None:
        """Keep its state as `before`, when nothing that a boot starts is still at it."""
        self.await_boot()
        self.before = self.state()

    def state(self) -> dict[str, set[str]]:
        """Return what a snap could leave changed."""
        script = f"cd {self.checkout}; exec python3 -m tests.rig.snapd_state"
        output = self.machine.shell(script, timeout=PATIENCE).output
        return {part: set(lines) for part, lines in json.loads(output).items()}

    def changed(self) -> dict[str, dict[str, set[str]]]:
        """Return what is another than `before`; nothing where all is as it was."""
        after = self.state()
        # Parameters come with modules, which stay loaded: those that were there count.
        known = {line.partition("=")[0] for line in self.before["sysctls"]}
        after["sysctls"] = {x for x in after["sysctls"] if x.partition("=")[0] in known}
        return {
            part: {"new": after[part] - lines, "gone": lines - after[part]}
            for part, lines in self.before.items()
            if after[part] != lines
        }


def _unit(service: str) -> str:
    return f"snap.{NAME}.{service}.service"
