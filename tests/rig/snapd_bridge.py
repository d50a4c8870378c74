"""The socket of a machine's snapd, on this side of the line: charms' code here speaks to it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.rig.snapd_machine import Machine


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, socket: Path, machine: Machine) -> None:
        self.machine = machine
        super().__init__(str(socket), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Pass a request on, and its answer back."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, content = self.server.machine.pass_on(
            self.command, self.path, dict(self.headers), body
        )
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET  # noqa: N815

    def address_string(self) -> str:
        """Return who asks: a UNIX socket has no address."""
        return "local"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def bridge(machine: Machine, socket: Path) -> Iterator[Path]:
    """Serve the machine's snapd on a socket."""
    with _Server(socket, machine) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield socket
        server.shutdown()
        thread.join()
