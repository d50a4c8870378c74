"""What tests left is removed: all of it, in an order that the APIs allow, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from workload.validation import inventory, removal
from workload.validation.inventory import COLLECTIONS


@dataclass
class Answer:
    status_code: int
    document: Any = None
    text: str = ""

    def json(self) -> Any:
        return self.document

    def raise_for_status(self) -> None:
        assert self.status_code < 400


@dataclass
class FakeApi:
    """One service: lists what it has, and forgets what it is asked to delete."""

    cloud: FakeCloud
    name: str

    def get(self, path: str, **_: Any) -> Answer:
        self.cloud.asked.append(f"GET {path}")
        if path in self.cloud.documents:
            return Answer(200, self.cloud.documents[path])
        (kind,) = (c.kind for c in COLLECTIONS if (c.api, c.listed) == (self.name, path))
        return Answer(200, {kind: list(self.cloud.things[kind])})

    def delete(self, path: str, **_: Any) -> Answer:
        self.cloud.asked.append(f"DELETE {path}")
        folder, _, id_ = path.partition("?")[0].rpartition("/")
        if reason := self.cloud.refusals.get(id_):
            return Answer(409, text=reason)
        for kind in (c.kind for c in COLLECTIONS if c.path == folder):
            left = [thing for thing in self.cloud.things[kind] if thing["id"] != id_]
            self.cloud.things[kind] = left
        return Answer(204)

    def put(self, path: str, json: Any) -> Answer:
        self.cloud.asked.append(f"PUT {path} {json}")
        return Answer(200)

    post = patch = put


@dataclass
class FakeCloud:
    """A cloud's APIs. `asked` has the requests, `refusals` why a resource cannot be deleted."""

    things: dict[str, list[dict[str, str]]] = field(
        default_factory=lambda: defaultdict(list[dict[str, str]])
    )
    documents: dict[str, Any] = field(default_factory=dict[str, Any])
    refusals: dict[str, str] = field(default_factory=dict[str, str])
    asked: list[str] = field(default_factory=list[str])

    def __getattr__(self, name: str) -> FakeApi:
        return FakeApi(self, name)

    def has_service(self, name: str) -> bool:
        return name != "block-storage"

    @property
    def deleted(self) -> list[str]:
        return [line.removeprefix("DELETE ") for line in self.asked if line.startswith("DELETE")]


@pytest.fixture
def cloud() -> FakeCloud:
    """A user's project and one of Tempest's, with things in both."""
    cloud = FakeCloud()
    cloud.things["projects"] = [
        {"id": "p-web", "name": "web"},
        {"id": "p-tests", "name": "tempest-A-1"},
    ]
    cloud.things["users"] = [{"id": "u-tests", "name": "tempest-A-1"}]
    cloud.things["servers"] = [
        {"id": "s-web", "name": "web", "tenant_id": "p-web"},
        {"id": "s-tests", "name": "any", "tenant_id": "p-tests"},
    ]
    cloud.things["ports"] = [
        {"id": "q-web", "name": "", "project_id": "p-web"},
        {"id": "q-tests", "name": "", "project_id": "p-tests"},
    ]
    cloud.documents["/os-keypairs?user_id=u-tests"] = {"keypairs": [{"keypair": {"name": "mine"}}]}
    return cloud


def remove(cloud: FakeCloud, patience: float = removal.PATIENCE) -> dict[str, str]:
    connection = cast("Any", cloud)
    found = inventory.take(connection).of_tests()
    staying = removal.remove(connection, found, patience)
    return {str(thing): answer for thing, answer in staying.items()}


def test_all_of_tests_goes_what_uses_others_first_and_nothing_else(cloud: FakeCloud) -> None:
    assert remove(cloud) == {}
    assert cloud.deleted == [
        "/servers/s-tests",
        "/ports/q-tests",
        "/os-keypairs/mine?user_id=u-tests",
        "/users/u-tests",
        "/projects/p-tests",
    ]
    assert [server["id"] for server in cloud.things["servers"]] == ["s-web"]


def test_the_second_time_there_is_nothing_to_remove(cloud: FakeCloud) -> None:
    remove(cloud)
    cloud.asked.clear()
    assert remove(cloud) == {}
    assert cloud.deleted == []


def test_what_rally_left_is_of_tests_too(cloud: FakeCloud) -> None:
    cloud.things["projects"].append({"id": "p-rally", "name": "c_rally_1_2"})
    cloud.things["networks"] = [{"id": "n-rally", "name": "x", "project_id": "p-rally"}]
    remove(cloud)
    assert {"/networks/n-rally", "/projects/p-rally"} <= set(cloud.deleted)


def test_a_project_that_is_gone_was_of_tests_when_something_in_it_bears_their_name(
    cloud: FakeCloud,
) -> None:
    cloud.things["networks"] = [{"id": "n", "name": "tempest-A-network", "project_id": "p-gone"}]
    cloud.things["floatingips"] = [
        {"id": "f-tests", "floating_ip_address": "10.0.0.7", "project_id": "p-gone"},
        {"id": "f-web", "floating_ip_address": "10.0.0.8", "project_id": "p-web"},
        {"id": "f-other", "floating_ip_address": "10.0.0.9", "project_id": "p-gone-too"},
    ]
    remove(cloud)
    left = [address["id"] for address in cloud.things["floatingips"]]
    assert left == ["f-web", "f-other"]


def test_a_router_gives_up_its_routes_and_interfaces_before(cloud: FakeCloud) -> None:
    cloud.things["routers"] = [{"id": "r", "name": "tempest-router-1", "project_id": "p-web"}]
    cloud.documents["/ports?device_id=r"] = {"ports": [{"id": "q"}]}
    remove(cloud)
    at = cloud.asked.index("DELETE /routers/r")
    assert cloud.asked[at - 3 : at] == [
        "PUT /routers/r {'router': {'routes': []}}",
        "GET /ports?device_id=r",
        "PUT /routers/r/remove_router_interface {'port_id': 'q'}",
    ]


def test_what_stays_is_told_with_the_answer_and_the_rest_goes(cloud: FakeCloud) -> None:
    cloud.refusals["q-tests"] = "in use"
    assert remove(cloud, patience=1.0) == {"ports q-tests": "409 in use"}
    assert "/projects/p-tests" in cloud.deleted
