"""snapcraft.yaml is read as snapd reads it, and refused with the line where it is wrong."""

from __future__ import annotations

import pytest

from workload.service_table import Daemon, ServiceTable, TableError

TABLE = """\
environment:
  LANG: C.UTF-8
apps:
  web:
    command: bin/web --conf $SNAP_COMMON/etc/web.conf $ABSENT
    command-chain: [bin/prepare]
    daemon: simple
    plugs: [network-bind]
    environment:
      BASE: $SNAP_DATA/web
      CACHE: ${BASE}/cache
    after: [setup]
    stop-mode: sigint
    stop-timeout: 2m
    restart-condition: always
  setup:
    command: bin/setup
    daemon: oneshot
    stop-command: bin/setup stop
    before: [late]
  late:
    command: bin/late
    daemon: simple
  migrate:
    command: bin/migrate
"""
SNAP = {"SNAP": "/snap", "SNAP_DATA": "/data", "SNAP_COMMON": "/common"}


@pytest.fixture
def table() -> ServiceTable:
    return ServiceTable.parse(TABLE)


def test_apps_with_a_daemon_are_services_and_the_others_commands(table: ServiceTable):
    assert list(table.services) == ["web", "setup", "late"]
    assert list(table.commands) == ["migrate"]


def test_variables_of_the_environment_see_the_ones_before_them(table: ServiceTable):
    environment = table.apps["web"].expanded_environment(SNAP)
    assert environment["CACHE"] == "/data/web/cache"
    assert environment["LANG"] == "C.UTF-8"


def test_an_argument_that_expands_to_nothing_is_dropped(table: ServiceTable):
    assert table.apps["web"].argv(SNAP) == [
        "/snap/bin/prepare",
        "/snap/bin/web",
        "--conf",
        "/common/etc/web.conf",
    ]


def test_the_stop_command_runs_below_the_snap_too(table: ServiceTable):
    setup = table.apps["setup"]
    assert setup.argv(SNAP, setup.stop_command) == ["/snap/bin/setup", "stop"]


def test_stop_mode_without_all_spares_the_children(table: ServiceTable):
    web, late = table.apps["web"], table.apps["late"]
    assert (web.stop_signal, web.stops_children, web.stop_timeout) == ("INT", False, 120)
    assert (late.stop_signal, late.stops_children, late.stop_timeout) == ("TERM", True, 30)


def test_services_start_behind_those_they_name_and_those_that_name_them(table: ServiceTable):
    order = table.start_order()
    assert order.index("setup") < order.index("web")
    assert order.index("setup") < order.index("late")
    assert table.apps["setup"].daemon is Daemon.ONESHOT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "apps:\n  a:\n    command: x\n    comand: y\n",
            "f.yaml:4: apps.a.comand: Extra inputs are not permitted",
        ),
        (
            "apps:\n  a:\n    command: x\n  a:\n    command: y\n",
            "f.yaml:4: apps.a already stands in line 2",
        ),
        (
            "apps:\n  a:\n    command: 'x; rm'\n",
            "f.yaml:3: apps.a.command: snapd allows letters, digits and / . _ # : $ - here",
        ),
        (
            "apps:\n  a:\n    command: x\n    stop-timeout: 3s\n",
            "f.yaml:2: apps.a: only a service (daemon:) may have stop-timeout",
        ),
        (
            "apps:\n  a:\n    command: x\n    daemon: simple\n    after: [b]\n",
            "f.yaml:2: apps.a: no service 'b'",
        ),
        ("apps:\n  a: [\n", "f.yaml:3: expected the node content, but found '<stream end>'"),
    ],
)
def test_a_mistake_is_refused_with_its_line(text: str, message: str):
    with pytest.raises(TableError) as refusal:
        ServiceTable.parse(text, "f.yaml")
    assert str(refusal.value) == message


def test_a_circle_is_named():
    text = "apps:\n" + "".join(
        f"  {a}:\n    command: x\n    daemon: simple\n    after: [{b}]\n" for a, b in ("ab", "ba")
    )
    with pytest.raises(TableError, match=r"circle: a -> b -> a|circle: b -> a -> b"):
        ServiceTable.parse(text)
