"""A guest under QEMU without a cloud: its console, its ssh port, its power button."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SERVICE = "169.254.169.254"


class Machine:
    """A booted guest.

    Args:
        image: qcow2 file; what the guest writes to it is dropped, unless it is `kept`.
        folder: for sockets, and with the metadata service's files below `metadata/`.
        network: whether it has one, with the metadata service and ssh forwarded from this host.
        options: further ones of QEMU.
        kept: whether the disk is changed by what the guest writes.
    """

    def __init__(
        self,
        image: Path,
        folder: Path,
        *,
        network: bool,
        options: Sequence[str] = (),
        kept: bool = False,
    ) -> None:
        self.folder = folder
        self.port = _free_port()
        self.started = time.monotonic()
        self.text = ""
        command = [
            "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-m", "256", "-no-reboot",
            "-nodefaults", "-nographic", "-vga", "std", "-serial", "stdio",
            "-qmp", f"unix:{folder}/qmp,server,nowait",
            "-drive", f"file={image},if=virtio,snapshot={'off' if kept else 'on'}",
            "-object", "rng-random,id=random,filename=/dev/urandom",
            "-device", "virtio-rng-pci,rng=random",
            "-device", "pcie-root-port,id=plug",
            *(self._network() if network else ()), *options,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout
        self.output = self.process.stdout
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.output, selectors.EVENT_READ)

    def _network(self) -> list[str]:
        # QEMU's own network must hold the service's address to forward it.
        service = f"{sys.executable} {HERE / 'metadata.py'} {self.folder / 'metadata'}"
        ssh = f"hostfwd=tcp:127.0.0.1:{self.port}-:22"
        user = f"user,id=net,net=169.254.0.0/16,host=169.254.0.2,{ssh}"
        return [
            "-netdev", f"{user},guestfwd=tcp:{SERVICE}:80-cmd:{service}",
            "-device", "virtio-net-pci,netdev=net",
        ]  # fmt: skip

    def wait_for(self, text: str, seconds: float = 90) -> float:
        """Wait until the console shows `text`; the seconds since power-on."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            left = deadline - time.monotonic()
            if left < 0 or not self.selector.select(left):
                raise AssertionError(f"no {text!r} on the console in {seconds} s:\n{self.text}")
            read = os.read(self.output.fileno(), 65536)
            assert read, f"QEMU ended:\n{self.text}"
            self.text += read.decode(errors="replace")
        return time.monotonic() - self.started

    def type(self, line: str) -> None:
        """Type a line at the serial console."""
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait_for_ssh(self, seconds: float = 30) -> float:
        """Wait until the ssh server answers; the seconds since power-on."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # QEMU takes the connection at once and resets it as long as nobody listens.
            with (
                contextlib.suppress(ConnectionResetError),
                socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as probe,
            ):
                if probe.recv(4) == b"SSH-":
                    return time.monotonic() - self.started
        raise AssertionError(f"no ssh server in {seconds} s:\n{self.text}")

    def ssh(
        self, *command: str, key: Path, user: str = "guest"
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the guest by ssh."""
        options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
                   "IdentitiesOnly=yes", "ConnectTimeout=10", "LogLevel=ERROR")  # fmt: skip
        flags = [flag for option in options for flag in ("-o", option)]
        target = ["-i", str(key), "-p", str(self.port), f"{user}@127.0.0.1"]
        return subprocess.run(
            ["ssh", *flags, *target, *command], capture_output=True, text=True, timeout=60
        )

    def qmp(self, *commands: tuple[str, dict[str, Any]]) -> None:
        """Give QEMU commands, e.g. ("system_powerdown", {})."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(f"{self.folder}/qmp")
            stream = channel.makefile("rw")
            stream.readline()
            for name, arguments in (("qmp_capabilities", {}), *commands):
                stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
                assert "error" not in answer, answer

    def end(self) -> None:
        """Switch it off if it still runs."""
        self.selector.close()
        self.process.kill()
        self.process.communicate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
