"""The agent's side of the fork server: starts hooks and awaits their ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from machine.fork_server import MESSAGE_SIZE, Order, pair

_GRACE = 5.0
"""Seconds that a hook has to end after SIGTERM, before SIGKILL."""


@dataclass(frozen=True)
class Job:
    """One hook to run.

    Attributes:
        version: of the charm's files; another version is loaded anew.
        charm: the unit's charm folder.
        env: the whole environment.
        argv: program to run; empty to run the charm's `src/charm.py` in a fork.
        path: where imports are looked up, for a fork.
    """

    version: int
    charm: Path
    env: Mapping[str, str]
    argv: Sequence[str] = ()
    path: Sequence[str] = ()


Output = Callable[[str, bytes], None]
"""Called with `stdout` or `stderr`, and what the hook wrote there."""


@dataclass
class _Connection:
    """The agent's end of a server's socket pair; one that has run a hook is proven."""

    socket: socket.socket
    runs: dict[int, asyncio.Future[int]] = field(default_factory=dict[int, "asyncio.Future[int]"])
    proven: bool = False
    lost: bool = False


class Runner:
    """Starts hooks by the fork server; to be used within one event loop."""

    def __init__(
        self, preload: Sequence[str], python_path: Sequence[str], log: Path, lock: int
    ) -> None:
        """Prepare for `run`, which starts what is not there yet.

        Args:
            preload: modules to import before all charms.
            python_path: where imports are looked up.
            log: file for what servers print, which is their own trouble.
            lock: descriptor of a file lock, held until the last hook is dead.
        """
        self._preload = preload
        self._python_path = python_path
        self._log = log
        self._lock = lock
        self._next = 0
        self._root: _Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._charms: dict[Path, tuple[int, _Connection]] = {}

    def start(self) -> None:
        """Start the root server ahead of the first hook."""
        self._living_root()

    async def run(self, job: Job, output: Output) -> int | None:
        """Run a hook to its end.

        Returns:
            Its exit code, negative for a signal; None if the server of the hook was lost, unless
            the charm is the reason.
        """
        server = self._server(job)
        self._next += 1
        number = self._next
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server.runs[number] = ended
        readers = [_Pipe("stdout", output), _Pipe("stderr", output)]
        order = Order("hook", number, str(job.charm), [], dict(job.env), list(job.argv))
        try:
            self._send(server, order, [r.write_end for r in readers])
            for reader in readers:
                reader.start()
            code = await asyncio.shield(ended)
        except asyncio.CancelledError:
            await self._kill(server, number, ended)
            raise
        finally:
            server.runs.pop(number, None)
            for reader in readers:
                reader.close()
        if code != _LOST:
            return code
        root = self._root
        if server.proven or server is root or root is None or root.lost:
            return None
        # It ended while it loaded the charm, and would do so again.
        output("stderr", f"the charm cannot be loaded: see {self._log}\n".encode())
        return _NOT_LOADED

    async def _kill(self, server: _Connection, number: int, ended: asyncio.Future[int]) -> None:
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            self._send(server, Order("kill", number, signal=signal_number), [])
            done, _ = await asyncio.wait([ended], timeout=_GRACE)
            if done:
                return

    def forget(self, charm: Path) -> None:
        """Unload the charm in a folder: it has no more hooks to run, or shall be loaded anew."""
        _, connection = self._charms.pop(charm, (0, None))
        if connection is not None:
            self._lose(connection)

    def close(self) -> None:
        """End all servers, and with them what hooks still run."""
        for charm in tuple(self._charms):
            self.forget(charm)
        if self._root is not None:
            self._lose(self._root)
        if self._process is not None:
            self._process.wait()

    # ---- servers

    def _server(self, job: Job) -> _Connection:
        root = self._living_root()
        if job.argv:
            return root
        version, known = self._charms.get(job.charm, (job.version, None))
        if known is not None and not known.lost and version == job.version:
            return known
        self.forget(job.charm)
        new = self._start_charm(root, job)
        self._charms[job.charm] = job.version, new
        return new

    def _living_root(self) -> _Connection:
        if self._root is None or self._root.lost:
            self._root = self._start_root()
        return self._root

    def _start_root(self) -> _Connection:
        ours, theirs = pair()
        command = [sys.executable, "-m", "machine.fork_server", f"--control={theirs.fileno()}"]
        command.append(f"--lock={self._lock}")
        package = str(Path(__file__).parent.parent)
        path = os.pathsep.join((package, *self._python_path))
        env = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": path, "LANG": "C.UTF-8"}
        # The linker finds C's functions at once, not each anew in the process of each hook.
        env["LD_BIND_NOW"] = "1"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *(f"--preload={m}" for m in self._preload)],
                pass_fds=[theirs.fileno(), self._lock],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        theirs.close()
        return self._connected(ours)

    def _start_charm(self, root: _Connection, job: Job) -> _Connection:
        ours, theirs = pair()
        order = Order("charm", charm=str(job.charm), path=list(job.path))
        self._send(root, order, [theirs.fileno()])
        theirs.close()
        return self._connected(ours)

    def _connected(self, ours: socket.socket) -> _Connection:
        ours.setblocking(False)
        connection = _Connection(ours)
        asyncio.get_running_loop().add_reader(ours, self._receive, connection)
        return connection

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(MESSAGE_SIZE)
        except ConnectionError:
            data = b""
        if not data:
            self._lose(connection)
            return
        number, code = map(int, data.split())
        connection.proven = True
        ended = connection.runs.get(number)
        if ended is not None and not ended.done():
            ended.set_result(code)

    def _lose(self, connection: _Connection) -> None:
        if connection.lost:
            return
        connection.lost = True
        asyncio.get_running_loop().remove_reader(connection.socket)
        connection.socket.close()
        for ended in connection.runs.values():
            if not ended.done():
                ended.set_result(_LOST)

    def _send(self, connection: _Connection, order: Order, descriptors: list[int]) -> None:
        if connection.lost:
            return
        try:
            socket.send_fds(connection.socket, [order.message()], descriptors)
        except ConnectionError:
            self._lose(connection)


_NOT_LOADED = 1
"""Exit code of a hook whose charm cannot be loaded; Python has the same for a module."""

_LOST = 1 << 16
"""In place of an exit code: the server of the hook is gone."""


class _Pipe:
    """Reads what a hook writes to one of its streams."""

    def __init__(self, name: str, output: Output) -> None:
        self._name = name
        self._output = output
        self._read_end, self.write_end = os.pipe2(os.O_CLOEXEC)

    def start(self) -> None:
        """The hook has the other end: read."""
        os.close(self.write_end)
        os.set_blocking(self._read_end, False)
        asyncio.get_running_loop().add_reader(self._read_end, self._read)

    def _read(self) -> bool:
        try:
            data = os.read(self._read_end, 65536)
        except BlockingIOError:
            return False
        if data:
            self._output(self._name, data)
        else:
            asyncio.get_running_loop().remove_reader(self._read_end)
        return bool(data)

    def close(self) -> None:
        """Read the rest; what the hook left running may still hold the other end."""
        while self._read():
            pass
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)
