"""What `juju status PATTERN...` shows (apiserver/facades/client/client/filtering.go)."""

from __future__ import annotations

from typing import Any

import pytest

from machine.selection import select


def unit(status: str = "active", **more: Any) -> dict[str, Any]:
    return {"workload-status": {"current": status}, **more}


def application(units: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    status = {"application-status": {"current": "active"}, "exposed": False}
    return {**status, **({"units": units} if units else {}), **more}


STATUS = {
    "applications": {
        "db": application(
            {
                "db/0": unit(**{"open-ports": ["5432/tcp"]}),
                "db/1": unit(leader=True, subordinates={"log/0": unit("blocked", leader=True)}),
            }
        ),
        "db-proxy": application({"db-proxy/0": unit("waiting")}, exposed=True),
        "log": application(),
    }
}


@pytest.mark.parametrize(
    ("patterns", "shown"),
    [
        ((), {"db": {"db/0", "db/1"}, "db-proxy": {"db-proxy/0"}, "log": set[str]()}),
        (("db",), {"db": {"db/0", "db/1"}}),
        (("db*",), {"db": {"db/0", "db/1"}, "db-proxy": {"db-proxy/0"}}),
        (("db/0",), {"db": {"db/0"}}),
        (("db/leader",), {"db": {"db/1"}}),
        (("log",), {"db": {"db/1"}, "log": set[str]()}),
        (("log/0",), {"db": {"db/1"}}),
        (("log/leader",), {"db": {"db/1"}}),
        (("blocked",), {"db": {"db/1"}}),
        (("waiting",), {"db-proxy": {"db-proxy/0"}}),
        (("exposed",), {"db-proxy": {"db-proxy/0"}}),
        (("5432/tcp",), {"db": {"db/0"}}),
        (("db/7", "nobody"), {}),
    ],
)
def test_patterns_choose(patterns: tuple[str, ...], shown: dict[str, set[str]]):
    found = select(STATUS, patterns)["applications"]
    assert {name: set(app.get("units", ())) for name, app in found.items()} == shown
