"""iSCSI sessions of this host with the appliance's targets, and with no others."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    retry_if_not_result,
    stop_after_delay,
    wait_fixed,
)

SESSIONS = Path("/sys/class/iscsi_session")

SOCKETS = Path("/proc/net/unix")
DAEMON = "@ISCSIADM_ABSTRACT_NAMESPACE"
"""The socket on which a host's one iscsid takes orders (open-iscsi, usr/mgmt_ipc.h)."""

TIMEOUT = 60
"""Seconds a session may take to end; the other side may be gone."""

START_TIMEOUT = 10.0
"""Seconds until a daemon must take orders."""

KNOWN_TIMEOUT = 30.0
"""Seconds until a daemon must know a session that is older than it is."""

TOOLS = "bin/with-initiator"
"""Below `$SNAP`: runs a command with the appliance's own folder of names and records."""

PROGRAM = "usr/sbin/iscsid"
"""Below `$SNAP`: the daemon. A checkout's `usr` is the host's, whose /sbin is merged into it."""


class SessionError(Exception):
    """A session that cannot be ended; the message says which and why."""


def sessions(prefix: str) -> Mapping[int, str]:
    """Return the number and target of each session with a target whose name begins so."""
    found: dict[int, str] = {}
    for path in SESSIONS.glob("session*"):
        try:
            target = (path / "targetname").read_text().strip()
        except OSError:
            # It ended meanwhile.
            continue
        if target.startswith(prefix):
            found[int(path.name.removeprefix("session"))] = target
    return dict(sorted(found.items()))


def end(prefix: str, snap: Path) -> None:
    """End the sessions with targets whose names begin so; what is on their disks is lost to users.

    Args:
        prefix: of the targets' names.
        snap: `$SNAP`.

    Raises:
        SessionError: some resist; all others are ended.
    """
    found = sessions(prefix)
    if not found:
        return
    failures: list[str] = []
    with _daemon(snap):
        for number, target in found.items():
            try:
                _log_out(number, snap)
            except subprocess.CalledProcessError as error:
                lines = error.stderr.strip().splitlines() or ["no message"]
                failures.append(f"{target}: {lines[-1]}")
            except subprocess.TimeoutExpired:
                failures.append(f"{target}: did not end within {TIMEOUT} s")
    if failures:
        raise SessionError("; ".join(failures))


def _log_out(number: int, snap: Path) -> None:
    words = ("iscsiadm", "--mode", "session", "--sid", str(number), "--logout")
    command = [str(snap / TOOLS), *words]
    for attempt in Retrying(
        retry=retry_if_exception_type(subprocess.CalledProcessError),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(KNOWN_TIMEOUT),
        reraise=True,
    ):
        with attempt:
            subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)


@contextmanager
def _daemon(snap: Path) -> Generator[None]:
    """Have a daemon, without which no session can be ended: the one that runs, or one for now."""
    if serves():
        yield
        return
    command = [str(snap / TOOLS), str(snap / PROGRAM), "--foreground"]
    quiet = subprocess.DEVNULL
    # At its end it ends its whole process group.
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as daemon:
        try:
            Retrying(
                retry=retry_if_not_result(bool),
                wait=wait_fixed(0.1),
                stop=stop_after_delay(START_TIMEOUT),
            )(serves)
            yield
        except RetryError:
            raise SessionError("iscsid does not start") from None
        finally:
            daemon.terminate()


def serves() -> bool:
    """Whether an iscsid takes orders, this appliance's or the host's."""
    return any(line.endswith(DAEMON) for line in SOCKETS.read_text().splitlines())
