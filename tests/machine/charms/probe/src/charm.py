"""Runs hook tools that a test names, and notes every event with its environment."""

import json
import os
import signal
from pathlib import Path

import ops
from ops.hookcmds import _relation, _utils


class ProbeCharm(ops.CharmBase):
    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        framework.observe(self.on.tool_action, self._tool)
        for event in self.on.events().values():
            if not issubclass(event.event_type, (ops.LifecycleEvent, ops.ActionEvent)):
                framework.observe(event, self._note)

    def _note(self, event: ops.EventBase) -> None:
        name = event.handle.kind.replace("_", "-")
        variables = {k: v for k, v in os.environ.items() if k.startswith("JUJU_")}
        with Path("events").open("a") as events:
            events.write(json.dumps({"name": name, **variables}) + "\n")
        if self.config["hang"] == name:
            signal.pause()
        once = Path(f"rebooted-{name}")
        if name in (self.config["reboot"], self.config["reboot-now"]) and not once.exists():
            once.touch()
            self.unit.reboot(now=self.config["reboot-now"] == name)
        if self.config["fail"] == name:
            raise SystemExit(1)

    def _tool(self, event: ops.ActionEvent) -> None:
        run = _relation.run
        try:
            printed = run(*event.params["argv"], input=event.params["stdin"] or None)
        except _utils.Error as e:
            event.set_results({"code": e.returncode, "said": e.stderr})
        else:
            event.set_results({"code": 0, "said": printed})
        if event.params["fail"]:
            event.fail(event.params["fail"])


if __name__ == "__main__":
    ops.main(ProbeCharm)
