"""The embedded snapd: the part of snapd's REST API that charms and the command line use.

Charms speak to it through charmlibs.snap as they do to snapd
(https://snapcraft.io/docs/snapd-rest-api). A change is done before its answer is sent, so a client
that asks for it at once learns how it went. Paths below `/v2/microstack` are this runtime's own.
"""

from __future__ import annotations

import itertools
import json
import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from workload.layout import SNAP_NAME, Layout
from workload.runtime import logs
from workload.runtime.config_store import OptionNotFoundError
from workload.runtime.snap import REFUSALS, Snap

logger = logging.getLogger(__name__)

REMEMBERED_CHANGES = 500


class ApiError(Exception):
    """A request that cannot be served, in snapd's words."""

    def __init__(self, status: HTTPStatus, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


@dataclass(frozen=True)
class Change:
    """What an asynchronous request led to."""

    id: str
    kind: str
    summary: str
    started: datetime
    ended: datetime
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as `GET /v2/changes/{id}` shows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "summary": self.summary,
            "status": "Error" if self.error else "Done",
            "tasks": [],
            "ready": True,
            "spawn-time": self.started.isoformat(),
            "ready-time": self.ended.isoformat(),
            **({"err": self.error} if self.error else {}),
        }


@dataclass
class Changes:
    """The changes that can still be asked for."""

    _by_id: dict[str, Change] = field(default_factory=dict[str, Change])
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, kind: str, summary: str, work: Callable[[], object]) -> Change:
        """Do the work and remember how it went."""
        started, error = datetime.now(UTC), ""
        try:
            work()
        except REFUSALS as refusal:
            error = f"cannot perform the following tasks:\n- {summary} ({refusal})"
            logger.warning("%s: %s", summary, refusal)
        change = Change(str(next(self._ids)), kind, summary, started, datetime.now(UTC), error)
        with self._lock:
            self._by_id[change.id] = change
            for surplus in list(self._by_id)[:-REMEMBERED_CHANGES]:
                del self._by_id[surplus]
        return change

    def get(self, change_id: str) -> Change:
        """Return a change by its id."""
        with self._lock:
            if change := self._by_id.get(change_id):
                return change
        raise ApiError(HTTPStatus.NOT_FOUND, f'cannot find change with id "{change_id}"')


