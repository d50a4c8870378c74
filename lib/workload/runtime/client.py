"""A typed client of the embedded snapd, for the command line and for tests."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from workload.layout import SNAP_NAME
from workload.runtime.logs import Line
from workload.runtime.status import ServiceEvent, ServiceStatus

REQUEST_TIMEOUT = 10.0
"""Seconds until an answer that needs no work."""

CHANGE_TIMEOUT = 300.0
"""Seconds until services have stopped or started; the slowest stops take minutes."""


class ClientError(Exception):
    """The runtime refuses a request or does not answer; the message says which and why."""


class Client:
    """Speaks to the embedded snapd on its UNIX socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def services(self) -> list[ServiceStatus]:
        """Return how each service is."""
        return [_status(entry) for entry in self._get("/v2/microstack/services")]

    def events(self) -> list[ServiceEvent]:
        """Return the latest changes of services' states, oldest first."""
        return [ServiceEvent(**entry) for entry in self._get("/v2/microstack/events")]

    def logs(
        self, services: Iterable[str] = (), *, lines: int = 10, follow: bool = False
    ) -> Iterator[Line]:
        """Yield the last lines of some services' logs, or all services'; then new ones.

        Args:
            services: names; none means all.
            lines: how many of the last ones; negative for all.
            follow: whether to go on with each new line, without end.
        """
        query = {
            "n": lines,
            "names": ",".join(_full_names(services)),
            "follow": str(follow).lower(),
        }
        # Nobody knows when the next line comes.
        with closing(self._connect(None if follow else REQUEST_TIMEOUT)) as connection:
            response = self._send(connection, "GET", f"/v2/logs?{urlencode(query)}", None)
            if response.status != http.HTTPStatus.OK:
                _result(response)
            for text in response:
                entry = json.loads(text.decode().strip("\x1e\n"))
                service = entry["sid"].removeprefix(f"{SNAP_NAME}.")
                yield Line(datetime.fromisoformat(entry["timestamp"]), service, entry["message"])

    def start(self, services: Iterable[str] = (), *, enable: bool = False) -> None:
        """Start services, or all whose config is complete.

        Args:
            services: names; none means all.
            enable: whether they also start after a reboot again.
        """
        self._control("start", services, {"enable": enable})

    def stop(self, services: Iterable[str] = (), *, disable: bool = False) -> None:
        """Stop services, or all of them, each before what it is started after.

        Args:
            services: names; none means all.
            disable: whether they stay stopped after a reboot.
        """
        self._control("stop", services, {"disable": disable})

    def restart(self, services: Iterable[str] = ()) -> None:
        """Restart services, or all whose config is complete."""
        self._control("restart", services, {})

    def config(self, keys: Iterable[str] = ()) -> dict[str, Any]:
        """Return all of snap config, or the value of each dotted key; secrets in clear."""
        query = urlencode({"keys": ",".join(keys)})
        return self._get(f"/v2/snaps/{SNAP_NAME}/conf?{query}")

    def set_config(self, changes: Mapping[str, Any]) -> None:
        """Set dotted keys; None unsets. Returns when the services concerned were started."""
        self._change("PUT", f"/v2/snaps/{SNAP_NAME}/conf", changes)

    def _control(self, action: str, services: Iterable[str], extra: Mapping[str, bool]) -> None:
        names = _full_names(services) or [SNAP_NAME]
        self._change("POST", "/v2/apps", {"action": action, "names": names, **extra})

    def _get(self, target: str) -> Any:
        with closing(self._connect(REQUEST_TIMEOUT)) as connection:
            return _result(self._send(connection, "GET", target, None))["result"]

    def _change(self, method: str, target: str, body: Mapping[str, Any]) -> None:
        with closing(self._connect(CHANGE_TIMEOUT)) as connection:
            answer = _result(self._send(connection, method, target, body))
        change = self._get(f"/v2/changes/{answer['change']}")
        if change["status"] != "Done":
            raise ClientError(change["err"])

    def _connect(self, timeout: float | None) -> _Connection:
        return _Connection(self._path, timeout)

    def _send(
        self,
        connection: _Connection,
        method: str,
        target: str,
        body: Mapping[str, Any] | None,
    ) -> http.client.HTTPResponse:
        content = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, target, content)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise ClientError(
                f"the snap runtime does not answer on {self._path}: {error}"
            ) from None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _result(response: http.client.HTTPResponse) -> dict[str, Any]:
    answer = cast("dict[str, Any]", json.load(response))
    if answer["type"] == "error":
        raise ClientError(answer["result"]["message"])
    return answer


def _status(entry: Mapping[str, Any]) -> ServiceStatus:
    lists: dict[str, Any] = {name: tuple(entry[name]) for name in ("missing", "lines")}
    return ServiceStatus(**{**entry, **lists})


def _full_names(services: Iterable[str]) -> list[str]:
    return [f"{SNAP_NAME}.{service}" for service in services]
