"""What a bundle makes of a model, and that a wrong one is refused whole, with file and line."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from machine import bridge, changes
from machine.bundle import BundleError, plan
from machine.bundle_view import exported
from machine.life import Life, Status
from machine.model import EVERYONE, Application, Exposure, Model
from machine.plan import (
    AddApplication,
    AddRelation,
    AddUnit,
    Expose,
    Plan,
    RefreshCharm,
    SetOptions,
    SetTrust,
)
from machine.relation import Offer, Relation, Scope
from machine.unit import Unit

FAR, HERE = "00000000-0000-0000-0000-00000000000f", "00000000-0000-0000-0000-000000000001"
CHARMS = {
    "db": """
        name: db
        provides: {sql: {interface: sql, limit: 2}, sql-admin: {interface: sql}}
        peers: {db-peers: {interface: db_peers}}
        config: {options: {size: {type: int, default: 1}, motd: {type: string}}}
        storage: {data: {type: filesystem, multiple: {range: 1-2}}}
        resources: {seed: {type: file, filename: seed.sql}}
        """,
    "web": """
        name: web
        requires: {database: {interface: sql}, cache: {interface: memcache}}
        provides: {http: {interface: http}}
        """,
    "log": """
        name: log
        subordinate: true
        requires: {host: {interface: juju-info, scope: container}}
        """,
    "future": """
        name: future
        assumes: [juju >= 3.1, {any-of: [k8s-api, juju >= 9.0]}]
        """,
    "wrong": "name: wrong\nprovides: {x: {}}",
    "glue": """
        name: glue
        requires: {local: {interface: http, scope: container}}
        """,
}

GOOD = """\
applications:
  db:
    charm: ./db/db.charm
    num_units: 1
    to: ["0"]
    options: {size: 2}
  web:
    charm: ./web
    num_units: 2
  log:
    charm: ./log
machines:
  "0":
relations:
  - [web:database, db:sql]
  - [web, log]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in CHARMS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "charmcraft.yaml").write_text(dedent(text))
    return tmp_path


def planned(
    folder: Path,
    text: str,
    *overlays: str,
    existing: Model | None = None,
    models: Sequence[Model] | None = (),
) -> Plan:
    (folder / "bundle.yaml").write_text(text)
    files: list[Path] = []
    for number, overlay in enumerate(overlays):
        files.append(folder / f"overlay{number}.yaml")
        files[-1].write_text(overlay)
    return plan(folder / "bundle.yaml", files, existing, models)


def refusal(
    folder: Path,
    text: str,
    *overlays: str,
    existing: Model | None = None,
    models: Sequence[Model] | None = (),
) -> str:
    with pytest.raises(BundleError) as refused:
        planned(folder, text, *overlays, existing=existing, models=models)
    return "\n".join(refused.value.problems).replace(f"{folder}/", "")


def deployed(bundle: Plan) -> Model:
    """The model as it is once a plan of additions has been applied."""
    model = Model("m", "uuid")
    for change in bundle.changes:
        match change:
            case AddApplication():
                model = model.with_application(
                    Application(
                        change.name,
                        change.charm,
                        str(change.charm_path),
                        options=change.options,
                    )
                )
            case AddUnit(name):
                number = len(model.units_of(name))
                status = Status("active")
                model = model.with_unit(Unit(f"{name}/{number}", status, status))
            case AddRelation(provider, requirer, scope):
                number = len(model.relations)
                model = model.with_relation(Relation(number, (provider, requirer), scope))
            case _:
                raise AssertionError(change)
    return model


# ---- what is planned


def test_a_bundle_adds_applications_then_units_then_relations(folder: Path):
    assert [str(c) for c in planned(folder, GOOD).changes] == [
        f"deploy application db from {folder}/db",
        f"deploy application log from {folder}/log",
        f"deploy application web from {folder}/web",
        "add unit of db",
        "add unit of web",
        "add unit of web",
        "add relation db:sql - web:database",
        "add relation web:juju-info - log:host",
    ]


def test_a_deployed_bundle_plans_nothing(folder: Path):
    model = deployed(planned(folder, GOOD))
    assert planned(folder, GOOD, existing=model) == Plan()


def test_the_packed_charm_goes_before_the_folder_it_is_packed_from(folder: Path):
    with zipfile.ZipFile(folder / "db/db.charm", "w") as archive:
        archive.writestr("metadata.yaml", "name: db\nprovides: {sql: {interface: sql}}\n")
        archive.writestr("config.yaml", "options: {size: {type: int}}\n")
    change = planned(folder, GOOD).changes[0]
    assert isinstance(change, AddApplication)
    assert change.charm_path == folder / "db/db.charm"


def test_a_charm_keeps_the_name_it_was_given_through_a_link(folder: Path):
    """As in a snap, where `current` leads to one revision, and to another after a refresh."""
    current = folder.parent / "current"
    current.symlink_to(folder)
    planned(folder, GOOD)
    change = plan(current / "bundle.yaml").changes[0]
    assert isinstance(change, AddApplication)
    assert change.charm_path == current / "db"


