"""iSCSI sessions of this host with the appliance's targets, and with no others."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
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

DEVICES = Path("/dev")

IMAGE_LOCKS = (100, 200)
"""The first byte and the number of bytes that QEMU locks of a disk while a guest has it (QEMU,
block/file-posix.c)."""

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


def used(prefix: str) -> list[Path]:
    """Return the disks of sessions that a guest has, or that the host has mounted.

    Args:
        prefix: of the targets' names.
    """
    numbers = sessions(prefix)
    disks = (disk for number in numbers for disk in _disks(number))
    return sorted(disk for disk in disks if _is_used(disk))


def _disks(number: int) -> list[Path]:
    """Return the disks of a session; its target has one, which comes a moment after it."""
    found = (SESSIONS / f"session{number}").glob("device/target*/*/block/*")
    return [DEVICES / path.name for path in found]


def _is_used(disk: Path) -> bool:
    try:
        # Refused where the kernel itself uses it (open(2)).
        descriptor = os.open(disk, os.O_RDONLY | os.O_EXCL)
    except OSError as error:
        return error.errno == errno.EBUSY
    try:
        return _is_locked(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Whether a lock of an open file would be in the way of one over a guest's (fcntl(2))."""
    asked = struct.pack("hhlli", fcntl.F_WRLCK, os.SEEK_SET, *IMAGE_LOCKS, 0)
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
    return struct.unpack("hhlli", answer)[0] != fcntl.F_UNLCK


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