class Api:
    """Answers requests; knows nothing of sockets."""

    def __init__(self, snap: Snap, layout: Layout) -> None:
        self._snap = snap
        self._layout = layout
        self._changes = Changes()

    def get(self, path: Sequence[str], query: Mapping[str, str]) -> Any:
        """Return the result of a GET request.

        Raises:
            ApiError: it cannot be served.
        """
        match path:
            case ["system-info"]:
                return {"series": "16", "version": "embedded", "confinement": "none"}
            case ["snaps"]:
                return [self._snap.description()]
            case ["snaps", name]:
                self._check(name)
                return self._snap.description()
            case ["snaps", name, "conf"]:
                self._check(name)
                return self._config(_names(query.get("keys", "")))
            case ["changes", change_id]:
                return self._changes.get(change_id).to_json()
            case ["apps"]:
                return self._apps(_names(query.get("names", "")))
            case ["microstack", "services"]:
                return [asdict(status) for status in self._snap.services()]
            case ["microstack", "events"]:
                return [asdict(event) for event in self._snap.runner.events()]
            case _:
                raise ApiError(HTTPStatus.NOT_FOUND, "not found")

    def change(self, method: str, path: Sequence[str], body: Mapping[str, Any]) -> Change | None:
        """Carry out a POST or PUT request; return its change, None where it made none.

        Raises:
            ApiError: it cannot be served.
        """
        match method, path:
            case "PUT", ["snaps", name, "conf"]:
                self._check(name)
                summary = f'Run configure hook of "{name}" snap'
                return self._changes.run(
                    "configure-snap", summary, lambda: self._snap.set_config(body)
                )
            case "POST", ["apps"]:
                return self._control(body)
            case "POST", ["snaps", name]:
                return self._snap_action(name, body)
            case _:
                raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed")

    def log_files(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the logs of the services that a query names, by service."""
        services = self._services(_names(query.get("names", "")))
        return {name: self._layout.service_log / f"{name}.log" for name in services}

    def _config(self, keys: list[str]) -> dict[str, Any]:
        try:
            return self._snap.config(keys)
        except OptionNotFoundError as error:
            raise ApiError(HTTPStatus.BAD_REQUEST, str(error), "option-not-found") from None

    def _apps(self, names: Sequence[str]) -> list[dict[str, Any]]:
        chosen = self._services(names)
        return [
            {
                "snap": SNAP_NAME,
                "name": status.name,
                "daemon": status.daemon,
                "daemon-scope": "system",
                "enabled": status.enabled,
                "active": status.state == "active",
            }
            for status in self._snap.services()
            if status.name in chosen
        ]

    def _control(self, body: Mapping[str, Any]) -> Change:
        action = str(body.get("action"))
        if action not in ("start", "stop", "restart"):
            raise ApiError(HTTPStatus.BAD_REQUEST, f'unknown action "{action}"')
        names = cast("list[str]", body.get("names") or [])
        services = [] if names == [SNAP_NAME] else self._services(names)
        persist = bool(body.get("enable") or body.get("disable"))
        return self._changes.run(
            "service-control",
            f"{action.capitalize()} {', '.join(names)}",
            lambda: self._snap.control(action, services, persist=persist),
        )

    def _snap_action(self, name: str, body: Mapping[str, Any]) -> Change:
        action = str(body.get("action"))
        if name != SNAP_NAME:
            raise ApiError(HTTPStatus.NOT_FOUND, f'snap "{name}" not found', "snap-not-found")
        match action:
            case "install":
                kind = "snap-already-installed"
                message = f'snap "{name}" is already installed'
                raise ApiError(HTTPStatus.BAD_REQUEST, message, kind)
            case "refresh":
                kind = "snap-no-update-available"
                raise ApiError(HTTPStatus.BAD_REQUEST, "snap has no updates available", kind)
            case "hold" | "unhold":
                # Nothing refreshes an embedded snap behind its user's back.
                return self._changes.run(f"{action}-snap", f"{action} {name}", lambda: None)
            case _:
                message = f'the embedded snapd does not "{action}" its snap'
                raise ApiError(HTTPStatus.BAD_REQUEST, message)

    def _services(self, names: Sequence[str]) -> list[str]:
        """Return services named as snapd names them: `microstack` is all, `microstack.x` one."""
        chosen: list[str] = []
        for full in names or [SNAP_NAME]:
            snap, _, service = full.partition(".")
            self._check(snap)
            if service and service not in self._snap.table.services:
                message = f'snap "{snap}" has no service "{service}"'
                raise ApiError(HTTPStatus.NOT_FOUND, message, "app-not-found")
            chosen += [service] if service else list(self._snap.table.services)
        return chosen

    def _check(self, name: str) -> None:
        if name != SNAP_NAME:
            message = f'snap "{name}" is not installed'
            raise ApiError(HTTPStatus.NOT_FOUND, message, "snap-not-found")


class Handler(BaseHTTPRequestHandler):
    """One connection to the API."""

    @property
    def _api(self) -> Api:
        return cast("Server", self.server).api

    def do_GET(self) -> None:
        """Answer with a result, or with lines of logs."""
        path, query = self._target()
        try:
            if path == ["logs"]:
                return self._logs(query)
            self._answer({"type": "sync", "result": self._api.get(path, query)})
        except ApiError as error:
            self._refuse(error)

    def do_POST(self) -> None:
        """Carry out a change."""
        path, _ = self._target()
        try:
            change = self._api.change(self.command, path, self._body())
        except ApiError as error:
            return self._refuse(error)
        document = {"type": "async", "result": None, "change": change.id if change else ""}
        self._answer(document, HTTPStatus.ACCEPTED)

    do_PUT = do_POST  # noqa: N815

    def address_string(self) -> str:
        """Return who asks: a UNIX socket has no address."""
        return "local"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log requests for whoever debugs; bodies, which hold secrets, never."""
        logger.debug(format, *args)

    def _target(self) -> tuple[list[str], dict[str, str]]:
        url = urlsplit(self.path)
        path = [part for part in url.path.split("/") if part]
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        return (path[1:] if path[:1] == ["v2"] else [""]), query

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        try:
            body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise ApiError(HTTPStatus.BAD_REQUEST, "cannot decode request body into a JSON object")
        return cast("dict[str, Any]", body)

    def _logs(self, query: Mapping[str, str]) -> None:
        files = self._api.log_files(query)
        lines = logs.recent(files, int(query.get("n", "10")))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json-seq")
        self.end_headers()
        self._send_lines(lines)
        if query.get("follow") == "true":
            for line in logs.follow(files, self.connection):
                self._send_lines([line])

    def _send_lines(self, lines: Sequence[logs.Line]) -> None:
        for line in lines:
            entry = {
                "timestamp": line.time.isoformat(),
                "sid": f"{SNAP_NAME}.{line.service}",
                "pid": "0",
                "message": line.message,
            }
            self.wfile.write(b"\x1e" + json.dumps(entry).encode() + b"\n")
        self.wfile.flush()

    def _refuse(self, error: ApiError) -> None:
        result = {"message": str(error), **({"kind": error.kind} if error.kind else {})}
        self._answer({"type": "error", "result": result}, error.status)

    def _answer(self, document: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        content = json.dumps(
            {"status-code": int(status), "status": status.phrase, **document}, default=str
        ).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves the API on the layout's socket, to root alone: its folder lets nobody else in."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, layout: Layout, api: Api) -> None:
        self.api = api
        layout.snapd_socket.unlink(missing_ok=True)
        super().__init__(str(layout.snapd_socket), Handler)
        layout.snapd_socket.chmod(0o600)

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any
    ) -> None:
        """Log what a connection ended with, unless it is that the client went away."""
        if isinstance(sys.exception(), ConnectionError):
            return logger.debug("a client went away before it was answered")
        super().handle_error(request, client_address)


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]
