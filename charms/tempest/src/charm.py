#!/usr/bin/env python3
"""Tests of a cloud: Tempest's and Rally's, run by the snap and told as actions' results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ops

from charmbase import ComponentCharm, Option, Requires, sections, snap
from interfaces import keystone_admin
from workload.config.tempest import TempestConfig

JOB = "test"

REFUSED = 2
"""Exit code of what could not be run; its last line says why."""


class TempestCharm(ComponentCharm[TempestConfig]):
    """Run Tempest and Rally against the cloud that the related Keystone is of."""

    component = "tempest"

    identity_admin = Requires("identity-admin", keystone_admin.Requirer)

    mapping = {
        "debug": Option("debug"),
        "identity": sections.administrator(identity_admin),
    }

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        for name in ("validate", "generate-config", "cleanup", "benchmark"):
            framework.observe(self.on[name].action, self._on_action)

    def _on_action(self, event: ops.ActionEvent) -> None:
        if not self.built.complete:
            event.fail("the cloud's credentials are not here yet: see the unit's status")
            return
        name = event.handle.kind.removesuffix("_action").replace("_", "-")
        try:
            done = snap.follow_job(JOB, self._arguments(name, event.params), event.log)
        except snap.JobFailed as error:
            event.fail(str(error))
            return
        if done.document is None:
            event.fail(ended_early(name, done))
            return
        event.set_results(results(done.document))
        if done.code:
            event.fail(verdict(done.document))

    def _arguments(self, name: str, parameters: Mapping[str, Any]) -> list[str]:
        chosen = {key: self.config[key] for key in ("image", "flavor")}
        return [*options(chosen), name, *options(parameters)]


def options(values: Mapping[str, Any]) -> Sequence[str]:
    """Return values as options of a command line; what is empty is left out."""
    return [f"--{key}={value}" for key, value in values.items() if value != ""]


def results(document: Mapping[str, Any]) -> dict[str, str]:
    """Return a run's result as an action's: one text for each key."""
    return {key: _text(value) for key, value in document.items()}


def ended_early(name: str, done: snap.Done) -> str:
    """Return in one line why a run has no result; what was cut off may have left something."""
    last = " | ".join(done.last[-1:]) or "no message"
    if done.code == REFUSED:
        return last
    return f"{name} ended with {done.code} ({last}): what it made is removed by the action cleanup"


def verdict(document: Mapping[str, Any]) -> str:
    """Return in one line what is not as it should be."""
    failed, left = document.get("failed", 0), document.get("left", ())
    parts = [f"{failed} failed"] if failed else []
    parts += [f"left in the cloud: {', '.join(left)}"] if left else []
    return "; ".join(parts) or "failed"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {inner}" for key, inner in value.items())
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return str(value)


if __name__ == "__main__":
    ops.main(TempestCharm)
