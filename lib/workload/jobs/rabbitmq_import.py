"""Import the rendered accounts into a running broker, which reads them at its start alone."""

from __future__ import annotations

import os
import subprocess

from workload.jobs.job import etc, run

TIMEOUT = 60.0
"""Seconds until the broker must have taken them."""


def main() -> None:
    """Import users, virtual hosts and permissions."""
    rabbitmqctl = os.path.join(os.environ["SNAP"], "bin/rabbitmqctl")
    definitions = str(etc("rabbitmq", "definitions.json"))
    done = subprocess.run(
        [rabbitmqctl, "--quiet", "import_definitions", definitions],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise RuntimeError(f"rabbitmqctl returned {done.returncode}: {lines[0]}")


if __name__ == "__main__":
    run(main)
