"""Which tests a run has, what tempest.conf is made of, and how results are told and reported."""

from __future__ import annotations

import configparser
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.workload.filled import PASSWORD, files
from workload.layout import Layout
from workload.validation import benchmark, report, settings, validate
from workload.validation.cloud import (
    Cloud,
    CloudError,
    Flavor,
    Image,
    Volumes,
    choose_flavor,
    choose_image,
)
from workload.validation.inventory import Inventory, Thing
from workload.validation.results import NO_RESULT, Outcome, Results, reasons, table
from workload.validation.selection import LISTS, Case, SelectionError, guidelines, select
from workload.validation.validate import Place, ValidationError

NETWORKS = "tempest.api.network.test_networks.NetworksTest"
IDS = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(4)]
INSTALLED = [
    Case.parse(f"{NETWORKS}.test_create[id-{IDS[0]},smoke]"),
    Case.parse(f"{NETWORKS}.test_list[id-{IDS[1]}]"),
    Case.parse(f"tempest.api.network.test_networks.NetworksIpV6Test.test_list[id-{IDS[1]}]"),
    Case.parse(f"tempest.scenario.test_basic.Basic.test_boots[compute,id-{IDS[2]},slow]"),
]


class TestSelection:
    def test_smoke_and_all_are_tempests_own(self) -> None:
        assert [case.id for case in select(INSTALLED, "smoke").tests] == [IDS[0]]
        assert select(INSTALLED, "all").tests == tuple(INSTALLED)

    def test_a_regular_expression_is_searched_for(self) -> None:
        assert len(select(INSTALLED, r"network.*test_list").tests) == 2

    def test_a_listed_test_is_found_by_id_though_it_was_renamed(self, tmp_path: Path) -> None:
        listed = tmp_path / "list"
        listed.write_text(f"# a list\n{IDS[2]} tempest.scenario.test_old.Old.test_boots  # once\n")
        found = select(INSTALLED, str(listed))
        assert [case.id for case in found.tests] == [IDS[2]]
        assert found.renamed == {"tempest.scenario.test_old.Old.test_boots": found.tests[0].name}

    def test_of_tests_that_inherit_an_id_the_listed_one_is_run(self, tmp_path: Path) -> None:
        listed = tmp_path / "list"
        listed.write_text(f"{IDS[1]} {NETWORKS}.test_list\n")
        assert [case.name for case in select(INSTALLED, str(listed)).tests] == [
            f"{NETWORKS}.test_list"
        ]

    def test_a_listed_test_that_is_not_installed_is_told_by_name(self, tmp_path: Path) -> None:
        listed = tmp_path / "list"
        listed.write_text(f"{IDS[3]} tempest.api.gone.Gone.test_gone\n{NETWORKS}.test_create\n")
        found = select(INSTALLED, str(listed))
        assert found.missing == (f"tempest.api.gone.Gone.test_gone ({IDS[3]})",)
        assert [case.id for case in found.tests] == [IDS[0]]

    def test_a_file_may_be_what_stestr_lists(self, tmp_path: Path) -> None:
        listed = tmp_path / "list"
        listed.write_text("".join(f"{case.full}\n" for case in INSTALLED))
        assert len(select(INSTALLED, str(listed)).tests) == 4

    def test_include_and_exclude_narrow_a_list_and_what_is_missing(self, tmp_path: Path) -> None:
        listed = tmp_path / "list"
        listed.write_text(
            f"{IDS[0]} a.b\n{IDS[1]} {NETWORKS}.test_list\n{IDS[3]} tempest.api.gone.Gone.x\n"
        )
        found = select(INSTALLED, str(listed), include=r"\.network\.", exclude="create")
        assert ([case.id for case in found.tests], found.missing) == ([IDS[1]], ())

    @pytest.mark.parametrize(
        ("wanted", "reason"),
        [
            ("interop-1999.01", "there are interop-2018.02, interop-2020.06"),
            ("/nowhere/list", "cannot read the list /nowhere/list"),
            ("(", "no regular expression"),
            ("nothing_like_it", "no installed test is selected"),
        ],
    )
    def test_what_selects_nothing_is_refused_with_the_reason(
        self, wanted: str, reason: str
    ) -> None:
        with pytest.raises(SelectionError, match=reason):
            select(INSTALLED, wanted)

    @pytest.mark.parametrize(("guideline", "ids"), [("2018.02", 212), ("2020.06", 217)])
    def test_the_guidelines_are_whole(self, guideline: str, ids: int) -> None:
        assert f"interop-{guideline}" in guidelines()
        flavors = "tempest.api.compute.flavors.test_flavors.FlavorsV2TestJSON.test_list_flavors"
        one = Case.parse(f"{flavors}[id-e36c0eaa-dff5-4082-ad1f-3f9a80aa3f59]")
        assert len(select([one], f"interop-{guideline}").missing) == ids - 1

    def test_the_newer_guideline_has_all_that_the_older_one_has(self) -> None:
        older, newer = (
            {
                line.split()[0]
                for line in (LISTS / f"interop-{guideline}.txt").read_text().splitlines()
                if not line.startswith("#")
            }
            for guideline in ("2018.02", "2020.06")
        )
        assert older < newer

    def test_a_list_of_which_nothing_is_installed_is_refused(self, tmp_path: Path) -> None:
        listed = tmp_path / "list"
        listed.write_text(f"{IDS[3]} tempest.api.gone.Gone.test_gone\n")
        with pytest.raises(SelectionError, match=r"not in this Tempest: tempest\.api\.gone"):
            select(INSTALLED, str(listed))


