"""Run jobs under User Mode Linux, over the host's own files, of which none is changed."""

from __future__ import annotations

import fcntl
import itertools
import os
import resource
import select
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import tenacity

from microstack import environment, guest_image
from microstack.environment import ensure_packages
from tests.rig import kernel

CHECKOUT = Path(__file__).parents[2]
INIT = Path(__file__).with_name("init.sh")
AGENT = """
export HOME=/root
exec 3<>/dev/ttyS0
stty -F /dev/ttyS0 raw -echo
echo ready >&3
while read -r name <&3 && [ "$name" != off ]; do
    /bin/sh "/rig/shared/$name" >"/rig/shared/$name.output" 2>&1 3>&- </dev/null
    echo "$name $?" >&3
done
"""
"""Runs the commands that come over the serial line."""

MASKED = "apt-daily.timer,apt-daily-upgrade.timer,systemd-timesyncd.service"
"""Units of the host that a machine over its files has no use for."""

LET_GO = 30.0
"""Seconds that a machine without power may hold its disk."""

PACKAGES = (
    *(*kernel.PACKAGES, "kmod", "udev"),
    *("lsscsi", "lvm2", "open-iscsi", "thin-provisioning-tools"),
)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        code: its exit code; None when the machine ended before the job did.
        output: what it wrote.
    """

    code: int | None
    output: str


def install(*more: str) -> None:
    """Install what the rig needs, and more packages, without starting any service of it."""
    ensure_packages((*PACKAGES, *more), print)


def run(job: str, shared: Path, *, memory: str = "2G", timeout: float = 300) -> Outcome:
    """Boot, run a shell script as root, and power off.

    Args:
        job: the script; it finds the checkout at /rig/checkout and `shared` at /rig/shared.
        shared: an empty folder of the host.
        memory: of the machine; what the job writes to files takes from it.
        timeout: seconds until the machine is killed.

    Raises:
        subprocess.TimeoutExpired: it took longer.
    """
    with (shared / "console").open("wb") as console:
        subprocess.run(
            [*_kernel(job, shared, memory), "con0=null,fd:1"],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            env=kernel.variables(shared),
            timeout=timeout,
            check=False,
        )
    code, output = shared / "code", shared / "output"
    return Outcome(
        int(code.read_text()) if code.exists() else None,
        (output if output.exists() else shared / "console").read_text(errors="replace"),
    )


def prepare_cloud(folder: Path) -> None:
    """Install on the host what `up` would install inside, where there is no network.

    Args:
        folder: where `$SNAP` is laid out, to be thrown away.
    """
    install()
    environment.prepare(folder, CHECKOUT, print)
    guest_image.ensure(CHECKOUT, print)


@dataclass
class Machine:
    """A machine that stays up and runs one command after another.

    Attributes:
        folder: of the host; shared with the machine, but for its disk.
        memory: of the machine.
        systemd: whether it boots as the distribution does, with the commands in a service.
    """

    folder: Path
    memory: str = "8G"
    systemd: bool = False
    _process: subprocess.Popen[str] | None = field(init=False, default=None)
    _shared: Path = field(init=False)
    _boots: int = field(init=False, default=0)
    _jobs: Iterator[int] = field(init=False, default_factory=lambda: itertools.count(1))

    @property
    def disk(self) -> Path:
        """What is written inside; it outlives the machine."""
        return self.folder / "disk"

    def make_disk(self, size: int) -> None:
        """Make an empty disk of so many bytes; it takes from the host what is written to it."""
        with self.disk.open("wb") as disk:
            disk.truncate(size)
        lazily = "lazy_itable_init=1,lazy_journal_init=1"
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-E", lazily, str(self.disk)], check=True)

    def boot(self, timeout: float = 300) -> None:
        """Boot on the disk; return once commands can be run."""
        # Never the same files again: the kernel inside keeps those of the host in its cache.
        self._boots += 1
        self._shared = self.folder / f"shared-{self._boots}"
        self._shared.mkdir()
        command = _kernel(AGENT, self._shared, self.memory)
        command += [f"rig_systemd={MASKED}", "fstab=no"] if self.systemd else []
        with (self._shared / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [*command, "con0=null,fd:2", "ssl0=fd:0,fd:1", f"ubda={self.disk}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=console,
                env=kernel.variables(self._shared),
                text=True,
                start_new_session=True,
            )
        assert self._answer(timeout) == "ready", (self._shared / "console").read_text()

    def run(self, script: str, timeout: float = 120) -> Outcome:
        """Run a shell script as root to its end.

        Raises:
            TimeoutError: it took longer, in seconds.
        """
        name = f"job-{next(self._jobs)}"
        (self._shared / name).write_text(script)
        self._say(name)
        code = self._answer(timeout).removeprefix(f"{name} ")
        output = (self._shared / f"{name}.output").read_text(errors="replace")
        return Outcome(int(code), output)

    def check(self, script: str, timeout: float = 120) -> str:
        """Run a shell script that must succeed; return what it wrote."""
        outcome = self.run(script, timeout)
        assert outcome.code == 0, outcome.output
        return outcome.output

    def power_off(self, timeout: float = 120) -> None:
        """Let it write its files and end."""
        if self._process is not None:
            self._say("off")
            self._process.wait(timeout)
            self._forget()

    def cut_power(self) -> None:
        """End it at once, whatever it does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._forget()

    def _forget(self) -> None:
        assert self._process is not None
        # Closes its pipes, and waits for it.
        with self._process:
            self._process = None
        self._await_disk()

    def _await_disk(self) -> None:
        """Wait until nothing of it holds the disk: what writes to it ends after the kernel."""
        with self.disk.open("r+b") as disk:
            for attempt in tenacity.Retrying(
                retry=tenacity.retry_if_exception_type((BlockingIOError, PermissionError)),
                stop=tenacity.stop_after_delay(LET_GO),
                wait=tenacity.wait_fixed(0.05),
                reraise=True,
            ):
                with attempt:
                    # Of fcntl(2), as the kernel's of User Mode Linux is.
                    fcntl.lockf(disk, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _say(self, word: str) -> None:
        assert self._process is not None, "the machine is off"
        stream = _stream(self._process.stdin)
        stream.write(f"{word}\n")
        stream.flush()

    def _answer(self, timeout: float) -> str:
        assert self._process is not None, "the machine is off"
        stream = _stream(self._process.stdout)
        if not select.select([stream], [], [], timeout)[0]:
            raise TimeoutError(f"no answer within {timeout:g} s")
        return stream.readline().strip()


def _kernel(job: str, shared: Path, memory: str) -> list[str]:
    """Return the command of a machine that runs a job; the console is left to the caller."""
    (shared / "job").write_text(job)
    init = shared / "init"
    init.write_bytes(INIT.read_bytes())
    init.chmod(0o755)
    # It holds open what is in its cache of the host's files.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [
        *("prlimit", f"--nofile={most}", *kernel.command()),
        *("rootfstype=hostfs", "rootflags=/", "rw", f"mem={memory}", f"init={init}"),
        # Of the kernel's security modules that which Debian and Ubuntu have on.
        *("con=null", "quiet", "security=apparmor", f"uml_dir={shared}/uml/"),
        *(f"rig_shared={shared}", f"rig_checkout={CHECKOUT}"),
    ]


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
