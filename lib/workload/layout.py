"""Where the appliance keeps things, on a host without snapd and in the snap.

The same names mean the same folders. Under snapd they are those that snapd gives a snap; elsewhere
one root folder holds them all, so that removing it removes the appliance.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ROOT = Path("/var/lib/microstack")
ROOT_VARIABLE = "MICROSTACK_ROOT"

SNAP_NAME = "microstack"
SNAPS = Path("/snap", SNAP_NAME)
"""The folder of the snap's revisions, as processes in it see it."""

REVISION = "x1"
"""What snapd calls the first revision of a snap that was not fetched from a store."""


@dataclass(frozen=True)
class Layout:
    """The folders, sockets and files below one root.

    Attributes:
        root: absolute path; mode 0711, so that service accounts can reach their own folders.
    """

    root: Path = DEFAULT_ROOT

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Layout:
        """Return the snap's layout, or the one at `$MICROSTACK_ROOT` or at the default root."""
        if under_snapd(environ):
            return SnapLayout.of(environ)
        return Layout(Path(environ.get(ROOT_VARIABLE) or DEFAULT_ROOT).absolute())

    @property
    def snap(self) -> Path:
        """`$SNAP`: what is installed and never written to."""
        return self.root / "snap"

    @property
    def snap_data(self) -> Path:
        """`$SNAP_DATA`: data of one revision."""
        return self.root / "data"

    @property
    def snap_common(self) -> Path:
        """`$SNAP_COMMON`: rendered config, sockets, databases, images, logs."""
        return self.root / "common"

    @property
    def etc(self) -> Path:
        """Rendered configuration."""
        return self.snap_common / "etc"

    @property
    def service_run(self) -> Path:
        """Sockets and pid files of services, one folder for each component."""
        return self.snap_common / "run"

    @property
    def service_log(self) -> Path:
        """Logs of services, `<service>.log`."""
        return self.snap_common / "log"

    @property
    def run(self) -> Path:
        """Sockets of the appliance itself."""
        return self.root / "run"

    @property
    def bin(self) -> Path:
        """The commands `microstack.<app>`; on PATH of hooks."""
        return self.root / "bin"

    @property
    def log(self) -> Path:
        """Logs of supervisord, the snap runtime and the machine agent."""
        return self.root / "log"

    @property
    def supervisor_socket(self) -> Path:
        """Supervisord's XML-RPC socket."""
        return self.run / "supervisor.sock"

    @property
    def supervisor_config(self) -> Path:
        """Supervisord's configuration."""
        return self.run / "supervisord.conf"

    @property
    def supervisor_programs(self) -> Path:
        """One supervisord program section for each started service."""
        return self.run / "supervisord.d"

    @property
    def snapd_socket(self) -> Path:
        """The embedded snapd API; `SNAPD_SOCKET` of charms."""
        return self.run / "snapd.socket"

    @property
    def machine_socket(self) -> Path:
        """The API of the machine agent."""
        return self.run / "machine.socket"

    @property
    def machine_state(self) -> Path:
        """The machine agent's store and its units' folders."""
        return self.root / "machine"

    @property
    def snap_config(self) -> Path:
        """Snap config of the embedded snapd: one JSON document, root only."""
        return self.root / "snap-config.json"

    @property
    def secrets(self) -> Path:
        """Secrets of snap config, by the marks that snapd has in their place; root only."""
        return self.root / "secrets.json"

    @property
    def digests(self) -> Path:
        """What was last rendered, so that an unchanged file restarts nothing."""
        return self.snap_common / "digests.json"

    @property
    def code(self) -> Path:
        """By which code the snap runtime has started what should run."""
        return self.run / "code"

    @property
    def service_events(self) -> Path:
        """The latest changes of services' states, one JSON document a line."""
        return self.run / "service-events.jsonl"

    @property
    def ledger(self) -> Path:
        """What was made on the host outside this root."""
        return self.snap_common / "ledger.jsonl"

    @property
    def guests_confined(self) -> Path:
        """There while guests get AppArmor profiles, which they do in the snap alone."""
        return self.run / "guests-confined"

    @property
    def snapcraft(self) -> Path:
        """The one table of services."""
        return self.snap / "snap" / "snapcraft.yaml"

    def account(self, name: str | None) -> str | None:
        """Return the account that stands for one of the distribution's, such as `mysql`."""
        return name

    def environment(self) -> dict[str, str]:
        """Return what snapd sets for every app of a snap; no secrets, safe to hand on."""
        return {
            "SNAP": str(self.snap),
            "SNAP_DATA": str(self.snap_data),
            "SNAP_COMMON": str(self.snap_common),
            "SNAP_NAME": SNAP_NAME,
            "SNAP_INSTANCE_NAME": SNAP_NAME,
            "SNAP_REVISION": self.revision,
        }

    @property
    def revision(self) -> str:
        """`$SNAP_REVISION`."""
        return REVISION


@dataclass(frozen=True)
class SnapLayout(Layout):
    """The folders in the snap; what is the appliance's own is in one folder of `$SNAP_COMMON`.

    Attributes:
        data: `$SNAP_DATA`.
        common: `$SNAP_COMMON`.
    """

    data: Path = Path("/var/snap/microstack/current")
    common: Path = Path("/var/snap/microstack/common")

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> SnapLayout:
        """Return the layout that snapd's variables tell of."""
        common = Path(environ["SNAP_COMMON"])
        return cls(common / "appliance", Path(environ["SNAP_DATA"]), common)

    @property
    def snap(self) -> Path:
        """The snap by a name that outlives a refresh: it stands in rendered files."""
        return SNAPS / "current"

    @property
    def snap_data(self) -> Path:
        """`$SNAP_DATA`."""
        return self.data

    @property
    def snap_common(self) -> Path:
        """`$SNAP_COMMON`."""
        return self.common

    @property
    def revision(self) -> str:
        """`$SNAP_REVISION`, the name of the folder of this revision's data."""
        return self.data.name

    def account(self, name: str | None) -> str | None:
        """Return the account: strict confinement lets a snap be root and `snap_daemon` alone."""
        if name is None:
            return None
        return "root" if name == "libvirt-qemu" else "snap_daemon"


def under_snapd(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process runs in the snap, by snapd or by a charm: where `$SNAP` is tells."""
    return Path(environ.get("SNAP", "")).parent == SNAPS