CLOUD = Cloud(
    auth_url="http://10.0.0.1:5000/v3",
    region="RegionOne",
    services=dict.fromkeys(("identity", "compute", "image", "network", "placement"), "http://x"),
    identity=(3, 14),
    compute="2.101",
    placement="1.39",
    hypervisors=("QEMU",),
    traits=frozenset({"COMPUTE_NET_ATTACH_INTERFACE"}),
    extensions=("port-security", "router"),
    formats=("ami", "qcow2", "raw"),
    containers=("ami", "bare", "ovf"),
    imports=("glance-direct",),
    image=Image("image-1", "guest", "qcow2", 0, 128, "root"),
    flavor=Flavor("flavor-1", "m1.tiny", 256, 1, 1),
    external_network=("net-1", "external"),
    external_subnets=(IPv4Network("10.20.20.0/24"),),
    no_volumes="no cinder-volume is up",
)


def conf(
    cloud: Cloud = CLOUD, password: str = "hunter2", bad_images: bool = False
) -> configparser.RawConfigParser:
    account = settings.Account("admin-tempest", password, "admin-tempest", "Default", "Default")
    own = settings.Supplies("image-2", "flavor-2", Path("/runs/1/guest"))
    parser = configparser.RawConfigParser(default_section="")
    found = settings.sections(cloud, account, own, Path("/runs/1"), bad_images=bad_images)
    text = settings.render(found)
    parser.read_string(text)
    return parser


def image(name: str, size: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "name": name,
        "size": size,
        "container_format": "bare",
        "disk_format": "qcow2",
        "visibility": "public",
        "min_disk": 0,
        "min_ram": 128,
        **more,
    }


def flavor(name: str, ram: int) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "ram": ram, "disk": 1, "vcpus": 1}


class TestChoice:
    def test_guests_are_of_the_smallest_image_and_the_smallest_flavor_it_fits(self) -> None:
        chosen = choose_image([image("large", 9), image("small", 5)])
        assert chosen.name == "small"
        flavors = [flavor("too-small", 64), flavor("large", 512), flavor("fits", 128)]
        assert choose_flavor(flavors, "", chosen).name == "fits"

    def test_what_a_run_that_was_cut_off_has_left_is_not_chosen(self) -> None:
        """Else it would be kept, as what the tests are to use, when it is cleaned up."""
        chosen = choose_image([image("tempest-alt", 5), image("guest", 5)])
        assert chosen.name == "guest"
        flavors = [flavor("tempest-alt", 128), flavor("m1.tiny", 256)]
        assert choose_flavor(flavors, "", chosen).name == "m1.tiny"

    def test_an_image_that_is_not_there_is_named(self) -> None:
        with pytest.raises(CloudError, match="no active image mine"):
            choose_image([image("guest", 5)], "mine")


