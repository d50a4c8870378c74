"""Relations between two models, on whichever `juju` is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import jubilant
import pytest

Charm = Callable[[str], Path]


@pytest.fixture(scope="module")
def shop(juju: jubilant.Juju, charm: Charm) -> Iterator[jubilant.Juju]:
    """The client of a model whose `web` consumes the `db` that the model of `juju` offers."""
    with jubilant.temp_model() as shop:
        juju.deploy(charm("db"), "db")
        shop.deploy(charm("web"), "web", num_units=2)
        juju.offer("db", endpoint="database", name="store")
        shop.consume(f"{juju.model}.store", "sql")
        shop.integrate("sql", "web")
        shop.wait(lambda s: message(s, "web/0").startswith("hello"), delay=0.2)
        juju.wait(lambda s: jubilant.all_active(s) and jubilant.all_agents_idle(s), delay=0.2)
        yield shop


def message(status: jubilant.Status, unit: str) -> str:
    return status.get_units("web")[unit].workload_status.message


def password(status: jubilant.Status, unit: str) -> str:
    return message(status, unit).split()[-1]


def refusal(juju: jubilant.Juju, *arguments: str) -> str:
    with pytest.raises(jubilant.CLIError) as refused:
        juju.cli(*arguments)
    assert refused.value.returncode in (1, 2)  # 2: it makes no sense, whatever there is
    return refused.value.stderr


def test_databags_cross(juju: jubilant.Juju, shop: jubilant.Juju):
    (relation,) = shop.show_unit("web/0").relation_info
    assert relation.cross_model
    assert relation.app_data["user"].startswith("user-")
    assert set(relation.related_units) == {"sql/0"}
    (seen,) = (r for r in juju.show_unit("db/0").relation_info if r.endpoint == "database")
    assert seen.cross_model
    assert len(seen.related_units) == 2
    assert all(unit.startswith("remote-") for unit in seen.related_units)


def test_both_models_show_it(juju: jubilant.Juju, shop: jubilant.Juju):
    (endpoint,) = shop.status().app_endpoints.values()
    assert endpoint.url.endswith(f"{juju.model}.store")
    assert endpoint.endpoints["database"].role == "provider"
    assert endpoint.app_status.current == "active"
    offer = juju.status().offers["store"]
    assert (offer.app, offer.total_connected_count, offer.active_connected_count) == ("db", 1, 1)
    assert "sql" in shop.cli("status")
    assert "store" in juju.cli("status")
    listed = json.loads(juju.cli("offers", "--format=json"))
    assert listed["store"]["application"] == "db"
    (connection,) = listed["store"]["connections"]
    assert connection["source-model-uuid"] == shop.show_model().model_uuid
    assert (connection["endpoint"], connection["username"]) == ("database", "admin")
    assert connection["status"]["current"] == "joined"
    found = json.loads(juju.cli("find-offers", "--interface=test_db", "--format=json"))
    assert any(url.endswith(f"{juju.model}.store") for url in found)


def test_offers_are_listed_by_who_is_connected_or_one_by_one(
    juju: jubilant.Juju, shop: jubilant.Juju
):
    juju.offer("db", endpoint="database", name="idle")
    head, idle, store = (line.split() for line in juju.cli("offers").splitlines())
    columns = "Offer User Relation ID Status Endpoint Interface Role Ingress subnets"
    assert head == columns.split()
    assert idle == ["idle", "-"]
    assert store[:2] == ["store", "admin"]
    assert store[3:7] == ["joined", "database", "test_db", "provider"]
    summary = [line.split() for line in juju.cli("offers", "--format=summary").splitlines()]
    columns = "Offer Application Charm Connected Store URL Endpoint Interface Role"
    assert summary[0] == columns.split()
    assert [(row[0], row[3]) for row in summary[1:]] == [("idle", "0/0"), ("store", "1/1")]

    def names(*options: str) -> set[str]:
        return set(json.loads(juju.cli("offers", "--format=json", *options)))

    assert names() == names("--allowed-consumer=admin") == {"idle", "store"}
    assert names("--active-only") == names("--connected-user=admin") == {"store"}
    assert names("--connected-user=bob") == names("--allowed-consumer=bob") == set()
    juju.cli("remove-offer", "idle")


def test_secrets_cross_and_are_renewed(juju: jubilant.Juju, shop: jubilant.Juju):
    before = password(shop.status(), "web/0")
    juju.run("db/0", "rotate", {"suffix": "-new"})
    shop.wait(
        lambda s: all(password(s, unit) == f"{before}-new" for unit in ("web/0", "web/1")),
        delay=0.2,
    )


def test_units_come_and_go_on_both_sides(juju: jubilant.Juju, shop: jubilant.Juju):
    juju.add_unit("db")
    shop.wait(lambda _: members(shop, "web/0") == {"sql/0", "sql/1"}, delay=0.2, successes=1)
    juju.remove_unit("db/1")
    shop.wait(lambda _: members(shop, "web/0") == {"sql/0"}, delay=0.2, successes=1)
    shop.remove_unit("web/1")
    juju.wait(lambda _: len(members(juju, "db/0")) == 1, delay=0.2, successes=1)


def members(juju: jubilant.Juju, unit: str) -> set[str]:
    relations = juju.show_unit(unit).relation_info
    return {u for r in relations if r.endpoint == "database" for u in r.related_units}


def test_what_is_in_use_stays(juju: jubilant.Juju):
    assert "offer has 1 relation" in refusal(juju, "remove-offer", "store")
    assert "used by 1 offer" in refusal(juju, "remove-application", "--no-prompt", "db")


def test_the_bundle_of_a_model_that_consumes_makes_another_one(
    shop: jubilant.Juju, tmp_path: Path
):
    file = tmp_path / "bundle.yaml"
    shop.cli("export-bundle", "--filename", str(file))
    with jubilant.temp_model() as second:
        second.deploy(file)
        second.wait(lambda s: message(s, "web/0").startswith("hello"), delay=0.2)
        assert set(second.status().app_endpoints) == {"sql"}
        assert second.cli("diff-bundle", str(file)).strip() == "{}"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("offer", "nobody:database"), "nobody"),
        (("offer", "db:nothing"), "nothing"),
        (("offer", "db"), "endpoints must conform to format"),
        (("consume", "nowhere.store"), "nowhere"),
        (("consume", "store"), "store"),
        (("remove-offer", "nothing"), "nothing"),
        (("remove-saas", "nothing"), "nothing"),
        (("find-offers", "--interface=nothing"), "no matching application offers found"),
    ],
)
def test_what_is_not_there_is_refused(
    juju: jubilant.Juju, shop: jubilant.Juju, arguments: tuple[str, ...], complaint: str
):
    assert complaint in refusal(juju, *arguments)


def test_the_relation_ends_and_comes_back(juju: jubilant.Juju, shop: jubilant.Juju):
    shop.remove_relation("sql", "web")
    shop.wait(lambda s: message(s, "web/0") == "relation database missing", delay=0.2)
    juju.wait(lambda _: members(juju, "db/0") == set(), delay=0.2, successes=1)
    shop.integrate("web", "sql")
    shop.wait(lambda s: message(s, "web/0").startswith("hello"), delay=0.2)


def test_the_offer_goes_by_force(juju: jubilant.Juju, shop: jubilant.Juju):
    juju.cli("remove-offer", "--force", "-y", "store")
    shop.wait(lambda s: message(s, "web/0") == "relation database missing", delay=0.2)
    shop.cli("remove-saas", "sql")
    assert shop.status().app_endpoints == {}
    assert juju.status().offers == {}
