"""The snap's daemon `machine`: make the jobs' commands, then become the machine agent."""

from __future__ import annotations

import os

from microstack.installation import Installation
from workload import render
from workload.runtime.programs import write_launchers
from workload.service_table import ServiceTable


def main() -> None:
    """Become the agent; the charms that it runs find the snap's jobs on their PATH."""
    installation = Installation.from_environment()
    layout = installation.layout
    render.make_folders(layout)
    write_launchers(layout, ServiceTable.load(layout.snapcraft))
    agent = installation.agent()
    environment = {**os.environ, **agent.environment}
    os.execve(agent.argv[0], list(agent.argv), environment)  # noqa: S606


if __name__ == "__main__":
    main()