class TestSettings:
    def test_what_the_cloud_says_stands_in_tempest_conf(self) -> None:
        found = conf()
        assert dict(found["compute"]) == {
            "image_ref": "image-1",
            "image_ref_alt": "image-2",
            "flavor_ref": "flavor-1",
            "flavor_ref_alt": "flavor-2",
            "min_compute_nodes": "1",
            "hypervisor_type": "QEMU",
            "max_microversion": "2.101",
        }
        assert found["identity"]["uri_v3"] == "http://10.0.0.1:5000/v3"
        assert found["network"]["public_network_id"] == "net-1"
        assert found["network-feature-enabled"]["api_extensions"] == "port-security,router"
        assert found["image"]["disk_formats"] == "raw,ami,qcow2"
        assert found["validation"]["image_ssh_user"] == "root"
        assert found["auth"]["admin_project_name"] == "admin-tempest"

    def test_services_are_those_of_the_catalog_and_volumes_need_a_backend(self) -> None:
        found = conf()["service_available"]
        assert {name: found[name] for name in ("nova", "swift", "cinder", "horizon")} == {
            "nova": "true",
            "swift": "false",
            "cinder": "false",
            "horizon": "false",
        }
        volumes = Volumes("block-storage", "3.71", "iSCSI", "Open Source", backup=False)
        with_volumes = conf(replace(CLOUD, volumes=volumes, no_volumes=""))
        assert with_volumes["service_available"]["cinder"] == "true"
        assert with_volumes["volume-feature-enabled"]["backup"] == "false"

    def test_features_follow_traits_and_the_number_of_hypervisors(self) -> None:
        one = conf()["compute-feature-enabled"]
        assert (one["interface_attach"], one["ide_bus"]) == ("true", "false")
        assert (one["live_migration"], one["resize"]) == ("false", "true")
        two = conf(replace(CLOUD, hypervisors=("QEMU", "QEMU")))
        assert two["compute-feature-enabled"]["live_migration"] == "true"

    def test_tests_networks_are_beside_the_external_one(self) -> None:
        assert conf()["network"]["project_network_cidr"] == "10.100.0.0/16"
        taken = replace(CLOUD, external_subnets=(IPv4Network("10.100.3.0/24"),))
        assert conf(taken)["network"]["project_network_cidr"] == "10.101.0.0/16"

    def test_random_bytes_are_uploaded_where_glance_does_not_inspect_them(self) -> None:
        found = conf()
        assert found["image"]["container_formats"] == "ovf,ami,bare"
        assert found["image-feature-enabled"]["image_format_enforcement"] == "false"
        strict = conf(bad_images=True)
        assert strict["image-feature-enabled"]["image_format_enforcement"] == "true"

    def test_a_password_may_have_what_oslo_config_replaces(self) -> None:
        assert conf(password="a$b%c")["auth"]["admin_password"] == "a$$b%c"


@dataclass
class Content:
    text: str

    def as_text(self) -> str:
        return self.text


def event(name: str, status: str, **details: str) -> dict[str, Any]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "id": name,
        "status": status,
        "details": {key: Content(text) for key, text in details.items()},
        "timestamps": [start, start + timedelta(seconds=2)],
    }


