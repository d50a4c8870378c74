"""A Debian machine with systemd and snapd under User Mode Linux, and a line to it.

Its disk is a copy-on-write overlay of an image, so that each run begins alike; it can be cut off
from power and booted again. It has no network but its own loopback, and touches nothing of the
host: all it writes is below one folder, and its processes die with it.
"""

from __future__ import annotations

import base64
import itertools
import json
import socket
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.rig import kernel

BOOT_TIMEOUT = 180
"""Seconds from power-on until the agent inside answers."""

GRACE = 30
"""Seconds that the agent has to answer after a command's own timeout."""


class MachineError(Exception):
    """The machine did not do what was asked; the message has what it wrote."""


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        code: its exit code; None when it was ended for taking too long.
    """

    command: Sequence[str]
    code: int | None
    output: str
    errors: str

    def __str__(self) -> str:
        ending = "did not end in time" if self.code is None else f"returned {self.code}"
        return f"{' '.join(self.command)} {ending}: {self.output}{self.errors}"


class Machine:
    """One machine; a context manager that ends it."""

    def __init__(
        self,
        disk: Path,
        folder: Path,
        *,
        backing: Path | None = None,
        memory: str = "3G",
        apparmor: bool = True,
    ) -> None:
        """Describe a machine that is off.

        Args:
            disk: the image it boots from, and writes to.
            folder: for its console and sockets.
            backing: the image that `disk` holds only the differences from.
            memory: as the kernel's `mem` takes it; unused memory costs nothing.
            apparmor: whether the kernel has it. Without it snapd confines snaps by seccomp,
                namespaces and device groups alone, and need not compile a profile for each app.
        """
        self._disk = f"{disk},{backing}" if backing else str(disk)
        self._folder = folder
        self._memory = memory
        self._security = ["security=apparmor"] if apparmor else ["apparmor=0", "selinux=0"]
        self._boots = 0
        self._ids = itertools.count(1)
        self._shares = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._reader = threading.Thread()
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._booted: Future[str] = Future()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut_power()

    @property
    def console(self) -> Path:
        """What the kernel and systemd wrote since power-on."""
        return self._folder / f"console-{self._boots}"

    def boot(self) -> None:
        """Switch it on, and wait until commands can be run.

        Raises:
            MachineError: it did not come up.
        """
        mine, its = socket.socketpair()
        self._line, self._booted = mine, Future()
        self._boots += 1
        with self.console.open("wb") as console, its:
            self._process = subprocess.Popen(
                [
                    # In a namespace of processes: none outlives the machine, nor the tests.
                    *("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork"),
                    "--kill-child",
                    *kernel.command(),
                    *(f"ubd0={self._disk}", "root=/dev/ubda", "rw", f"mem={self._memory}"),
                    *(*self._security, "init=/sbin/init", "systemd.show_status=no"),
                    *("con=null", "con0=null,fd:1", f"ssl0=fd:{its.fileno()}"),
                    *(f"uml_dir={self._folder}/uml-{self._boots}/", "umid=rig"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=kernel.variables(self._folder),
                pass_fds=[its.fileno()],
            )
        self._reader = threading.Thread(target=self._read, args=(mine,), daemon=True)
        self._reader.start()
        try:
            self._booted.result(BOOT_TIMEOUT)
        except (TimeoutError, MachineError) as error:
            self.cut_power()
            text = self.console.read_text(errors="replace")
            raise MachineError(f"no boot: {type(error).__name__}\n{text[-4000:]}") from None

    def cut_power(self) -> None:
        """Switch it off from one instant to the next; the disk is as it was at that instant."""
        if self._process is None:
            return
        # The first process of their namespace takes all others with it; `unshare` waits for that.
        for process in psutil.Process(self._process.pid).children():
            process.kill()
        self._ended(GRACE)

    def power_off(self, timeout: float = 120) -> None:
        """Shut it down in order.

        Raises:
            subprocess.TimeoutExpired: it did not go down.
        """
        assert self._process is not None, "it is off already"
        self.run("systemctl", "poweroff", "--no-block")
        self._ended(timeout)

    def run(
        self, *command: str, given: str = "", timeout: float = 120, check: bool = True
    ) -> Done:
        """Run a command as root and wait for its end.

        Args:
            command: program and arguments.
            given: its standard input.
            timeout: seconds until it is killed.
            check: whether an exit code other than 0 is an error.

        Raises:
            MachineError: it failed, took longer, or the machine went off meanwhile.
        """
        answer = self._ask(
            {"command": command, "input": given, "timeout": timeout}, timeout + GRACE
        )
        done = Done(command, answer["code"], answer["output"], answer["errors"])
        if done.code is None or (check and done.code != 0):
            raise MachineError(str(done))
        return done

    def shell(self, script: str, *, timeout: float = 120, check: bool = True) -> Done:
        """Run a shell script as root; as `run` does."""
        return self.run("sh", "-ec", script, timeout=timeout, check=check)

    def pass_on(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send one request to the machine's snapd; return status, headers and content."""
        request = {
            "method": method,
            "target": target,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
        }
        answer = self._ask({"request": request}, 600 + GRACE)
        headers_given = [(name, value) for name, value in answer["headers"]]
        return answer["status"], headers_given, base64.b64decode(answer["body"])

    def share(self, folder: Path) -> str:
        """Mount a folder of the host, to be read alone; return where.

        The kernel keeps what it once read: a file must not change while it is shared.
        """
        at = f"/run/host-{next(self._shares)}"
        self.shell(f"mkdir {at}; mount -t hostfs -o ro,{folder} none {at}")
        return at

    def _ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        if self._line is None:
            raise MachineError("the machine is off")
        number = next(self._ids)
        future: Future[dict[str, Any]] = Future()
        self._waiting[number] = future
        data = json.dumps({"id": number, **request}).encode() + b"\n"
        with self._lock:
            self._line.sendall(data)
        try:
            answer = future.result(timeout)
        except TimeoutError:
            raise MachineError(f"no answer within {timeout} s to {request}") from None
        if "error" in answer:
            raise MachineError(answer["error"])
        return answer

    def _read(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as answers:
            for text in answers:
                answer = json.loads(text)
                if "boot" in answer:
                    self._booted.set_result(answer["boot"])
                else:
                    self._waiting.pop(answer["id"]).set_result(answer)
        self._fail("the machine went off")

    def _ended(self, timeout: float) -> None:
        assert self._process is not None
        self._process.wait(timeout)
        self._process = None
        self._reader.join(GRACE)

    def _fail(self, reason: str) -> None:
        self._line = None
        if not self._booted.done():
            self._booted.set_exception(MachineError(reason))
        while self._waiting:
            _, future = self._waiting.popitem()
            future.set_exception(MachineError(reason))
