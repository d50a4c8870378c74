"""Inside the rig: carries out what tests ask for over a serial line. Standard library alone.

A line is a JSON document. Requests have an `id`, and a `command` to run or a `request` to pass on
to snapd; answers come in the order in which they are ready. The agent also is the snap store of
the machine: one that has nothing, and says so at once.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import tty
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LINE = "/dev/ttyS0"
SNAPD = "/run/snapd.socket"
STORE = ("127.0.0.1", 8099)
REQUEST_TIMEOUT = 600
"""Seconds snapd may take to answer one request."""


class Store(BaseHTTPRequestHandler):
    """A snap store that has nothing."""

    def do_GET(self) -> None:
        """Answer: not here."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_error(404)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class Snapd(http.client.HTTPConnection):
    """A connection to snapd."""

    def __init__(self) -> None:
        super().__init__("localhost", timeout=REQUEST_TIMEOUT)

    def connect(self) -> None:
        """Connect to its socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SNAPD)


class Agent:
    """Reads requests and writes answers."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Carry out requests, each in a thread of its own, until the machine goes down."""
        self._send({"boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip()})
        with os.fdopen(os.dup(self._line), "rb") as requests:
            for text in requests:
                threading.Thread(target=self._answer, args=(json.loads(text),)).start()

    def _answer(self, request: dict[str, Any]) -> None:
        try:
            answer = _pass_on(**request["request"]) if "request" in request else _run(request)
        except Exception as error:  # whatever it is, the test must learn of it
            answer = {"error": f"{type(error).__name__}: {error}"}
        self._send({"id": request["id"], **answer})

    def _send(self, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._line, data) :]


def _run(request: dict[str, Any]) -> dict[str, Any]:
    """Run a command to its end or its timeout; whatever it began is ended with it at a timeout."""
    with subprocess.Popen(
        request["command"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        code: int | None
        try:
            output, errors = process.communicate(request["input"], timeout=request["timeout"])
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            code = None
    return {"code": code, "output": output, "errors": errors}


def _pass_on(method: str, target: str, headers: dict[str, str], body: str) -> dict[str, Any]:
    connection = Snapd()
    connection.request(method, target, base64.b64decode(body), headers)
    response = connection.getresponse()
    content = base64.b64encode(response.read()).decode()
    return {"status": response.status, "headers": response.getheaders(), "body": content}


def main() -> None:
    """Serve the store and the line."""
    store = ThreadingHTTPServer(STORE, Store)
    threading.Thread(target=store.serve_forever, daemon=True).start()
    line = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    Agent(line).serve()


if __name__ == "__main__":
    main()
