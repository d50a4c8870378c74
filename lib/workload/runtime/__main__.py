"""The embedded snapd, as a program: `python -m workload.runtime`, run by supervisord.

Supervisord reports every change of a service's state to it on standard input
(http://supervisord.org/events.html#event-listener-notification-protocol).
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import threading
from functools import partial
from pathlib import Path

from workload import atomic, render
from workload.layout import Layout
from workload.runtime import options
from workload.runtime.programs import CODE
from workload.runtime.server import Api, Server
from workload.runtime.snap import Snap
from workload.runtime.supervisor import Supervisor
from workload.service_table import ServiceTable


def main() -> None:
    """Serve until supervisord ends this process."""
    arguments = _arguments()
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    layout = Layout.from_environment()
    table = ServiceTable.load(layout.snapcraft)
    supervisor = Supervisor(layout, table)
    components = importlib.import_module(arguments.components).ALL.values()
    snap = Snap(
        layout,
        components,
        table,
        supervisor,
        arguments.templates,
        on_options=partial(options.hand_on, arguments.options) if arguments.options else None,
    )
    server = Server(layout, Api(snap, layout))
    threading.Thread(target=server.serve_forever, name="api", daemon=True).start()
    threading.Thread(target=_start, args=(snap, layout), name="start", daemon=True).start()
    _listen(supervisor)


def _start(snap: Snap, layout: Layout) -> None:
    """Start what should run, anew where its program is another; note that it was done."""
    snap.start_configured()
    atomic.write(layout.code, os.environ.get(CODE, "").encode())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workload.runtime", description=__doc__)
    parser.add_argument("--components", default="workload.components", metavar="MODULE")
    parser.add_argument("--templates", default=render.TEMPLATES, type=Path, metavar="DIR")
    parser.add_argument(
        "--options",
        nargs=argparse.REMAINDER,
        metavar="PROGRAM",
        help="what takes the options of charms; the last argument",
    )
    return parser.parse_args()


def _listen(supervisor: Supervisor) -> None:
    """Hand supervisord's events on until it closes the channel."""
    while True:
        print("READY", flush=True)  # noqa: T201, the protocol's word
        header = _fields(sys.stdin.readline())
        if not header:
            return
        payload = _fields(sys.stdin.read(int(header["len"])))
        supervisor.on_event(header["eventname"], payload)
        print("RESULT 2\nOK", end="", flush=True)  # noqa: T201


def _fields(text: str) -> dict[str, str]:
    """Read `key:value` pairs that stand between blanks."""
    return dict(part.split(":", 1) for part in text.split())


if __name__ == "__main__":
    main()