class TestResults:
    def test_each_test_ends_passed_failed_or_skipped_with_its_reason(self) -> None:
        results = Results(INSTALLED[:3])
        results.take(event(INSTALLED[0].full, "success"))
        results.take(event(INSTALLED[1].full, "fail", traceback="Boom", pythonlogging="secret"))
        results.take(event(INSTALLED[2].full, "skip", reason="no IPv6"))
        outcomes = {outcome.name: outcome for outcome in results.end()}
        assert outcomes[INSTALLED[0].name] == Outcome(INSTALLED[0].name, "passed", 2.0)
        assert outcomes[INSTALLED[1].name].detail == "Boom"
        assert outcomes[INSTALLED[2].name].detail == "no IPv6"

    @pytest.mark.parametrize(("status", "ended"), [("skip", "skipped"), ("fail", "failed")])
    def test_a_class_whose_set_up_ends_so_stands_for_its_tests(
        self, status: str, ended: str
    ) -> None:
        results = Results(INSTALLED[:3])
        results.take(event(f"setUpClass ({NETWORKS})", status, reason="off", traceback="off"))
        assert [
            (o.name, o.status) for o in results.end() if o.detail == "off" or "off" in o.detail
        ] == [(f"{NETWORKS}.test_create", ended), (f"{NETWORKS}.test_list", ended)]

    def test_a_failed_tear_down_is_a_failure(self) -> None:
        results = Results(INSTALLED[:1])
        results.take(event(INSTALLED[0].full, "success"))
        results.take(event(f"tearDownClass ({NETWORKS})", "fail", traceback="left a port"))
        assert [(o.name.rpartition(".")[2], o.status) for o in results.end()] == [
            ("tearDownClass", "failed"),
            ("test_create", "passed"),
        ]

    def test_a_test_without_a_result_failed(self) -> None:
        results = Results(INSTALLED[:1])
        assert results.end() == [Outcome(INSTALLED[0].name, "failed", 0.0, NO_RESULT)]

    def test_progress_has_done_failed_remaining_and_an_estimate(self) -> None:
        now = iter([0.0, 60.0])
        results = Results(INSTALLED, clock=lambda: next(now))
        results.take(event(INSTALLED[0].full, "fail", traceback="Boom"))
        assert results.progress == "1 of 4 tests done, 1 failed, 3 remaining, about 3 min left"

    def test_the_table_counts_by_part(self) -> None:
        outcomes = [
            Outcome("tempest.api.network.a.B.c", "passed"),
            Outcome("tempest.api.network.a.B.d", "failed"),
            Outcome("tempest.scenario.a.B.e", "skipped", detail="no volumes"),
        ]
        assert [line.split() for line in table(outcomes).splitlines()] == [
            ["part", "passed", "failed", "skipped"],
            ["network", "1", "1", "0"],
            ["scenario", "0", "0", "1"],
            ["total", "1", "1", "1"],
        ]
        assert reasons(outcomes) == {"no volumes": 1}


class TestReport:
    OUTCOMES = (
        Outcome("tempest.api.network.a.B.c", "passed", 1.5),
        Outcome("tempest.api.network.a.B.d", "failed", 2.0, "Traceback\n<b>Boom</b>\x00"),
        Outcome("tempest.scenario.a.B.e", "skipped", 0.0, "no volumes"),
    )

    def test_junit_has_each_test_with_its_time_and_what_was_wrong(self, tmp_path: Path) -> None:
        report.write_junit(tmp_path / "junit.xml", "smoke", self.OUTCOMES)
        suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
        assert {key: suite.get(key) for key in ("tests", "failures", "skipped")} == {
            "tests": "3",
            "failures": "1",
            "skipped": "1",
        }
        failure = suite.find("testcase/failure")
        assert failure is not None and failure.text == "Traceback\n<b>Boom</b>?"

    def test_the_page_shows_failures_skips_and_what_is_missing_and_left(
        self, tmp_path: Path
    ) -> None:
        page = tmp_path / "report.html"
        report.write_html(
            page, "smoke", {"Tempest": "47"}, self.OUTCOMES, ["tempest.gone"], ["servers x"]
        )
        text = page.read_text()
        assert "&lt;b&gt;Boom" in text and "<b>Boom" not in text
        for shown in ("tempest.gone", "servers x", "no volumes", "tempest.api.network.a.B.c"):
            assert shown in text


