"""Serve the part of snapd's API that charms use, in the snap: `python -m workload.snapd`.

Strict confinement keeps snapd's own socket from a snap. Charms that `machine` runs inside the snap
speak to this one: the same API as in a checkout, with config and services of snapd behind it.
"""

from __future__ import annotations

import logging
import sys

from workload import render
from workload.components import ALL
from workload.layout import Layout
from workload.runtime.server import Api, Server
from workload.runtime.snap import Snap
from workload.service_table import ServiceTable
from workload.snapd.config import SnapConfig
from workload.snapd.services import SnapdServices


def main() -> None:
    """Serve until snapd ends this process."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    layout = Layout.from_environment()
    render.make_folders(layout)
    table = ServiceTable.load(layout.snapcraft)
    snap = Snap(layout, ALL.values(), table, SnapdServices(table), store=SnapConfig(layout))
    with Server(layout, Api(snap, layout)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
