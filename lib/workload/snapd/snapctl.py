"""Call `snapctl`, by which a snap's own hooks and services speak to snapd.

https://snapcraft.io/docs/using-snapctl. A hook's calls belong to the change of snapd's that it is
part of; a service's are changes of their own, and wait for others of this snap to end.
"""

from __future__ import annotations

import re
import subprocess

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

PROGRAM = "snapctl"

BUSY_TIMEOUT = 600.0
"""Seconds that another change of the snap may take: a `snap set` by the user, or a refresh, which
restarts one service after another."""

BUSY_PAUSE = 0.2

_BUSY = re.compile(r"has .* change in progress")

_LATE = re.compile(r"timeout exceeded while waiting for response")
"""snapd took longer than `snapctl` waits; it does what it was asked all the same."""

_REPEATABLE = frozenset({"get", "services", "set", "start", "stop", "unset"})
"""What may be asked again: the second time changes nothing."""


class SnapctlError(Exception):
    """snapd refuses a call; the message is snapd's."""


class _BusyError(SnapctlError):
    """Another change of the snap is under way."""


def call(*arguments: str) -> str:
    """Return what `snapctl` prints.

    Raises:
        SnapctlError: snapd refuses, or another change of the snap does not end.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(_BusyError),
        wait=wait_fixed(BUSY_PAUSE),
        stop=stop_after_delay(BUSY_TIMEOUT),
        reraise=True,
    )
    return retrying(_call, arguments)


def _call(arguments: tuple[str, ...]) -> str:
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    message = done.stderr.strip().removeprefix("error: ")
    late = _LATE.search(message) and arguments[0] in _REPEATABLE
    raise (_BusyError if late or _BUSY.search(message) else SnapctlError)(message)
