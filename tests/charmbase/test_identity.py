"""What is told to Keystone's API, against a server that keeps its collections in memory."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from charmbase import identity

SINGULAR = {"users": "user", "services": "service", "endpoints": "endpoint", "projects": "project"}


class Keystone(HTTPServer):
    """Collections by name, and the requests that changed something."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v3"
        self.collections: dict[str, list[dict[str, Any]]] = {
            "users": [],
            "services": [],
            "endpoints": [],
            "projects": [],
            "roles": [{"id": "r-admin", "name": "admin"}, {"id": "r-service", "name": "service"}],
            "role_assignments": [],
        }
        self.changes: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Keystone

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        name, wanted = address.path.split("/")[-1], parse_qs(address.query).get("name")
        found = self.server.collections[name]
        self.reply({name: [e for e in found if wanted in (None, [e.get("name")])]})

    def do_POST(self) -> None:
        name = self.path.split("/")[-1]
        body = self.body()
        if name == "tokens":
            token = {"expires_at": "2099-01-01T00:00:00Z", "catalog": [], "methods": ["password"]}
            self.reply({"token": token}, 201, {"X-Subject-Token": "token"})
            return
        made = body[SINGULAR[name]]
        made = {**made, "id": f"{name}-{len(self.server.collections[name])}"}
        self.server.collections[name].append(made)
        self.server.changes.append(f"POST {name}")
        self.reply({SINGULAR[name]: made}, 201)

    def do_PATCH(self) -> None:
        _, _, name, key = self.path.split("/")
        changed = self.body()[SINGULAR[name]]
        next(e for e in self.server.collections[name] if e["id"] == key).update(changed)
        self.server.changes.append(f"PATCH {name}")
        self.reply({})

    def do_PUT(self) -> None:
        parts = self.path.split("/")
        grant = {"user": {"id": parts[5]}, "role": {"id": parts[7]}}
        self.server.collections["role_assignments"].append(grant)
        self.server.changes.append("PUT role")
        self.reply({})

    def do_DELETE(self) -> None:
        _, _, name, key = self.path.split("/")
        kept = [e for e in self.server.collections[name] if e["id"] != key]
        self.server.collections[name] = kept
        self.server.changes.append(f"DELETE {name}")
        self.reply({})

    def body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def reply(
        self, document: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def keystone() -> Iterator[Keystone]:
    with Keystone() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def service(url: str = "http://192.0.2.7:9292") -> Any:
    return identity.Service("glance", "image", "Images", "RegionOne", (url, url, url))


def ensure(keystone: Keystone, url: str = "http://192.0.2.7:9292") -> None:
    client = identity.Identity(keystone.url, "hunter2")
    client.ensure_account("glance", "secret")
    client.ensure_service(service(url))


def test_makes_account_project_roles_and_catalog(keystone: Keystone) -> None:
    ensure(keystone)
    found = keystone.collections
    assert [(user["name"], user["password"]) for user in found["users"]] == [("glance", "secret")]
    assert [project["name"] for project in found["projects"]] == ["service"]
    assert len(found["role_assignments"]) == 2
    assert [(s["type"], s["name"]) for s in found["services"]] == [("image", "glance")]
    assert sorted(e["interface"] for e in found["endpoints"]) == ["admin", "internal", "public"]


def test_what_is_there_is_not_made_again(keystone: Keystone) -> None:
    ensure(keystone)
    keystone.changes.clear()
    ensure(keystone)
    assert keystone.changes == ["PATCH users"]


def test_an_api_that_moved_is_moved_in_the_catalog(keystone: Keystone) -> None:
    ensure(keystone)
    ensure(keystone, "http://192.0.2.8:9292")
    urls = {endpoint["url"] for endpoint in keystone.collections["endpoints"]}
    assert urls == {"http://192.0.2.8:9292"}
    assert len(keystone.collections["endpoints"]) == 3


def test_no_password_is_logged(keystone: Keystone, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ensure(keystone)
    ensure(keystone)
    assert "hunter2" not in caplog.text
    assert "secret" not in caplog.text


def test_an_account_may_have_a_project_of_its_own_which_goes_with_it(keystone: Keystone) -> None:
    ensure(keystone)
    client = identity.Identity(keystone.url, "hunter2")
    place = identity.Place("admin-tempest", ("admin",), "Of tempest")
    client.ensure_account("admin-tempest", "secret", place)
    found = keystone.collections
    assert [project["name"] for project in found["projects"]] == ["service", "admin-tempest"]
    assert found["role_assignments"][-1] == {"user": {"id": "users-1"}, "role": {"id": "r-admin"}}
    assert len(found["role_assignments"]) == 3
    client.remove_account("admin-tempest", "admin-tempest")
    assert [user["name"] for user in found["users"]] == ["glance"]
    assert [project["name"] for project in found["projects"]] == ["service"]


def test_removing_what_is_not_there_is_no_error(keystone: Keystone) -> None:
    client = identity.Identity(keystone.url, "hunter2")
    client.remove_account("glance")
    client.remove_service("image", "glance")
    assert keystone.changes == []


def test_removes_account_and_service(keystone: Keystone) -> None:
    ensure(keystone)
    client = identity.Identity(keystone.url, "hunter2")
    client.remove_account("glance")
    client.remove_service("image", "glance")
    assert keystone.collections["users"] == keystone.collections["services"] == []
