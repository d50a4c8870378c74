"""Hand the options of charms in snap config on to whoever runs charms: another program."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from workload.configure import ConfigError

TIMEOUT = 60.0
"""Seconds to look the options over and set them."""


def hand_on(command: Sequence[str], section: Any) -> None:
    """Give the section to a program as JSON on its standard input.

    Raises:
        ConfigError: the program refuses it, in its own words, or does not end.
    """
    try:
        done = subprocess.run(
            command,
            input=json.dumps(section),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"charms: not looked over within {TIMEOUT:.0f} s") from None
    if done.returncode != 0:
        raise ConfigError(done.stderr.strip())
