"""Shut guests down before libvirt goes: the oneshot service `guests`.

Its start does nothing. It is started after libvirtd and before nova-compute, so it is stopped in
between: Nova no longer watches and keeps its guests for running, and starts them again at the next
start. A restart of either leaves it, and the guests, alone.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

TIMEOUT = 30.0
"""Seconds that guests have to shut down; then their power is cut."""


def shut_down(timeout: float = TIMEOUT) -> list[str]:
    """Ask all guests to shut down and wait for it.

    Args:
        timeout: seconds for all of them together.

    Returns:
        The guests that did not, and were cut off.

    Raises:
        subprocess.CalledProcessError: libvirt does not answer.
    """
    for guest in running():
        # One that ends by itself in between is no failure.
        _virsh("shutdown", guest, check=False)
    retrying = Retrying(
        retry=retry_if_result(bool), wait=wait_fixed(0.2), stop=stop_after_delay(timeout)
    )
    with suppress(RetryError):
        retrying(running)
    left = running()
    for guest in left:
        _virsh("destroy", "--graceful", guest, check=False)
    return left


def running() -> list[str]:
    """Return the names of the guests that run."""
    return _virsh("list", "--name").split()


def _virsh(*arguments: str, check: bool = True) -> str:
    """Run virsh(1); the service's environment says which libvirt."""
    return subprocess.run(
        ["virsh", *arguments], check=check, capture_output=True, text=True
    ).stdout


def main(arguments: list[str]) -> int:
    """Run as a program; returns its exit code."""
    if arguments != ["stop"]:
        return 0
    try:
        left = shut_down()
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        print(f"error: libvirt does not answer: {reason}", file=sys.stderr)  # noqa: T201
        return 1
    if left:
        print(f"warning: power cut for {', '.join(left)}", file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