def test_endpoints_are_inferred_where_only_one_fits(folder: Path):
    text = GOOD.replace("[web:database, db:sql]", "[db:sql, web]")
    relation = planned(folder, text).changes[-2]
    assert str(relation) == "add relation db:sql - web:database"


def test_a_relation_has_container_scope_if_one_end_has(folder: Path):
    relation = planned(folder, GOOD).changes[-1]
    assert isinstance(relation, AddRelation)
    assert relation.scope is Scope.CONTAINER


def test_only_what_differs_is_changed(folder: Path):
    model = deployed(planned(folder, GOOD))
    text = GOOD.replace("{size: 2}", "{size: 3, motd: hi}\n    expose: true\n    trust: true")
    text = text.replace("num_units: 2", "num_units: 3")
    assert planned(folder, text, existing=model).changes == (
        SetOptions("db", {"size": 3, "motd": "hi"}),
        SetTrust("db", True),
        Expose("db", {"": EVERYONE}),
        AddUnit("web"),
    )


def test_units_are_never_removed(folder: Path):
    model = deployed(planned(folder, GOOD))
    text = GOOD.replace("num_units: 2", "num_units: 1")
    assert planned(folder, text, existing=model).changes == ()


def test_a_changed_charm_is_refreshed(folder: Path):
    model = deployed(planned(folder, GOOD))
    (folder / "web/src").mkdir()
    (folder / "web/src/charm.py").write_text("pass")
    (change,) = planned(folder, GOOD, existing=model).changes
    assert isinstance(change, RefreshCharm)
    assert change.application == "web"


def test_text_and_binary_files_are_included_relative_to_the_bundle(folder: Path):
    (folder / "motd.txt").write_text("welcome\n")
    for include, meant in (("file", "welcome\n"), ("base64", "d2VsY29tZQo=")):
        text = GOOD.replace("{size: 2}", f'{{motd: "include-{include}://motd.txt"}}')
        change = planned(folder, text).changes[0]
        assert isinstance(change, AddApplication)
        assert change.options == {"motd": meant}


# ---- overlays


def test_overlays_merge_options_and_replace_other_keys(folder: Path):
    overlay = "applications: {db: {options: {motd: hi}}, web: {num_units: 1}}"
    changes = planned(folder, GOOD, overlay).changes
    assert isinstance(changes[0], AddApplication)
    assert changes[0].options == {"size": 2, "motd": "hi"}
    assert sum(isinstance(c, AddUnit) and c.application == "web" for c in changes) == 1


def test_an_overlay_with_null_removes_an_application_and_its_relations(folder: Path):
    changes = planned(folder, GOOD, "applications: {log: null}").changes
    assert not any("log" in str(change) for change in changes)


def test_further_documents_of_the_bundle_are_overlays(folder: Path):
    text = GOOD + "---\napplications: {web: {num_units: 1}}\n"
    assert sum(c == AddUnit("web") for c in planned(folder, text).changes) == 1


def test_a_problem_in_an_overlay_is_placed_in_the_overlay(folder: Path):
    overlay = "applications:\n  db:\n    options:\n      sice: 3\n"
    assert "overlay0.yaml:4: db: unknown option" in refusal(folder, GOOD, overlay)
    overlay = "relations:\n  - [web:databse, db:sql-admin]\n"
    assert "overlay0.yaml:2: charm" in refusal(folder, GOOD, overlay)


# ---- what is refused


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


def test_offers_and_exposed_endpoints_are_kept_and_planned_once(folder: Path):
    offers = "offers: {store: {endpoints: [sql], acl: {admin: admin}}}"
    cidrs = "sql-admin: {expose-to-cidrs: [10.1.0.0/16, 10.0.0.0/24]}"
    exposed = f"exposed-endpoints: {{sql: , {cidrs}}}"
    text = GOOD.replace("options: {size: 2}", f"{offers}\n    {exposed}")
    first = planned(folder, text)
    model = changes.applied(Model("m", "uuid"), first.changes, 0.0)
    assert model.offers["store"] == Offer("store", "db", ("sql",))
    db = model.applications["db"]
    some = Exposure(cidrs=("10.0.0.0/24", "10.1.0.0/16"))
    assert db.exposures == {"sql": EVERYONE, "sql-admin": some}
    assert not planned(folder, text, existing=model).changes
    taken = GOOD.replace("charm: ./web", "charm: ./web\n    offers: {store: {endpoints: [http]}}")
    told = refusal(folder, taken, existing=model)
    assert 'bundle.yaml:9: web: offer "store" already exists, of application db' in told


