"""Run a job under User Mode Linux, over the host's own files, of which none is changed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from microstack.environment import ensure_packages

CHECKOUT = Path(__file__).parents[2]
INIT = Path(__file__).with_name("init.sh")
PACKAGES = ("user-mode-linux", "lvm2", "thin-provisioning-tools", "open-iscsi", "kmod", "udev")


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        code: its exit code; None when the machine ended before the job did.
        output: what it wrote.
    """

    code: int | None
    output: str


def install() -> None:
    """Install what the rig needs, without starting any service of it."""
    ensure_packages(PACKAGES, print)


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
    (shared / "job").write_text(job)
    init = shared / "init"
    init.write_bytes(INIT.read_bytes())
    init.chmod(0o755)
    # Unpinned, the same run takes up to ten times as long.
    processor = max(os.sched_getaffinity(0))
    with (shared / "console").open("wb") as console:
        subprocess.run(
            [
                *("taskset", "--cpu-list", str(processor), "linux.uml"),
                *("rootfstype=hostfs", "rootflags=/", "rw", f"mem={memory}", f"init={init}"),
                *("con=null", "con0=null,fd:1", "quiet"),
                *(f"rig_shared={shared}", f"rig_checkout={CHECKOUT}"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    code, output = shared / "code", shared / "output"
    return Outcome(
        int(code.read_text()) if code.exists() else None,
        (output if output.exists() else shared / "console").read_text(errors="replace"),
    )
