"""Where values come from and go to: `explain`, and `doctor` where the way is broken."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from machine.client import LogLine, RelationRecord
from microstack import doctor
from microstack.cli import run
from microstack.host import Facts, Listener
from microstack.rendered import HIDDEN, Tracks, hide
from workload.components import ALL
from workload.config.nova import NovaConfig
from workload.runtime.status import ServiceStatus

from .conftest import CHECKOUT, FakeInstallation, FakeMachine, application, document

Captured = pytest.CaptureFixture[str]

NOVA = {
    "identity": {"auth-url": "http://10.0.0.1:5000/v3", "username": "nova", "password": "s3cret"},
    "database": {"host": "10.0.0.2", "name": "nova", "username": "n", "password": "hunter2"},
}
IDENTITY = RelationRecord(
    30,
    "keystone",
    ("keystone:identity-service", "nova:identity-service"),
    "global",
    {
        "keystone": {
            "internal-auth-url": '"http://10.0.0.1:5000/v3"',
            "service-credentials": '"secret:abc"',
        },
        "nova": {},
    },
)


@pytest.fixture
def nova(installation: FakeInstallation, machine: FakeMachine) -> FakeInstallation:
    """Nova as it is while MariaDB has sent nothing, beside a Keystone that works."""
    for name in ("nova", "keystone"):
        folder = installation.layout.machine_state / f"units/{name}-0/charm"
        folder.parent.mkdir(parents=True)
        folder.symlink_to(CHECKOUT / "charms" / name)
    installation.fake_services.document |= {"nova": {"identity": NOVA["identity"]}}
    installation.fake_services.states.append(
        ServiceStatus("nova-api", "simple", True, "waiting", 0.0, missing=("nova.rabbitmq.host",))
    )
    machine.related += [
        IDENTITY,
        RelationRecord(
            12, "mysql_client", ("mariadb:database", "nova:database"), "global", {"mariadb": {}}
        ),
    ]
    message = "database (mariadb) has not sent endpoints"
    machine.statuses = [
        document(
            nova=application("nova", "waiting", message),
            keystone=application("keystone"),
            mariadb=application("mariadb"),
        )
    ]
    installation.done.append("start")
    return installation


class TestExplain:
    def test_shows_the_whole_way_of_a_value(
        self, nova: FakeInstallation, capsys: Captured
    ) -> None:
        assert run(["explain", "nova.identity.auth-url"]) == 0
        shown = capsys.readouterr().out.splitlines()
        assert shown[0] == "nova.identity.auth-url = http://10.0.0.1:5000/v3"
        ways = [line.split(maxsplit=1) for line in shown[2:6]]
        assert ways == [
            ["charm", "relation identity-service (keystone): internal-auth-url"],
            ["relation", "keystone:identity-service → nova:identity-service  (id 30)"],
            ["databag", "keystone: internal-auth-url = http://10.0.0.1:5000/v3"],
            ["snap", "key  nova.identity.auth-url = http://10.0.0.1:5000/v3"],
        ]
        assert f"file      {nova.layout.etc}/nova/nova.conf" in shown[6]
        assert any(re.search(r"\d+  \[placement\] auth_url = http", line) for line in shown)
        assert "  service   nova-api: waiting" in shown

    @pytest.mark.parametrize("key", ["identity.password", "database.host", "database.password"])
    def test_never_shows_a_secret(
        self, nova: FakeInstallation, capsys: Captured, key: str
    ) -> None:
        assert run(["explain", f"nova.{key}"]) == 0
        assert run(["explain", "nova"]) == 0
        shown = capsys.readouterr().out
        assert "s3cret" not in shown
        assert "hunter2" not in shown

    def test_names_the_field_of_a_secret(self, nova: FakeInstallation, capsys: Captured) -> None:
        assert run(["explain", "nova.identity.password"]) == 0
        shown = capsys.readouterr().out
        assert "service-credentials = secret:abc, its field password" in shown

    def test_says_what_was_not_sent_and_what_is_not_related(
        self, nova: FakeInstallation, capsys: Captured
    ) -> None:
        assert run(["explain", "nova.database.port"]) == 0
        assert "mariadb: endpoints = not sent yet" in capsys.readouterr().out
        assert run(["explain", "nova.rabbitmq.host"]) == 0
        assert "missing: nothing is related to amqp" in capsys.readouterr().out

    def test_suggests_what_was_meant(self, nova: FakeInstallation, capsys: Captured) -> None:
        assert run(["explain", "nova.identity.auth-ulr"]) == 1
        assert "hint: did you mean nova.identity.auth-url?" in capsys.readouterr().err
        assert run(["explain", "nvoa.port"]) == 1
        assert "there is no application nvoa" in capsys.readouterr().err

    def test_lists_all_keys_of_a_component(self, nova: FakeInstallation, capsys: Captured) -> None:
        assert run(["explain", "nova"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert any(re.match(r"port +8774 +option port$", line) for line in lines)
        assert any(re.match(r"rabbitmq.host +\(unset\) +relation amqp", line) for line in lines)


class TestPlaces:
    def find(self, key: str, **config: Any) -> dict[str, list[str]]:
        from workload.layout import Layout

        model = NovaConfig.model_validate({**NOVA, **config})
        found = Tracks(ALL["nova"], model, Layout()).places(key)
        return {place.path.name: list(place.lines.values()) for place in found}

    def test_a_key_names_the_files_and_lines_that_it_decides(self) -> None:
        assert self.find("port") == {"api-uwsgi.ini": ["[uwsgi] http-socket = 127.0.0.1:8774"]}

    def test_secrets_in_the_same_line_are_replaced(self) -> None:
        [line] = self.find("database.host")["nova.conf"]
        assert f"n:{HIDDEN}@10.0.0.2" in line

    def test_an_unset_key_names_the_line_it_would_decide(self) -> None:
        assert self.find("metadata.shared-secret") != {}

    def test_hiding_leaves_everything_else(self) -> None:
        hidden = hide(NovaConfig.model_validate(NOVA))
        assert hidden.identity.password.get_secret_value() == HIDDEN
        assert hidden.identity.username == "nova"


class TestDoctor:
    def test_a_fit_host_and_a_sick_application_are_1(
        self, nova: FakeInstallation, capsys: Captured
    ) -> None:
        assert run(["doctor"]) == 1
        shown = capsys.readouterr().out
        assert re.search(r"✓ +memory", shown)
        assert re.search(r"✗ +nova +waiting: database \(mariadb\)", shown)

    def test_leads_from_the_relation_to_the_service(
        self, nova: FakeInstallation, capsys: Captured
    ) -> None:
        run(["doctor", "nova"])
        lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
        start = lines.index("relation  mariadb:database → nova:database")
        assert (
            lines[start + 1] == "databag   mariadb has not sent endpoints, database, secret-user"
        )
        assert lines[start + 2].startswith("snap key  nova.")
        assert "relation  nova:amqp is related to nothing" in lines
        assert "service   nova-api: waiting, waits for nova.rabbitmq.host" in lines

    def test_what_waits_for_another_points_there(
        self, nova: FakeInstallation, machine: FakeMachine, capsys: Captured
    ) -> None:
        machine.statuses[0]["applications"]["mariadb"]["application-status"] = {
            "current": "blocked"
        }
        run(["doctor"])
        shown = capsys.readouterr().out
        assert "waits for mariadb; its whole path: ./microstack doctor nova" in shown
        assert shown.index(" mariadb ") < shown.index(" nova ")

    def test_a_failed_hook_shows_the_end_of_its_traceback(
        self, nova: FakeInstallation, machine: FakeMachine, capsys: Captured
    ) -> None:
        failed = application("nova", "error", 'hook failed: "install"')
        machine.statuses = [document(nova=failed)]
        machine.log.append(LogLine(0.0, "unit-nova-0", "ERROR", "", "Traceback\nKeyError: 'x'"))
        assert run(["doctor"]) == 1
        shown = capsys.readouterr().out
        assert "KeyError: 'x'" in shown
        assert "juju resolved nova/0" in shown

    def test_a_cloud_that_is_well_is_0(
        self, nova: FakeInstallation, machine: FakeMachine, capsys: Captured
    ) -> None:
        machine.statuses = [document(nova=application("nova"))]
        assert run(["doctor"]) == 0
        assert "none is failing" in capsys.readouterr().out

    def test_a_host_without_a_cloud_is_checked_too(
        self, installation: FakeInstallation, capsys: Captured
    ) -> None:
        assert run(["doctor"]) == 0
        assert "not running: ./microstack up" in capsys.readouterr().out

    def test_a_way_out_that_several_share_is_told_once(
        self, installation: FakeInstallation, fit: Facts, capsys: Captured
    ) -> None:
        taken = [Listener(port, "0.0.0.0", 7, "other", ours=False) for port in (5000, 9292)]
        installation.facts.append(replace(fit, listeners=tuple(taken)))
        assert run(["doctor"]) == 1
        shown = capsys.readouterr().out
        assert shown.count("is taken by other (pid 7)") == 2
        assert shown.count("up --overlay FILE") == 1

    def test_an_unknown_application_is_refused(
        self, nova: FakeInstallation, capsys: Captured
    ) -> None:
        assert run(["doctor", "nvoa"]) == 1
        assert "there is no application nvoa" in capsys.readouterr().err

    def test_keys_are_listed_by_section(self) -> None:
        keys = ["nova.database.host", "nova.database.name", "nova.port"]
        assert doctor.brief(keys) == "nova.database.{host, name}, nova.port"
