"""The snap as a charm sees it: its config, its one-off jobs, whether its services run.

All of it goes through snapd's REST API, by charmlibs.snap. `SNAPD_SOCKET` names the socket where
it is not snapd's own. Values of config are never logged.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import hashlib
import io
import json
import logging
import os
import select
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import ops
import tenacity
import yaml
from charmlibs import snap
from charmlibs.snap import (
    _client,  # pyright: ignore[reportPrivateUsage] - the socket's path has no public setter
)

from charmbase.mapping import leaves
from workload.config import Section
from workload.config.marks import marked

logger = logging.getLogger(__name__)

# charmlibs.snap logs the body of every request at DEBUG, with passwords in it.
logging.getLogger("charmlibs.snap").setLevel(logging.INFO)

NAME = "microstack"
RESOURCE = "microstack-snap"
"""The charm's resource that is the snap itself."""

JOB_TIMEOUT = 600
"""Seconds a job may take."""

LOCK_PAUSE = 0.1
"""Seconds between two looks whether an earlier run of a job has ended."""

END_PAUSE = 0.1
"""Seconds between two looks whether a job that writes nothing has ended."""

_DEFAULT_SOCKET = "/run/snapd.socket"
_SNAP = "/snap/microstack/current"
_DEFAULT_COMMON = "/var/snap/microstack/common"


class ConfigRefused(Exception):  # noqa: N818 - reads as what happened
    """The snap refused its config; the message is the snap's: key, expected type, reason."""


class InstallFailed(Exception):  # noqa: N818 - reads as what happened
    """The snap that is attached to the charm cannot be installed; the message is snapd's."""


class JobFailed(Exception):  # noqa: N818 - reads as what happened
    """A one-off job failed; the message has the last lines it wrote."""


def install(channel: str | None, archive: Path | None = None) -> None:
    """Install the snap where it is missing, and hold its refreshes: the model's user does them.

    One that is installed is left as it is, for the charms of a machine share it; unless it came
    from an archive, and this is another.

    Args:
        channel: where it is installed from, without an archive.
        archive: the snap itself, attached to the charm as a resource.

    Raises:
        charmlibs.snap.Error: it couldn't be installed.
        InstallFailed: the archive couldn't be installed.
    """
    _connect()
    if archive is not None:
        _install_archive(archive)
        return
    try:
        snap.list_one(NAME)
    except snap.NotInstalledError:
        snap.ensure_installed(NAME, channel)
        snap.hold(NAME)


def attached(model: ops.Model) -> Path | None:
    """Return the snap that is attached to the charm; none, or an empty file, means the store."""
    try:
        archive = model.resources.fetch(RESOURCE)
    except (ops.ModelError, NameError):
        return None
    return archive if archive.stat().st_size else None


def _install_archive(archive: Path) -> None:
    """Install or refresh to an archive, once for all charms of the machine."""
    note = Path(common(), "archive.sha256")
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if note.exists() and note.read_text() == digest:
        return
    # Nobody has asserted what it is, so snapd will not refresh it either.
    _snap("install", "--dangerous", str(archive))
    for plug in _plugs():
        _snap("connect", f"{NAME}:{plug}")
    note.write_text(digest)


def _plugs() -> list[str]:
    """Return the plugs of the installed snap: with no store to say so, none is connected."""
    document: Any = yaml.safe_load(Path(_SNAP, "meta/snap.yaml").read_text())
    parts = [*document.get("apps", {}).values(), *document.get("hooks", {}).values()]
    return sorted({plug for part in parts for plug in part.get("plugs", ())})


