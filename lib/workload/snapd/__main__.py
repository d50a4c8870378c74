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
from workload.runtime.snap import REFUSALS, Snap
from workload.service_table import ServiceTable
from workload.snapd import revision
from workload.snapd.config import SnapConfig
from workload.snapd.services import SnapdServices
from workload.snapd.snapctl import SnapctlError

logger = logging.getLogger(__name__)

SETTLED_TIMEOUT = 180.0
"""Seconds from the start of the appliance's own services in a refresh to the end of its hook."""


def main() -> None:
    """Serve until snapd ends this process."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    layout = Layout.from_environment()
    render.make_folders(layout)
    table = ServiceTable.load(layout.snapcraft)
    snap = Snap(layout, ALL.values(), table, SnapdServices(table), store=SnapConfig(layout))
    with Server(layout, Api(snap, layout)) as server:
        # Whoever calls before that waits.
        settle(snap, layout)
        server.serve_forever()


def settle(snap: Snap, layout: Layout, timeout: float = SETTLED_TIMEOUT) -> None:
    """Let the hook `configure` be first to follow another revision, in a refresh or revert.

    A charm's call at that moment would wait for snapd with a component's lock in its hand, and the
    hook for the lock. No hook is run where snapd undoes a refresh, so its work is done here.

    Args:
        snap: what follows its config.
        layout: where the revision is noted.
        timeout: seconds to wait for the hook.
    """
    if revision.await_noted(layout, timeout):
        return
    logger.warning("no refresh has ended: following this revision's files and programs")
    try:
        snap.follow(revisions=(revision.followed(layout), layout.revision))
    except (*REFUSALS, SnapctlError) as error:
        logger.error("%s", error)
    else:
        revision.note(layout)


if __name__ == "__main__":
    main()
