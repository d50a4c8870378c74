"""Observes an event and does nothing."""

import ops


class CrowdCharm(ops.CharmBase):
    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        framework.observe(self.on.config_changed, self._nothing)

    def _nothing(self, _: ops.ConfigChangedEvent) -> None:
        pass


if __name__ == "__main__":
    ops.main(CrowdCharm)
