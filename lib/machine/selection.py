"""The part of a status that is asked for by patterns, as `juju status PATTERN...` has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any


def select(status: Mapping[str, Any], patterns: Sequence[str]) -> dict[str, Any]:
    """The status with what one of the patterns matches; all of it without patterns.

    A pattern matches the name of an application or a unit (`*` is any text), a workload's status
    (`blocked`), an open port (`80/tcp`), or what is `exposed`. An application has the units that
    match, or all where it is itself that matches; a principal matches where its subordinate does.
    `APP/leader` is the unit that leads.
    """
    if not patterns:
        return dict(status)
    chosen = {
        name: shown
        for name, application in status["applications"].items()
        if (shown := _application(name, application, patterns)) is not None
    }
    return {**status, "applications": chosen}


def _application(
    name: str, application: Mapping[str, Any], patterns: Sequence[str]
) -> dict[str, Any] | None:
    if _any(name, patterns) or ("exposed" in patterns and application["exposed"]):
        return dict(application)
    units = {
        unit: described
        for unit, described in application.get("units", {}).items()
        if _unit(unit, described, patterns)
    }
    if units:
        return {**application, "units": units}
    current = application["application-status"]["current"]
    return dict(application) if not application.get("units") and current in patterns else None


def _unit(name: str, unit: Mapping[str, Any], patterns: Sequence[str]) -> bool:
    lodgers = unit.get("subordinates", {})
    application = name.partition("/")[0]
    return (
        _any(name, patterns)
        or _any(application, patterns)
        or (unit.get("leader", False) and f"{application}/leader" in patterns)
        or unit["workload-status"]["current"] in patterns
        or not set(unit.get("open-ports", ())).isdisjoint(patterns)
        or any(_unit(lodger, described, patterns) for lodger, described in lodgers.items())
    )


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
