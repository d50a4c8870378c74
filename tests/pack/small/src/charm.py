#!/usr/bin/env python3
"""Says in its status where its library is from."""

import ops


class SmallCharm(ops.CharmBase):
    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        framework.observe(self.on.collect_unit_status, self._status)

    def _status(self, event: ops.CollectStatusEvent) -> None:
        event.add_status(ops.ActiveStatus(f"ops is {ops.__file__}"))


if __name__ == "__main__":
    ops.main(SmallCharm)
