#!/usr/bin/env python3
"""Block volumes on LVM over iSCSI, on a backing file or a disk of the machine."""

from __future__ import annotations

import json
import re
from typing import Any

import ops

from charmbase import (
    All,
    ComponentCharm,
    Computed,
    Hostname,
    Option,
    Present,
    Requires,
    Services,
    snap,
)
from charmbase.charm import SERVICE_TIMEOUT
from interfaces import cinder_backend
from workload.config.cinder_lvm import CinderLvmConfig

GROUP = "microstack-volumes"
STORAGE = "block-device"

FILLING, FULL = 80, 95
"""Percent of the thin pool in use from which users are told, and from which it is a problem."""


class CinderLvmCharm(ComponentCharm[CinderLvmConfig]):
    """Operate cinder-volume and its storage, on the machine of Cinder's control plane."""

    component = "cinder-lvm"

    storage_backend = Requires(
        "storage-backend",
        cinder_backend.Requirer,
        request=cinder_backend.RequirerData(backend_name="lvm", volume_type="lvm"),
    )

    probe = All(
        (
            Services(("cinder-volume", "cinder-backup")),
            Present("run/cinder-lvm/ready", "cinder-volume"),
        )
    )
    mapping = {
        "debug": Option("debug"),
        "host": Hostname(),
        "schema-release": storage_backend["release"],
        "volume-group": Computed(lambda charm: charm.group, "volume group"),
    }

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        self.group: str | None = None
        self._unused = ""
        self._usage: dict[str, Any] = {}
        framework.observe(self.on[STORAGE].storage_attached, self._on_storage_attached)
        framework.observe(self.on[STORAGE].storage_detaching, self._on_storage_detaching)
        for name, act in (
            ("cinder-lvm-setup", self._on_setup),
            ("cinder-lvm-grow", self._on_grow),
            ("cinder-lvm-teardown", self._on_teardown),
        ):
            framework.observe(self.on[name].action, act)

    def hindrance(self) -> str:
        """Make the storage of what Juju or the options give; return why there is none."""
        self.group = snap.current(self.component).get("volume-group")
        attached = self.model.storages[STORAGE]
        try:
            if attached:
                # Each time: after a boot Juju may attach it later than the services start.
                made = self._make({"device": str(attached[0].location)})
                self._unused = attached[0].full_id if "unused" in made else ""
            elif not self.group and self.storage_backend.relation:
                return self._make_of_options()
        except snap.JobFailed as error:
            return reason(error)
        return ""

    def message(self, config: CinderLvmConfig) -> str:
        """Say so in time where the storage fills up; and which of Juju's it is not on."""
        used = self._used()
        told = [_filling(used)] if used >= FILLING else []
        if self._unused:
            told.append(
                f"{self._unused} is attached and not used: to use it run cinder-lvm-teardown once "
                "no volume is left, else detach it"
            )
        return "; ".join(told)

    def problems(self) -> list[str]:
        """Return that the storage is about full, so that writes will fail, or is not there.

        And that no iSCSI initiator takes orders, without which no volume is attached.
        """
        try:
            used = self._used()
        except snap.JobFailed as error:
            return [reason(error)]
        problems = [_filling(used)] if used >= FULL else []
        if not self._usage.get("initiator", True):
            problems.append("no iSCSI initiator takes orders: see the log of iscsid")
        return problems

    def _used(self) -> int:
        """Return how much of the thin pool, or of its table, is in use, in percent."""
        if not self._usage:
            self._usage = answer(snap.run_job("cinder-lvm-usage"))
        return max(int(self._usage.get(f"{part}-percent", 0)) for part in ("data", "metadata"))

    def _make_of_options(self) -> str:
        size, device = (str(self.config[name]) for name in ("loop-size", "device"))
        snap.run_job("cinder-lvm-check")
        if not size and not device:
            return "no storage: run the action cinder-lvm-setup"
        self._make({"size": size or "20G", "device": device})
        return ""

    def _make(self, parameters: dict[str, object]) -> dict[str, Any]:
        made = answer(snap.run_job("cinder-lvm-setup", parameters))
        self.group = GROUP
        return made

    def _on_storage_attached(self, _: ops.StorageAttachedEvent) -> None:
        # The first is before `install`; a unit that is active, or wants storage, is installed.
        if not self.starting:
            self.reconcile()

    def _on_storage_detaching(self, event: ops.StorageDetachingEvent) -> None:
        # With volumes left the hook fails, and Juju keeps what they are on.
        device = str(event.storage.location)
        if answer(snap.run_job("cinder-lvm-teardown", {"device": device})).get("removed"):
            self.rebuild()
        elif isinstance(self.unit.status, ops.ActiveStatus):
            # What was said of it, that it is not used, no longer holds.
            self.unit.status = ops.ActiveStatus()

    def _on_setup(self, event: ops.ActionEvent) -> None:
        try:
            made = self._make({name: event.params[name] for name in ("size", "device", "force")})
        except snap.JobFailed as error:
            event.fail(reason(error))
            return
        event.set_results(made)
        self.rebuild()
        self.reconcile(SERVICE_TIMEOUT)

    def _on_grow(self, event: ops.ActionEvent) -> None:
        try:
            usage = answer(snap.run_job("cinder-lvm-grow", {"size": event.params["size"]}))
        except snap.JobFailed as error:
            event.fail(reason(error))
            return
        event.set_results(usage)
        self.reconcile()

    def _on_teardown(self, event: ops.ActionEvent) -> None:
        given, attached = {"force": event.params["force"]}, self.model.storages[STORAGE]
        if attached:
            given |= {"device": str(attached[0].location), "elsewhere": True}
        elif self.config["loop-size"] or self.config["device"]:
            event.fail("reset the options loop-size and device first: they ask for the storage")
            return
        try:
            done = answer(snap.run_job("cinder-lvm-teardown", given))
        except snap.JobFailed as error:
            event.fail(reason(error))
            return
        if attached and not done.get("removed"):
            event.fail(f"detach {attached[0].full_id} instead: the storage is on it")
            return
        self.rebuild()
        self.reconcile()


def answer(lines: list[str]) -> dict[str, Any]:
    """Return the JSON document that a job ended with."""
    return json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}


def _filling(used: int) -> str:
    return f"storage is {used}% full: run cinder-lvm-grow, or delete volumes"


def reason(error: snap.JobFailed) -> str:
    """Return what a job said; what the host lacks begins with `host: `."""
    found = re.search(r"error: (\w+): (.*)", str(error))
    if not found:
        return str(error)
    return f"host: {found[2]}" if found[1] == "HostLacksError" else found[2]


if __name__ == "__main__":
    ops.main(CinderLvmCharm)
