"""Run the stop commands of services."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Sequence

from workload.layout import Layout
from workload.runtime.programs import service_environment
from workload.service_table import App

logger = logging.getLogger(__name__)


def run_command(layout: Layout, app: App, words: Sequence[str]) -> None:
    """Run a stop command; output goes to the service's log. A failure is logged, not raised.

    As under systemd, a stop command that fails keeps nobody from stopping the service.
    """
    environment = service_environment(layout, app)
    argv = app.argv(environment, words)
    with (layout.service_log / f"{app.name}.log").open("ab") as log:
        try:
            subprocess.run(
                argv,
                env=environment,
                cwd=layout.snap_data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                umask=0o077,
                timeout=app.stop_timeout,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            logger.warning("%s: %s", app.name, error)