def _snap(*arguments: str) -> None:
    """Run the command `snap`, for what snapd's API does not take from charmlibs.snap."""
    done = subprocess.run(["snap", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallFailed(f"snap {arguments[0]}: {done.stderr.strip()}")


def configure(
    component: str, config: Section, held: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Make a component's section of snap config equal to a model; write only the difference.

    Args:
        component: its key in snap config.
        config: what it shall be.
        held: keys that are not set yet and shall stay so; those that are set follow the model.

    Returns:
        The keys that changed, below the component.

    Raises:
        ConfigRefused: the snap found a value wrong, and changed nothing.
        charmlibs.snap.Error: snapd could not be asked.
    """
    _connect()
    wanted = {key: value for key, value in leaves(config).items() if value is not None}
    public = marked({component: config.to_snap()})[0][component]
    difference = _difference(current(component), wanted, _flatten(public, wanted), held)
    if not difference:
        return frozenset()
    logger.info("snap config of %s: %s", component, ", ".join(sorted(difference)))
    _put({f"{component}.{key}": value for key, value in difference.items()})
    return frozenset(difference)


def clear(component: str) -> None:
    """Unset a component's section, so that its services stop."""
    _connect()
    if current(component):
        _put({component: None})


def current(component: str) -> dict[str, Any]:
    """Return a component's section of snap config, nested; empty while it has none."""
    _connect()
    try:
        section = snap.get_one(NAME, component)
    except snap.OptionNotFoundError:
        return {}
    return cast("dict[str, Any]", section) if isinstance(section, dict) else {}


def inactive(services: tuple[str, ...]) -> list[str]:
    """Return those of the snap's services that do not run now."""
    _connect()
    names = ",".join(f"{NAME}.{service}" for service in services)
    answer: Any = _client.get("/v2/apps", query={"names": names, "select": "service"})
    active = {app["name"] for app in answer if app.get("active")}
    return [service for service in services if service not in active]


def run_job(job: str, document: Mapping[str, Any] | None = None) -> list[str]:
    """Run the snap's command `microstack.<job>` and wait for its end.

    It is waited for first where a hook that was killed has left it running. What it writes is in
    `$SNAP_COMMON/log/<job>.log`.

    Args:
        job: its name.
        document: given to it as JSON on its standard input.

    Returns:
        The last lines that it wrote.

    Raises:
        JobFailed: it is not there, took longer than `JOB_TIMEOUT`, or returned other than 0.
    """
    command, executable = f"{NAME}.{job}", _executable(job)
    with _log_of(job) as log:
        code = _run([executable], json.dumps(document) if document is not None else "", log)
        log.seek(0)
        lines = log.read().strip().splitlines()[-5:]
    if code != 0:
        raise JobFailed(f"{command} returned {code}: {' | '.join(lines) or 'no message'}")
    for line in lines:
        logger.debug("%s: %s", command, line)
    return lines


@dataclass(frozen=True)
class Done:
    """How a job that was followed ended.

    Attributes:
        code: its exit code.
        document: the JSON document in its last line; None where there is none.
        last: its last lines.
    """

    code: int
    document: Mapping[str, Any] | None
    last: Sequence[str]


def follow_job(job: str, arguments: Sequence[str], told: Callable[[str], None]) -> Done:
    """Run the snap's command `microstack.<job>`, however long it takes, and tell how it goes.

    It is over when the command itself has ended, whoever else still has its output open.

    Args:
        job: its name.
        arguments: of the command; others on the host see them, so that no secret may be in them.
        told: called with each line the job writes, while it runs.

    Raises:
        JobFailed: it is not there, or runs already.
    """
    command = [_executable(job), *arguments]
    lines: list[str] = []
    with (
        _log_of(job, patience=0) as log,
        _session(command, subprocess.PIPE, log) as process,
        _ended_with_us(process),
    ):
        for line in _lines(process):
            log.write(f"{line}\n")
            log.flush()
            lines.append(line)
            if not line.startswith("{"):
                told(line)
    return Done(process.returncode, _document(lines), lines[-5:])


def _session(
    command: Sequence[str], output: TextIO | int, log: TextIO, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    """Start a command in a session of its own; it keeps the lock of its log while it runs."""
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=(log.fileno(),),
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _lines(process: subprocess.Popen[str]) -> Generator[str]:
    """Yield each line that a command writes, without its end."""
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
    begun = ""
    for output in _output(process):
        *whole, begun = (begun + decoder.decode(output)).split("\n")
        yield from whole
    if begun := begun + decoder.decode(b"", final=True):
        yield begun


def _output(process: subprocess.Popen[str]) -> Generator[bytes]:
    """Yield what a command writes until it has ended."""
    pipe = cast("TextIO", process.stdout).fileno()
    while process.poll() is None:
        # Most end with their output; one that leaves a daemon behind has to be looked after.
        if select.select([pipe], [], [], END_PAUSE)[0]:
            output = os.read(pipe, io.DEFAULT_BUFFER_SIZE)
            if not output:
                process.wait()
            yield output
    # All it wrote is there by now, and others may add to it for ever.
    left = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    yield os.read(pipe, int.from_bytes(left, sys.byteorder))


@contextmanager
def _ended_with_us(process: subprocess.Popen[str]) -> Generator[None]:
    """End a command and its children, whatever becomes of us.

    An action that is cancelled gets SIGTERM, which would end us and not them: they have a session
    of their own.
    """
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def _document(lines: Sequence[str]) -> Mapping[str, Any] | None:
    if not lines or not lines[-1].startswith("{"):
        return None
    try:
        return json.loads(lines[-1])
    except ValueError:
        return None


def _executable(job: str) -> str:
    command = f"{NAME}.{job}"
    path = f"{os.environ.get('PATH', os.defpath)}:/snap/bin"
    executable = shutil.which(command, path=path)
    if executable is None:
        raise JobFailed(f"{command} is not installed: looked in {path}")
    return executable


def _run(command: Sequence[str], given: str, log: TextIO) -> int:
    """Run a job to its end, even if this hook is killed: half a migration can't be repeated.

    It has a session of its own, and it writes to a file, which doesn't break with the hook.
    """
    with _session(command, log, log, subprocess.PIPE) as process:
        try:
            process.communicate(given, timeout=JOB_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            name = Path(command[0]).name
            raise JobFailed(f"{name} did not end within {JOB_TIMEOUT} s") from None
    return process.returncode


@contextmanager
def _log_of(job: str, patience: float = JOB_TIMEOUT) -> Generator[TextIO]:
    """Give a job's log, emptied, once no earlier run of the job writes to it.

    The lock belongs to the open file (flock(2)), so that it lasts as long as a job that has it as
    its output, whatever becomes of the hook that began it.

    Raises:
        JobFailed: an earlier run doesn't end.
    """
    path = _log_path(job)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "r+", encoding="utf-8", errors="replace") as log:
        try:
            for attempt in tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(BlockingIOError),
                stop=tenacity.stop_after_delay(patience),
                wait=tenacity.wait_fixed(LOCK_PAUSE),
            ):
                with attempt:
                    fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except tenacity.RetryError:
            raise JobFailed(f"an earlier run of {job} has not ended: see {path}") from None
        log.truncate(0)
        yield log
        # It has ended: a daemon that it left would keep the lock.
        fcntl.flock(log, fcntl.LOCK_UN)


def _log_path(job: str) -> Path:
    return Path(common(), "log", f"{job}.log")


def common() -> str:
    """Return `$SNAP_COMMON`, where services have their sockets."""
    return os.environ.get("SNAP_COMMON", _DEFAULT_COMMON)


def _difference(
    before: Mapping[str, Any],
    wanted: Mapping[str, Any],
    public: Mapping[str, Any],
    held: frozenset[str],
) -> dict[str, Any]:
    # A key that is nowhere in `wanted` is unset by None. Of a secret, snapd may have the mark.
    known = _flatten(before, wanted)
    due = wanted.keys() - (held - known.keys())
    changed = {
        key: wanted[key] for key in due if known.get(key) not in (wanted[key], public.get(key))
    }
    return changed | {key: None for key in known if key not in wanted}


def _flatten(
    section: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = ""
) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in section.items():
        key = f"{prefix}{name}"
        inner = any(other.startswith(f"{key}.") for other in wanted)
        if isinstance(value, dict) and inner and key not in wanted:
            flat.update(_flatten(cast("dict[str, Any]", value), wanted, f"{key}."))
        else:
            flat[key] = value
    return flat


def _put(document: dict[str, Any]) -> None:
    try:
        snap.set(NAME, document)
    except snap.ChangeError as error:
        raise ConfigRefused(str(error)) from None


def _connect() -> None:
    _client._SOCKET_PATH = os.environ.get("SNAPD_SOCKET", _DEFAULT_SOCKET)  # pyright: ignore[reportPrivateUsage]
