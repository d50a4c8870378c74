from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest

from machine.client import HookRecord, RelationRecord
from microstack import gantt, records, timeline
from microstack.cli import run
from microstack.gantt import Axis, Bar, critical_path, decisive_services, kind_of
from workload.runtime.status import ServiceEvent

from .conftest import FakeInstallation, FakeMachine


def hook(app: str, name: str, started: float, ended: float, failed: bool = False) -> Bar:
    return Bar(app, f"{app}/0", name, kind_of(name), started, ended, failed)


def service(app: str, name: str, started: float, ended: float) -> Bar:
    return Bar(app, name, "start", "service", started, ended)


NEIGHBOURS = {
    ("keystone", "database"): frozenset({"mariadb"}),
    ("mariadb", "database"): frozenset({"keystone", "nova"}),
    ("nova", "database"): frozenset({"mariadb"}),
    ("nova", "identity-service"): frozenset({"keystone"}),
    ("keystone", "identity-service"): frozenset({"nova"}),
}

BRING_UP = [
    hook("mariadb", "install", 0, 4),
    hook("nova", "install", 0, 1),
    hook("keystone", "install", 0, 1),
    hook("nova", "database-relation-changed", 4, 6),
    hook("keystone", "database-relation-changed", 4.1, 9),
    hook("nova", "identity-service-relation-changed", 9, 12),
    hook("mariadb", "database-relation-changed", 9.5, 9.6),
]


def names(bars: Sequence[Bar]) -> list[str]:
    return [f"{bar.row} {bar.label}" for bar in bars]


class TestCriticalPath:
    def test_goes_from_what_ended_last_back_to_what_let_each_step_go(self) -> None:
        path = critical_path(BRING_UP, NEIGHBOURS)
        assert names([step.bar for step in path]) == [
            "mariadb/0 install",
            "keystone/0 database-relation-changed",
            "nova/0 identity-service-relation-changed",
        ]
        assert [round(step.waited, 1) for step in path] == [0.0, 0.1, 0.0]

    def test_without_relations_a_unit_only_waits_for_itself(self) -> None:
        path = critical_path(BRING_UP, {})
        assert names([step.bar for step in path]) == [
            "nova/0 install",
            "nova/0 database-relation-changed",
            "nova/0 identity-service-relation-changed",
        ]

    def test_is_that_of_the_longest_work_not_of_what_was_done_later(self) -> None:
        later = hook("nova", "config-changed", 900, 901)
        path = critical_path([*BRING_UP, later], NEIGHBOURS)
        assert path[-1].bar.label == "identity-service-relation-changed"

    def test_does_not_end_with_what_a_user_asked_for_once_all_was_up(self) -> None:
        action = hook("keystone", "action get-admin-account", 12.1, 12.3)
        path = critical_path([*BRING_UP, action], NEIGHBOURS)
        assert path == critical_path(BRING_UP, NEIGHBOURS)

    def test_marks_the_service_that_a_step_waited_for(self) -> None:
        path = critical_path(BRING_UP, NEIGHBOURS)
        slow, quick = service("nova", "nova-api", 9.5, 12), service("nova", "nova-api2", 9.5, 10)
        other = service("glance", "glance", 9.5, 12)
        assert decisive_services(path, [slow, quick, other]) == {slow}

    def test_of_nothing_is_nothing(self) -> None:
        assert critical_path([], NEIGHBOURS) == []


@pytest.mark.parametrize(
    ("name", "kind", "endpoint"),
    [
        ("install", "setup", None),
        ("config-changed", "config", None),
        ("shared-db-relation-changed", "relation", "shared-db"),
        ("secret-changed", "other", None),
        ("action get-admin-account", "action", None),
        ("update-status", "other", None),
    ],
)
def test_kinds_of_hooks(name: str, kind: str, endpoint: str | None) -> None:
    assert kind_of(name) == kind
    assert hook("a", name, 0, 1).endpoint == endpoint


class TestAxis:
    def test_leaves_out_pauses(self) -> None:
        axis = Axis([hook("a", "install", 0, 10), hook("a", "start", 1000, 1010)], 234, gap=34)
        assert axis.scale == 10
        assert [axis.x(moment) for moment in (0, 10, 1000, 1010)] == [0, 100, 134, 234]

    def test_ticks_are_round_and_inside_what_is_shown(self) -> None:
        axis = Axis([hook("a", "install", 0.3, 61.3)], 1180)
        seconds = [second for _, second in axis.ticks()]
        assert seconds == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]

    def test_an_instant_is_no_division_by_zero(self) -> None:
        assert Axis([hook("a", "install", 5, 5)], 100).x(5) == 0

    def test_steps(self) -> None:
        assert [gantt.round_step(least) for least in (0.01, 3, 61, 1e6)] == [0.1, 5, 120, 86400]


