"""The hypervisor in Placement, asked over HTTP of a server that answers as both services do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from charmbase import load_charm
from workload.config.nova_compute import NovaComputeConfig

load_charm(Path(__file__).parents[2])

from provider import ResourceProvider  # noqa: E402 - found beside the charm, once it is loaded


class Cloud(ThreadingHTTPServer):
    """Keystone and Placement at one address.

    Attributes:
        inventories: of the one resource provider; None where there is no provider.
        log_ins: how often somebody logged in.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.inventories: dict[str, Any] | None = None
        self.log_ins = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Cloud

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.log_ins += 1
        endpoint = {"interface": "internal", "region_id": "RegionOne", "region": "RegionOne"}
        service = {"type": "placement", "endpoints": [{**endpoint, "url": self.server.url}]}
        self.answer(201, {"token": {"catalog": [service], "expires_at": "2999-01-01T00:00:00Z"}})

    def do_GET(self) -> None:
        if self.path == "/resource_providers?name=node-1":
            found = [] if self.server.inventories is None else [{"uuid": "u1"}]
            self.answer(200, {"resource_providers": found})
        elif self.path == "/resource_providers/u1/inventories":
            self.answer(200, {"inventories": self.server.inventories})
        else:
            self.answer(404, {})

    def answer(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("X-Subject-Token", "token")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def config(auth_url: str) -> NovaComputeConfig:
    identity = {
        "auth-url": f"{auth_url}/v3",
        "region": "RegionOne",
        "username": "nova-compute",
        "password": "p",
        "project-name": "service",
        "project-domain-name": "Default",
        "user-domain-name": "Default",
    }
    return NovaComputeConfig.model_validate({"host": "node-1", "identity": identity})


def test_a_hypervisor_is_known_once_its_provider_has_inventories(cloud: Cloud) -> None:
    probe, node = ResourceProvider(), config(cloud.url)
    assert not probe.answers(node)
    cloud.inventories = {}
    assert not probe.answers(node)
    cloud.inventories = {"VCPU": {"total": 2}}
    assert probe.answers(node)
    assert cloud.log_ins == 1


def test_a_keystone_that_does_not_answer_is_no_answer(cloud: Cloud) -> None:
    assert not ResourceProvider().answers(config("http://127.0.0.1:1"))