class TestSaas:
    """Applications of other models, which a bundle names by the URLs of their offers."""

    BUNDLE = """\
saas:
  store:
    url: machine:admin/far.sql
applications:
  web: {charm: ./web, num_units: 1}
relations:
  - [web:database, store]
"""

    @pytest.fixture
    def far(self, folder: Path) -> Model:
        """A model that offers what a bundle can relate to."""
        text = "applications: {db: {charm: ./db/db.charm, num_units: 1}}"
        model = changes.applied(Model("far", FAR), planned(folder, text).changes, 0.0)
        return changes.offer(model, "db", ["sql"], "sql")

    def test_they_are_consumed_and_related_once(self, folder: Path, far: Model):
        here = Model("here", HERE)
        first = planned(folder, self.BUNDLE, existing=here, models=[here, far])
        model = changes.applied(here, first.changes, 0.0)
        assert model.remotes["store"] == bridge.consume(here, far, "sql", "store").remotes["store"]
        (relation,) = (r for r in model.relations.values() if not r.peer)
        assert str(relation) == "store:sql web:database"
        again = planned(folder, self.BUNDLE, existing=model, models=[model, far])
        assert again.changes == ()
        assert exported(model, "ubuntu@24.04")[0]["saas"] == {
            "store": {"url": "machine:admin/far.sql"}
        }

    def test_an_overlay_removes_one_with_its_relations(self, folder: Path, far: Model):
        plan = planned(folder, self.BUNDLE, "saas: {store: null}", models=[far])
        assert [type(change) for change in plan.changes] == [AddApplication, AddUnit]

    def test_an_overlay_takes_another_offer_for_one(self, folder: Path, far: Model):
        other = "saas: {store: {url: admin/far.none}}"
        told = refusal(folder, self.BUNDLE, other, models=[far])
        assert told == 'overlay0.yaml:1: store: application offer "admin/far.none" not found'

    def test_one_that_does_not_fit_is_told_with_file_and_line(self, folder: Path, far: Model):
        text = self.BUNDLE.replace("web:database", "web:cache")
        told = refusal(folder, text, models=[far])
        assert told == 'bundle.yaml:7: no relations found between "web:cache store"'

    def test_where_other_models_are_not_known_all_else_is_verified(self, folder: Path):
        unknown = planned(folder, self.BUNDLE, models=None)
        assert unknown.unseen == ("machine:admin/far.sql",)
        assert [type(change) for change in unknown.changes] == [AddApplication, AddUnit]
        text = self.BUNDLE.replace("machine:admin/far.sql", "nothing") + "  - [web, gone]\n"
        told = refusal(folder, text, models=None).splitlines()
        assert told[0] == 'bundle.yaml:3: invalid offer URL "nothing" for SAAS store'
        assert told[1].startswith(
            'bundle.yaml:8: relation "web gone" refers to application "gone"'
        )

    def test_the_models_own_offer_is_refused(self, folder: Path, far: Model):
        told = refusal(folder, self.BUNDLE, existing=far, models=[far])
        assert told == 'bundle.yaml:3: store: an offer of the model itself: relate to "sql"'

    def test_two_of_them_are_not_related_here(self, folder: Path, far: Model):
        two = self.BUNDLE.replace("applications:", "  other: {url: admin/far.sql}\napplications:")
        told = refusal(folder, two.replace("[web:database,", "[other,"), models=[far])
        assert told == 'bundle.yaml:8: "other store": both are of other models'


def test_what_was_exposed_one_by_one_is_exported_as_an_overlay(folder: Path):
    model = deployed(planned(folder, GOOD))
    some = Exposure(("alpha",), ("10.0.0.0/24",))
    model = changes.applied(model, [Expose("db", {"sql": some}), Expose("web", {})], 0.0)
    bundle, overlay = exported(model, "ubuntu@24.04")
    assert bundle["applications"]["web"]["expose"] is True
    assert "expose" not in bundle["applications"]["db"]
    to = {"expose-to-spaces": ["alpha"], "expose-to-cidrs": ["10.0.0.0/24"]}
    assert overlay["applications"] == {"db": {"exposed-endpoints": {"sql": to}}}


# ---- what is only told


def test_unknown_keys_are_told_and_ignored(folder: Path):
    text = GOOD.replace("num_units: 2", "num_units: 2\n    optoins: {}")
    (warning,) = planned(folder, text).warnings
    assert warning.endswith(
        "bundle.yaml:10: applications.web.optoins: unknown key, ignored (did you mean 'options'?)"
    )


def test_what_gets_no_unit_is_told(folder: Path):
    text = GOOD.replace("    num_units: 2\n", "").replace("[web, log]", "[web:database, db]")
    text = text.replace("  - [web:database, db:sql]\n", "").replace("db]", "db:sql]")
    told = "\n".join(planned(folder, text).warnings)
    assert "bundle.yaml:7: web gets no unit: it has no num_units" in told
    assert "bundle.yaml:9: log gets no unit: it is subordinate and has no relation" in told


def test_the_projects_own_bundle_is_right():
    checkout = Path(__file__).resolve().parents[2]
    assert plan(checkout / "bundles/microstack.yaml").warnings == ()