class TestInventory:
    PROJECT = Thing("projects", "p1", "demo", "")

    def test_what_tempest_made_and_is_still_there_is_left(self) -> None:
        before = Inventory(frozenset({self.PROJECT}))
        left = [
            Thing("users", "u1", "tempest-A-1", ""),
            Thing("ports", "q1", "", "p-gone"),
        ]
        later = Inventory(frozenset({self.PROJECT, *left}))
        assert before.left(later) == sorted(left, key=str)

    def test_what_others_made_meanwhile_is_not(self) -> None:
        before = Inventory(frozenset({self.PROJECT}))
        made = Thing("servers", "s1", "web", "p1")
        assert before.left(Inventory(frozenset({self.PROJECT, made}))) == []


class TestCredentials:
    def test_the_account_is_rendered_for_the_tests(self, layout: Layout) -> None:
        document = json.loads(files(layout, "tempest")["tempest/clouds.yaml"])
        assert document["clouds"]["validation"] == {
            "region_name": "RegionOne",
            "auth": {
                "auth_url": "http://10.0.0.1:5000/v3",
                "username": "admin-tempest",
                "password": f"admin-tempest-{PASSWORD}",
                "project_name": "service",
                "project_domain_name": "Default",
                "user_domain_name": "Default",
            },
        }

    def test_without_an_account_nothing_is_run(self, tmp_path: Path) -> None:
        with pytest.raises(ValidationError, match="relate tempest to keystone"):
            Place(tmp_path).connect()


class TestBenchmark:
    def test_all_leaves_out_volumes_where_the_cloud_makes_none(self) -> None:
        made = benchmark.task(CLOUD, benchmark.Request("all", times=6, concurrency=3))
        assert [subtask["title"] for subtask in made["subtasks"]] == [
            "authenticate",
            "network",
            "boot",
        ]
        for subtask in made["subtasks"]:
            assert subtask["runner"] == {"constant": {"times": 6, "concurrency": 3}}
            assert subtask["sla"] == {"failure_rate": {"max": 0}}

    def test_a_scenario_that_cannot_be_run_says_why(self) -> None:
        with pytest.raises(ValidationError, match="no cinder-volume is up"):
            benchmark.task(CLOUD, benchmark.Request("volume"))

    def test_volumes_are_attached_to_guests_of_the_small_flavor(self) -> None:
        volumes = Volumes("block-storage", "3.71", "iSCSI", "Open Source", backup=False)
        made = benchmark.task(replace(CLOUD, volumes=volumes), benchmark.Request("volume"))
        (scenario,) = (subtask["scenario"] for subtask in made["subtasks"])
        arguments = scenario["CinderVolumes.create_and_attach_volume"]
        assert arguments["flavor"] == {"id": "flavor-1"}

    def test_what_is_measured_is_told_in_seconds(self) -> None:
        line = benchmark.Measured("Authenticate.keystone", [0.1, 0.2, 0.4], 1, "boom")
        assert str(line) == "0.10 to 0.40 s, median 0.20 s, 3 done, 1 failed"

    def test_a_workload_of_rallys_report_is_read(self) -> None:
        done = {"duration": 2.5, "error": []}
        failed = {"duration": 9.0, "error": ["TimeoutException", "Rally tired waiting", "..."]}
        workload = {"scenario": {"NovaServers.boot_and_delete_server": {}}, "data": [done, failed]}
        document = {"tasks": [{"subtasks": [{"workloads": [workload]}]}]}
        (found,) = (benchmark.measure(one) for one in benchmark.workloads(document))
        assert found == benchmark.Measured(
            "NovaServers.boot_and_delete_server",
            [2.5],
            1,
            "TimeoutException Rally tired waiting",
        )

    def test_a_workload_whose_set_up_failed_failed(self) -> None:
        workload = {"scenario": {"Authenticate.keystone": {}}, "data": []}
        assert benchmark.measure(workload).failed == 1


def test_runs_of_one_second_have_folders_of_their_own_in_their_order(tmp_path: Path) -> None:
    place = validate.Place(common=tmp_path)
    made = [place.new_run() for _ in range(3)]
    assert sorted(place.runs.iterdir()) == made
