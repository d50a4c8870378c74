"""The queries of `wait-for` mean what Juju's documentation says they mean."""

from __future__ import annotations

from typing import Any

import pytest

from machine.goal_query import QueryError, parse

UNITS = {
    f"mysql/{n}": {"name": f"mysql/{n}", "workload-status": status}
    for n, status in enumerate(("active", "blocked"))
}
MYSQL: dict[str, Any] = {
    "name": "mysql",
    "life": "alive",
    "status": "active",
    "exposed": False,
    "workload-version": "8.0",
    "units": UNITS,
    "machines": {"0": {"id": "0", "status": "started"}},
}


@pytest.mark.parametrize(
    "query",
    [
        'name=="mysql" && (status=="active" || status=="idle")',
        'life=="alive" && status=="active"',
        "len(units) == 2",
        "len(units) >= 2 && len(machines) < 2",
        'forEach(units, unit => startsWith(unit.name, "mysql"))',
        'forEach(units, unit => unit.workload-status == "active" || endsWith(unit.name, "1"))',
        'units["mysql/1"].workload-status != "active"',
        "exposed == false",
        "'8.0' == workload-version;",
        'status == "active" || nothing == "here"',
    ],
)
def test_it_is_so(query: str):
    assert parse(query)(MYSQL) is True


@pytest.mark.parametrize(
    "query",
    [
        'status=="idle"',
        'forEach(units, unit => unit.workload-status == "active")',
        'len(units) > 2 && name == "mysql"',
        "name < 3",
        'status == "idle" && nothing == "here"',
    ],
)
def test_it_is_not_so(query: str):
    assert parse(query)(MYSQL) is False


def test_nothing_to_look_at_is_no_success():
    assert parse("forEach(units, unit => true)")({"units": {}}) is False


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("", "unexpected 'end of query'"),
        ("name ==", "unexpected 'end of query'"),
        ("(name == 'x'", r"expected '\)'"),
        ("name = 'x'", "unexpected '='"),
        ("name == 'x' 'y'", "unexpected \"'y'\""),
        ("shout(name)", 'no function "shout"'),
        ("len(name, name)", "wanted: 1, received: 2"),
    ],
)
def test_what_is_no_query_is_refused(query: str, complaint: str):
    with pytest.raises(QueryError, match=complaint):
        parse(query)


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("colour == 'red'", 'identifier "colour" not found; there is exposed, life'),
        ("name && true", "only allowed on boolean values"),
        ("len(exposed) == 1", "unexpected type passed to len"),
        ("forEach(name, x => true)", "forEach takes entities"),
    ],
)
def test_what_an_entity_does_not_have_is_told(query: str, complaint: str):
    goal = parse(query)
    with pytest.raises(QueryError, match=complaint):
        goal(MYSQL)
