"""Machines side by side: one for each processor."""

from __future__ import annotations

import os
import re

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_processor() -> None:
    """Keep the machines of one worker to one processor: where two share one, both starve."""
    if worker := re.fullmatch(r"gw([0-9]+)", os.environ.get("PYTEST_XDIST_WORKER", "")):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[int(worker[1]) % len(processors)]})