class TestRecords:
    def test_a_service_start_lasts_until_the_hook_that_waits_for_it_ends(self) -> None:
        [bar] = records.service_bars(
            [ServiceEvent(5, "nova-api", "STARTING"), ServiceEvent(15, "nova-api", "RUNNING")],
            [hook("nova", "database-relation-changed", 4, 12), hook("glance", "start", 4, 20)],
            {"nova-api": "nova"},
        )
        assert (bar.group, bar.row, bar.started, bar.ended) == ("nova", "nova-api", 5, 12)

    def test_one_that_ends_before_lasts_until_then_and_one_that_dies_has_failed(self) -> None:
        hooks = [hook("nova", "start", 0, 12)]
        events = [
            ServiceEvent(1, "ovs-setup", "STARTING"),
            ServiceEvent(3, "ovs-setup", "EXITED"),
            ServiceEvent(4, "nova-api", "STARTING"),
            ServiceEvent(5, "nova-api", "BACKOFF"),
        ]
        owners = dict.fromkeys(("ovs-setup", "nova-api"), "nova")
        bars = records.service_bars(events, hooks, owners)
        assert [(bar.ended, bar.failed) for bar in bars] == [(3, False), (5, True)]

    def test_a_death_while_it_ran_is_marked_where_it_was(self) -> None:
        events = [
            ServiceEvent(1, "nova-api", "STARTING", asked=True),
            ServiceEvent(11, "nova-api", "RUNNING"),
            ServiceEvent(60, "nova-api", "EXITED", detail="terminated by SIGKILL"),
            ServiceEvent(61, "nova-api", "STARTING"),
        ]
        bars = records.service_bars(events, [], {"nova-api": "nova"})
        shown = [(bar.label, bar.started, bar.failed) for bar in bars]
        death = ("terminated by SIGKILL", 60, True)
        assert shown == [("start", 1, False), death, ("start", 61, False)]

    def test_a_hook_that_runs_ends_now(self) -> None:
        [bar] = records.hook_bars([HookRecord("nova/0", "install", 3.0)], now=9.0)
        assert (bar.ended, bar.failed) == (9.0, False)

    def test_every_service_belongs_to_an_application(self) -> None:
        owners = records.owners()
        assert owners["nova-scheduler"] == "nova"
        assert owners["ovs-vswitchd"] == "ovn-chassis"

    def test_neighbours_are_those_at_the_other_end(self) -> None:
        related = RelationRecord(
            3, "mysql_client", ("mariadb:database", "nova:database"), "global", {}
        )
        peers = RelationRecord(4, "nova_peers", ("nova:nova-peers",), "global", {})
        assert records.neighbours_of([related, peers]) == {
            ("mariadb", "database"): {"nova"},
            ("nova", "database"): {"mariadb"},
            ("nova", "nova-peers"): {"nova"},
        }


class TestPage:
    def page(self, bars: Sequence[Bar]) -> str:
        return timeline.render(bars, NEIGHBOURS)

    def drawings(self, page: str) -> list[ElementTree.Element]:
        return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]

    def test_needs_nothing_from_elsewhere(self) -> None:
        page = self.page(BRING_UP).replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|src=|@import|url\(", page)

    def test_every_bar_is_there_with_what_a_pointer_shows(self) -> None:
        page = self.page([*BRING_UP, service("nova", "nova-api", 9.5, 12)])
        assert len(re.findall(r"<rect[^>]*><title>", page)) == len(BRING_UP) + 1
        assert "keystone/0  database-relation-changed\n4.10 s to 9.00 s: 4.90 s" in page

    def test_three_bars_and_a_service_are_marked_as_critical(self) -> None:
        page = self.page([*BRING_UP, service("nova", "nova-api", 9.5, 12)])
        assert len(re.findall(r'class="[^"]* critical"', page)) == 4

    def test_bars_of_different_rows_do_not_overlap(self) -> None:
        bars = [*BRING_UP, service("nova", "nova-api", 9.5, 12), service("nova", "api2", 9.5, 11)]
        _, plot = self.drawings(self.page(bars))
        rows = {
            (float(r.get("y", 0)), float(r.get("height", 0)))
            for r in plot.iter("{http://www.w3.org/2000/svg}rect")
            if "band" not in r.get("class", "")
        }
        ordered = sorted(rows)
        assert len(ordered) == 5
        for (y, height), (below, _) in itertools.pairwise(ordered):
            assert y + height <= below

    def test_applications_stand_in_the_order_in_which_they_came_up(self) -> None:
        names_svg, _ = self.drawings(self.page(BRING_UP))
        units = [t.text for t in names_svg.iter() if t.get("class") == "unit"]
        assert units == ["keystone/0", "mariadb/0", "nova/0"]

    def test_names_of_hooks_are_text_not_markup(self) -> None:
        assert "<script>x" not in self.page([hook("a", "<script>x", 0, 1)])


def test_the_command_writes_the_page_without_update_status(
    installation: FakeInstallation, machine: FakeMachine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    machine.records += [
        HookRecord("nova/0", "install", 1.0, 2.0, "done"),
        HookRecord("nova/0", "update-status", 300.0, 301.0, "done"),
    ]
    output = tmp_path_factory.mktemp("out") / "timeline.html"
    assert run(["timeline", "-o", str(output)]) == 0
    assert "update-status" not in output.read_text()
    assert run(["timeline", "--update-status", "-o", str(output)]) == 0
    assert "update-status" in output.read_text()


def test_before_anything_ran_there_is_nothing_to_draw(
    installation: FakeInstallation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["timeline"]) == 1
    assert "error: nothing has run yet" in capsys.readouterr().err
