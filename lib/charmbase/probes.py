"""How to tell that a component's service answers."""

from __future__ import annotations

import http.client
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tenacity

from charmbase import snap
from workload.config import Component

CONNECT_TIMEOUT = 10
"""Seconds one try may take."""

FIRST_RETRY = 0.05
LONGEST_PAUSE = 1.0


@dataclass(frozen=True)
class Probe(ABC):
    """A check of a service, made from the config it was given."""

    @abstractmethod
    def target(self, config: Any) -> str:
        """Say what is asked, for a status message."""

    @abstractmethod
    def answers(self, config: Any) -> bool:
        """Ask once."""

    def fault(self, config: Any) -> str:
        """Say what is wrong with a service that does not answer as it should."""
        return f"{self.target(config)} does not answer"

    def uses(self) -> tuple[str, ...]:
        """Return the snap config keys it uses."""
        return ()


@dataclass(frozen=True)
class Tcp(Probe):
    """The service takes a TCP connection.

    Attributes:
        address: snap config key of the address.
        port: snap config key of the port.
    """

    address: str = "bind-address"
    port: str = "port"

    def uses(self) -> tuple[str, ...]:
        """Return the keys of address and port."""
        return (self.address, self.port)

    def target(self, config: Any) -> str:
        """Return address and port."""
        return ":".join(map(str, self.place(config)))

    def answers(self, config: Any) -> bool:
        """Connect."""
        try:
            socket.create_connection(self.place(config), CONNECT_TIMEOUT).close()
        except OSError:
            return False
        return True

    def place(self, config: Any) -> tuple[str, int]:
        """Return host and port."""
        return value_of(config, self.address), value_of(config, self.port)


@dataclass(frozen=True)
class Http(Tcp):
    """The service answers GET with a status below 500.

    Attributes:
        path: what is asked for.
    """

    path: str = "/"

    def target(self, config: Any) -> str:
        """Return the URL."""
        return f"http://{super().target(config)}{self.path}"

    def answers(self, config: Any) -> bool:
        """Send one request."""
        return (self._status(config) or 500) < 500

    def fault(self, config: Any) -> str:
        """Tell an answer that is an error from silence."""
        status = self._status(config)
        if status is None:
            return super().fault(config)
        if status < 500:
            return f"{self.target(config)} took too long to answer"
        return f"{self.target(config)} answers {status}"

    def _status(self, config: Any) -> int | None:
        host, port = self.place(config)
        connection = http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


@dataclass(frozen=True)
class UnixSocket(Probe):
    """The service takes a connection on a UNIX socket.

    Attributes:
        path: below `$SNAP_COMMON`.
    """

    path: str

    def target(self, config: Any) -> str:
        """Return the socket's path."""
        return os.path.join(snap.common(), self.path)

    def answers(self, config: Any) -> bool:
        """Connect."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(CONNECT_TIMEOUT)
            return client.connect_ex(self.target(config)) == 0


@dataclass(frozen=True)
class Services(Probe):
    """Services of the snap that listen nowhere: they run.

    Attributes:
        names: apps of snapcraft.yaml.
    """

    names: tuple[str, ...]

    def target(self, config: Any) -> str:
        """Return the services that do not run."""
        return " ".join(snap.inactive(self.names)) or " ".join(self.names)

    def answers(self, config: Any) -> bool:
        """Ask snapd."""
        return not snap.inactive(self.names)


@dataclass(frozen=True)
class Present(Probe):
    """A service that takes its time before it does its work: it makes a file when it is ready.

    Attributes:
        path: below `$SNAP_COMMON`; the service's start removes it.
        service: the app that makes it.
    """

    path: str
    service: str

    def target(self, config: Any) -> str:
        """Return the service."""
        return self.service

    def answers(self, config: Any) -> bool:
        """Look."""
        return os.path.exists(os.path.join(snap.common(), self.path))

    def fault(self, config: Any) -> str:
        """Say that it is still at its preparations."""
        return f"{self.service} is not ready"


@dataclass(frozen=True)
class All(Probe):
    """Several probes, of a component with several services."""

    probes: tuple[Probe, ...]

    def uses(self) -> tuple[str, ...]:
        """Return the keys of all probes."""
        return tuple(key for probe in self.probes for key in probe.uses())

    def target(self, config: Any) -> str:
        """Return those that do not answer."""
        return ", ".join(probe.target(config) for probe in self._silent(config))

    def fault(self, config: Any) -> str:
        """Return what each of them says of itself."""
        return ", ".join(probe.fault(config) for probe in self._silent(config))

    def _silent(self, config: Any) -> Sequence[Probe]:
        return [p for p in self.probes if not p.answers(config)] or self.probes

    def answers(self, config: Any) -> bool:
        """Ask each."""
        return all(probe.answers(config) for probe in self.probes)


def wait(probe: Probe, config: Component, seconds: float) -> bool:
    """Ask until the service answers, for at most so many seconds; return whether it did."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda answered: not answered),
        wait=tenacity.wait_exponential(multiplier=FIRST_RETRY, max=LONGEST_PAUSE),
        stop=tenacity.stop_after_delay(seconds),
        retry_error_callback=lambda _: False,
    )
    return retrying(probe.answers, config)


def value_of(config: Any, key: str) -> Any:
    """Return the value of a dotted snap config key."""
    for part in key.split("."):
        config = getattr(config, part.replace("-", "_"))
    return config
