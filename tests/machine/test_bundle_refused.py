"""What is wrong in a bundle is refused whole, each problem with file and line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from machine.bundle import BundleError, plan
from machine.life import Life
from tests.machine.bundles import GOOD, deployed, planned, refusal, with_charms


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_charms(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(
            "{size: 2}",
            "{sise: 2}",
            """bundle.yaml:6: db: unknown option "sise" of charm "db" (did you mean 'size'?)""",
            id="unknown option",
        ),
        pytest.param(
            "{size: 2}",
            "{size: two}",
            'bundle.yaml:6: db: option "size" expected int, got "two"',
            id="wrong option type",
        ),
        pytest.param(
            "{size: 2}",
            "{motd: 5}",
            'bundle.yaml:6: db: option "motd" expected string, got 5; put it in quotes',
            id="number for text",
        ),
        pytest.param(
            "{size: 2}",
            '{motd: "include-file://nowhere"}',
            "bundle.yaml:6: db.motd: cannot include",
            id="missing include",
        ),
        pytest.param(
            "[web, log]",
            "[wbe, log]",
            'bundle.yaml:16: relation "wbe log" refers to application "wbe" not defined in this '
            "bundle (did you mean 'web'?)",
            id="unknown application",
        ),
        pytest.param(
            "db:sql]",
            "db:sqll]",
            'bundle.yaml:15: charm "db" used by application "db" does not define relation "sqll" '
            "(did you mean 'sql'?)",
            id="unknown endpoint",
        ),
        pytest.param(
            "[web:database, db:sql]",
            "[web:cache, db:sql]",
            'bundle.yaml:15: mismatched interface between "web:cache" and "db:sql" '
            '("memcache" vs "sql")',
            id="interface mismatch",
        ),
        pytest.param(
            "[web:database, db:sql]",
            "[web:http, db:sql]",
            'bundle.yaml:15: relation "web:http" to "db:sql" relates provider to provider',
            id="two providers",
        ),
        pytest.param(
            "[web:database, db:sql]",
            "[web, db]",
            'bundle.yaml:15: ambiguous relation: "web db" could refer to '
            "web:database db:sql; web:database db:sql-admin",
            id="ambiguous endpoint",
        ),
        pytest.param(
            "[web, log]",
            "[db:sql, web:database]",
            'bundle.yaml:16: relation "db:sql web:database" is defined more than once, first at ',
            id="duplicate relation",
        ),
        pytest.param(
            "[web, log]",
            "[web:http, web:cache]",
            'bundle.yaml:16: relation "web:http web:cache" relates an application to itself',
            id="self relation",
        ),
        pytest.param(
            "[web, log]",
            "[db:db-peers, web]",
            "bundle.yaml:16: db:db-peers is a peer relation",
            id="peer relation",
        ),
        pytest.param(
            "[web, log]",
            "[web]",
            "bundle.yaml:16: relation ['web'] has 1 endpoint(s), not 2",
            id="one endpoint",
        ),
        pytest.param(
            "[web, log]",
            "[web:http:x, log]",
            'bundle.yaml:16: invalid relation syntax "web:http:x"',
            id="relation syntax",
        ),
        pytest.param(
            "charm: ./log",
            "charm: ./log\n    num_units: 1",
            "bundle.yaml:12: log is subordinate but has non-zero num_units",
            id="subordinate with units",
        ),
        pytest.param(
            "charm: ./log",
            'charm: ./log\n    to: ["0"]',
            "bundle.yaml:12: log is subordinate but specifies unit placement",
            id="subordinate with placement",
        ),
        pytest.param(
            'to: ["0"]',
            'to: ["0", "0"]',
            "bundle.yaml:5: db: too many units specified in unit placement: 2 for 1",
            id="too many placements",
        ),
        pytest.param(
            "num_units: 2",
            'num_units: 2\n    to: ["7"]',
            'bundle.yaml:10: web: placement "7" refers to a machine not defined in this bundle',
            id="unknown machine",
        ),
        pytest.param(
            "num_units: 2",
            "num_units: 2\n    to: [dbx/0]",
            'bundle.yaml:10: web: placement "dbx/0" refers to an application not defined',
            id="unknown placement application",
        ),
        pytest.param(
            "num_units: 2",
            "num_units: 2\n    to: [db/1]",
            'bundle.yaml:10: web: placement "db/1" specifies a unit greater than the 1 unit(s)',
            id="unknown placement unit",
        ),
        pytest.param(
            "num_units: 2",
            'num_units: 2\n    to: ["vm:0"]',
            'bundle.yaml:10: web: invalid placement syntax "vm:0"',
            id="placement syntax",
        ),
        pytest.param(
            '  "0":\n',
            '  "0":\n  "1":\n',
            'bundle.yaml:14: machine "1" is not referred to by a placement directive',
            id="unused machine",
        ),
        pytest.param(
            "num_units: 2",
            "num_units: -1",
            "bundle.yaml:9: web: negative number of units",
            id="negative units",
        ),
        pytest.param(
            "num_units: 2",
            "num_units: many",
            "bundle.yaml:9: applications.web.num_units: Input should be a valid integer",
            id="wrong shape",
        ),
        pytest.param(
            "num_units: 2",
            "num_units: 2\n    num_units: 1",
            "bundle.yaml:10: applications.web.num_units: stands twice, first in line 9",
            id="duplicate key",
        ),
        pytest.param(
            "charm: ./web",
            "charm: ./webb",
            "bundle.yaml:8: web: charm path does not exist: ./webb",
            id="no such charm",
        ),
        pytest.param(
            "charm: ./web",
            "charm: web",
            'bundle.yaml:8: web: charm "web" is not a path',
            id="charm from a store",
        ),
        pytest.param(
            "charm: ./web",
            "charm: ./wrong",
            "wrong/charmcraft.yaml:2: provides.x.interface: Field required",
            id="wrong charm",
        ),
        pytest.param(
            "charm: ./log",
            "charm: ./future\n    num_units: 1",
            "bundle.yaml:11: log: its charm assumes any-of: k8s-api, juju >= 9.0",
            id="unmet assumption",
        ),
        pytest.param(
            "charm: ./log",
            "num_units: 1",
            "bundle.yaml:10: applications.log.charm: Field required",
            id="no charm",
        ),
        pytest.param(
            "options: {size: 2}",
            'storage: {data: "3"}',
            "bundle.yaml:6: db: storage data: 3 instances, but the charm takes 1 to 2",
            id="storage count",
        ),
        pytest.param(
            "options: {size: 2}",
            "storage: {date: 1G}",
            """bundle.yaml:6: db: storage: "date" is not declared by the charm """
            "(did you mean 'data'?)",
            id="unknown storage",
        ),
        pytest.param(
            "options: {size: 2}",
            "resources: {seed: ./seed.sql}",
            "bundle.yaml:6: db: resource seed: no such file: ./seed.sql",
            id="missing resource",
        ),
        pytest.param(
            "options: {size: 2}",
            "bindings: {sq: space}",
            'bundle.yaml:6: db: bindings: "sq" is not declared by the charm',
            id="unknown binding",
        ),
        pytest.param(
            'machines:\n  "0":',
            'saas: {other: {url: "x:admin/y.z"}}\nmachines:\n  "0":',
            'bundle.yaml:12: other: application offer "x:admin/y.z" not found',
            id="offer that is not there",
        ),
        pytest.param(
            'machines:\n  "0":',
            'saas:\n  other:\n    url: nothing\nmachines:\n  "0":',
            'bundle.yaml:14: invalid offer URL "nothing" for SAAS other',
            id="no URL of an offer",
        ),
        pytest.param(
            'machines:\n  "0":',
            'saas:\n  db: {url: admin/y.z}\nmachines:\n  "0":',
            'bundle.yaml:13: "db" is an application of this bundle already',
            id="application of both",
        ),
        pytest.param(
            "options: {size: 2}",
            "offers: {store: {endpoints: [sqll]}}",
            'bundle.yaml:6: offer store: application "db" has no endpoint "sqll" to offer',
            id="offer of an unknown endpoint",
        ),
        pytest.param(
            "options: {size: 2}",
            "offers: {store: {endpoints: []}}",
            "bundle.yaml:6: db: offer store: no endpoints",
            id="empty offer",
        ),
        pytest.param(
            "options: {size: 2}",
            "offers: {store: {endpoints: [sql], acl: {bob: consume}}}",
            'bundle.yaml:6: db: offer store: user "bob" not found',
            id="offer to an unknown user",
        ),
        pytest.param(
            "options: {size: 2}",
            "exposed-endpoints: {sqll: {}}",
            """bundle.yaml:6: db: exposed-endpoints: "sqll" is not declared by the charm""",
            id="unknown endpoint to expose",
        ),
        pytest.param(
            "options: {size: 2}",
            "exposed-endpoints: {sql: {expose-to-cidrs: [10.0.0.0/33]}}",
            """bundle.yaml:6: db: unable to parse "10.0.0.0/33" as a CIDR""",
            id="no network to expose to",
        ),
        pytest.param(
            "options: {size: 2}",
            "exposed-endpoints: {sql: {expose-to-spaces: [dmz]}}",
            """bundle.yaml:6: db: space "dmz" not found""",
            id="unknown space to expose to",
        ),
        pytest.param(
            "options: {size: 2}",
            "expose: true\n    exposed-endpoints: {sql: {}}",
            "bundle.yaml:7: db: cannot specify both expose and exposed-endpoints",
            id="everything and an endpoint exposed",
        ),
        pytest.param(
            'machines:\n  "0":',
            'bundle: kubernetes\nmachines:\n  "0":',
            'bundle.yaml:12: bundle has an invalid type "kubernetes"',
            id="kubernetes",
        ),
        pytest.param(
            "relations:", "relations: [}", "bundle.yaml:14: not valid YAML", id="not YAML"
        ),
    ],
)
def test_refused(folder: Path, old: str, new: str, complaint: str):
    assert GOOD.count(old) == 1
    assert complaint in refusal(folder, GOOD.replace(old, new))


def test_refused_relation_beyond_an_endpoints_limit(folder: Path):
    more = "".join(f"  {n}: {{charm: ./web, num_units: 1}}\n" for n in ("web2", "web3"))
    text = GOOD.replace("machines:", f"{more}machines:")
    text += "  - [db:sql, web2:database]\n  - [db:sql, web3:database]\n"
    assert (
        "bundle.yaml:20: db:sql: this relation would exceed its maximum relation limit of 2"
        in refusal(folder, text)
    )


def test_refused_container_scope_between_principals(folder: Path):
    text = GOOD.replace("charm: ./log", "charm: ./glue\n    num_units: 1")
    assert (
        "bundle.yaml:17: web:http log:local: a relation with scope container requires at least "
        "one subordinate application" in refusal(folder, text)
    )


def test_refused_empty_bundle(folder: Path):
    assert "at least one application must be specified" in refusal(folder, "description: none\n")


def test_refused_missing_file(folder: Path):
    with pytest.raises(BundleError, match=r"none\.yaml: cannot read the bundle: No such file"):
        plan(folder / "none.yaml")


def test_all_problems_are_told_at_once(folder: Path):
    text = GOOD.replace("size", "sice").replace("[web, log]", "[web, lgo]")
    assert len(refusal(folder, text).splitlines()) == 2


def test_refused_another_charm_for_an_existing_application(folder: Path):
    model = deployed(planned(folder, GOOD))
    text = GOOD.replace("charm: ./web", "charm: ./db").replace("web:database, db:sql", "web, log")
    told = refusal(folder, text, existing=model)
    assert 'bundle.yaml:8: web runs charm "web", which cannot become "db"' in told


def test_refused_application_that_is_being_removed(folder: Path):
    model = deployed(planned(folder, GOOD))
    dying = replace(model.applications["web"], life=Life.DYING)
    told = refusal(folder, GOOD, existing=model.with_application(dying))
    assert "bundle.yaml:8: web is being removed; deploy again when it is gone" in told


def test_refused_new_version_of_a_charm_that_breaks_a_relation(folder: Path):
    model = deployed(planned(folder, GOOD))
    (folder / "web/charmcraft.yaml").write_text("name: web\nprovides: {http: {interface: http}}")
    told = refusal(folder, GOOD, existing=model)
    assert 'bundle.yaml:8: web: would break relation "db:sql web:database"' in told
