"""Does in each hook what its options say, and keeps a record."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ops

logger = logging.getLogger(__name__)


class RecorderCharm(ops.CharmBase):
    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        framework.observe(self.on.config_changed, self._wait)
        framework.observe(self.on.show_action, self._show)
        for event in self.on.events().values():
            if not issubclass(event.event_type, (ops.LifecycleEvent, ops.ActionEvent)):
                framework.observe(event, self._record)

    def _record(self, event: ops.EventBase) -> None:
        name = event.handle.kind.replace("_", "-")
        logger.info("hook %s", name)
        with Path("hooks").open("a") as record:
            record.write(f"{name}\n")
        relation = self.model.get_relation("cluster")
        if relation is not None:
            done = json.loads(relation.data[self.unit].get("done", "[]"))
            relation.data[self.unit]["done"] = json.dumps([*done, name])
        if self.config["fail"] == name:
            sys.exit(1)

    def _wait(self, _: ops.EventBase) -> None:
        """Wait, with a child process, until the file is there."""
        awaited = str(self.config["wait-for"])
        if awaited:
            script = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): "
            child = subprocess.Popen([sys.executable, "-c", script + "time.sleep(0.02)", awaited])
            Path("pids").write_text(f"{os.getpid()} {child.pid}")
            deadline = time.monotonic() + 30
            while not Path(awaited).exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            child.wait()

    def _show(self, event: ops.ActionEvent) -> None:
        sys.stdout.write("to stdout\n")
        event.log("showing")
        event.set_results({"environment": json.dumps(sorted(os.environ)), "cwd": os.getcwd()})
        if event.params["outcome"] == "fail":
            event.fail("as asked")
        if event.params["outcome"] == "hang":
            signal.pause()
        if event.params["outcome"] == "crash":
            raise RuntimeError("as asked")


if __name__ == "__main__":
    ops.main(RecorderCharm)
