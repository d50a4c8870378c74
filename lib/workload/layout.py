"""Where the appliance keeps things on a host without snapd.

The same names mean the same folders in the real snap, where snapd sets `SNAP`, `SNAP_DATA` and
`SNAP_COMMON`; here one root folder holds them all, so that removing it removes the appliance.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ROOT = Path("/var/lib/microstack")
ROOT_VARIABLE = "MICROSTACK_ROOT"

SNAP_NAME = "microstack"
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
        """Return the layout at `$MICROSTACK_ROOT`, or at the default root where it is unset."""
        return cls(Path(environ.get(ROOT_VARIABLE) or DEFAULT_ROOT).absolute())

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
    def digests(self) -> Path:
        """What was last rendered, so that an unchanged file restarts nothing."""
        return self.snap_common / "digests.json"

    @property
    def service_events(self) -> Path:
        """The latest changes of services' states, one JSON document a line."""
        return self.run / "service-events.jsonl"

    @property
    def ledger(self) -> Path:
        """What was made on the host outside this root."""
        return self.snap_common / "ledger.jsonl"

    @property
    def snapcraft(self) -> Path:
        """The one table of services."""
        return self.snap / "snap" / "snapcraft.yaml"

    def environment(self) -> dict[str, str]:
        """Return what snapd sets for every app of a snap; no secrets, safe to hand on."""
        return {
            "SNAP": str(self.snap),
            "SNAP_DATA": str(self.snap_data),
            "SNAP_COMMON": str(self.snap_common),
            "SNAP_NAME": SNAP_NAME,
            "SNAP_INSTANCE_NAME": SNAP_NAME,
            "SNAP_REVISION": REVISION,
        }
