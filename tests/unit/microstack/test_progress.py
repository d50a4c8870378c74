from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console

from microstack.model import Application, applications
from microstack.progress import Log, Tree, nested

from .conftest import application, document, unit


def apps(**documents: dict[str, object]) -> Sequence[Application]:
    return applications(document(**documents))


def test_without_a_terminal_each_change_is_one_line() -> None:
    stream = io.StringIO()
    seconds = iter([0.0, 1.0, 2.5, 3.0])
    log = Log(stream, lambda: next(seconds))
    log.step("deploying the bundle")
    log.show(apps(nova=application("nova", "waiting", "no database")))
    log.show(apps(nova=application("nova", "waiting", "no database")))
    log.show(apps(nova=application("nova")))
    assert stream.getvalue().splitlines() == [
        "[   1.0 s] deploying the bundle",
        "[   2.5 s] nova: waiting: no database",
        "[   3.0 s] nova: active",
    ]


def test_the_tree_shows_status_what_is_awaited_and_time_until_settled() -> None:
    now = [0.0]
    console = Console(file=io.StringIO(), width=70, color_system=None)
    tree = Tree(io.StringIO(), lambda: now[0], console)
    now[0] = 61.0
    tree.show(apps(a=application("a"), b=application("b", "waiting", "cache has not sent host")))
    now[0] = 75.0
    tree.step("waiting for the applications")
    with console.capture() as captured:
        console.print(tree.render())
    assert [line.split() for line in captured.get().splitlines()] == [
        ["✓", "a", "active", "1:01"],
        ["○", "b", "waiting", "1:15", "cache", "has", "not", "sent", "host"],
        ["⠋", "waiting", "for", "the", "applications", "1:15"],
    ]


def test_a_long_message_is_cut_and_nothing_else() -> None:
    console = Console(file=io.StringIO(), width=50, color_system=None)
    tree = Tree(io.StringIO(), lambda: 0.0, console)
    compute = application("nova-compute", "waiting", "identity has not sent " * 9)
    tree.show(apps(nova_compute=compute))
    with console.capture() as captured:
        console.print(tree.render())
    (line,) = captured.get().splitlines()
    assert line.split()[:4] == ["○", "nova-compute", "waiting", "0:00"]
    assert line.endswith("…")


def test_an_application_that_is_unsettled_again_counts_on() -> None:
    now = [1.0]
    tree = Tree(io.StringIO(), lambda: now[0], Console(file=io.StringIO(), width=60))
    tree.show(apps(a=application("a")))
    tree.show(apps(a=application("a", "waiting")))
    now[0] = 9.0
    tree.show(apps(a=application("a")))
    console = Console(file=io.StringIO(), width=60, color_system=None)
    with console.capture() as captured:
        console.print(tree.render())
    assert "0:08" in captured.get()


def test_subordinates_stand_below_their_principal() -> None:
    chassis = application("ovn-chassis", **{"subordinate-to": ["nova-compute"]})
    shown = nested(apps(nova_compute=application("nova-compute"), ovn_chassis=chassis))
    assert [(guide, app.name) for guide, app in shown] == [
        ("", "nova-compute"),
        ("└─ ", "ovn-chassis"),
    ]


class TestModel:
    def test_units_of_subordinates_are_found_below_their_principals(self) -> None:
        compute = application("nova-compute")
        lodger = {"ovn-chassis/0": unit("error", 'hook failed: "start"')}
        compute["units"]["nova-compute/0"]["subordinates"] = lodger
        chassis = {"application-status": {"current": "error"}}
        found = {app.name: app for app in apps(nova_compute=compute, ovn_chassis=chassis)}
        assert found["ovn-chassis"].message == 'hook failed: "start"'
        assert [failed.name for failed in found["ovn-chassis"].failed_units] == ["ovn-chassis/0"]

    def test_an_application_that_says_nothing_shows_what_its_agent_runs(self) -> None:
        nova = application("nova", "maintenance", agent="executing")
        nova["units"]["nova/0"]["juju-status"]["message"] = "running install hook"
        [found] = apps(nova=nova)
        assert found.doing == "running install hook"
        assert found.busy
