"""The agent: one process that owns the models, runs their hooks and serves the API.

The API is a UNIX socket for root alone: one JSON object in a line asks
(`{"method": ..., "model": ..., "params": {...}}`), and lines answer: any number of
`{"item": ...}`, then `{"result": ...}` or `{"error": ...}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import stat
import struct
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from machine import hook_tool
from machine.api import Api, RequestError
from machine.changes import ChangeError
from machine.controller import Controller, Means
from machine.controller_api import ControllerApi
from machine.environment import Surroundings
from machine.hook_tools import TOOLS, Reply
from machine.model import Model
from machine.runner import Runner
from machine.status import this_host

logger = logging.getLogger(__name__)


_HOOKS_DIE = 30.0
"""Seconds within which the hooks of an agent that was killed are dead."""


class AgentError(Exception):
    """The agent cannot start; the message is one line."""


@dataclass(frozen=True)
class Options:
    """How the agent was started.

    Attributes:
        state: folder of the store and the units' folders.
        socket: where the API is served.
        address: the host's address that charms are told.
        hook_env: added to every hook's environment.
        hook_path: folders added to hooks' PATH.
        python_path: where charms from folders import libraries from.
        preload: modules that the fork server imports once for all charms.
        fork: run charms from folders in forks; else everything as programs.
        model: name of the agent's own model, when it is made.
        shuffle: seed of an order of hooks, one at a time, other than Juju's usual one.
        hook_timeout: seconds after which a hook is killed and has failed; None is never.
        charms: folder of charms that applications of the agent's own model follow.
    """

    state: Path
    socket: Path
    address: str = "127.0.0.1"
    hook_env: tuple[tuple[str, str], ...] = ()
    hook_path: tuple[str, ...] = ()
    python_path: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    fork: bool = True
    model: str = "microstack"
    shuffle: int | None = None
    hook_timeout: float | None = None
    charms: Path | None = None


def run(options: Options) -> None:
    """Be the agent until SIGTERM or SIGINT.

    Raises:
        AgentError: another agent owns the state folder.
        StoreError: the store cannot be read.
    """
    options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        _locked(options.state / "agent.lock"),
        _locked(options.state / "hooks.lock", _HOOKS_DIE) as hooks,
    ):
        asyncio.run(_Agent(options, hooks).run())


@contextlib.contextmanager
def _locked(path: Path, timeout: float = 0.0) -> Generator[int, None, None]:
    """Hold the lock of an agent, or that of its hooks, which they hold until they are dead."""
    with path.open("w") as lock:
        try:
            with _alarm(timeout):
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if timeout else fcntl.LOCK_NB))
        except (BlockingIOError, TimeoutError):
            raise AgentError(f"another agent holds {path}: stop it first") from None
        yield lock.fileno()


@contextlib.contextmanager
def _alarm(timeout: float) -> Generator[None, None, None]:
    """Raise TimeoutError in what waits in the kernel after so many seconds; 0 is never."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _Agent:
    def __init__(self, options: Options, lock: int) -> None:
        self._options = options
        state = options.state
        around = Surroundings(
            tools=state / "tools",
            socket=state / "tools.socket",
            address=options.address,
            extra=dict(options.hook_env),
            path=options.hook_path,
        )
        self._around = around
        self._runner = Runner(
            options.preload, options.python_path, state / "fork-server.log", lock
        )
        means = Means(
            self._runner,
            around,
            options.python_path,
            options.fork,
            options.shuffle,
            options.hook_timeout,
        )
        self._controller = Controller(state, options.model, means)
        if options.charms is not None:
            self._controller.follow(options.charms)
        self._stop = asyncio.Event()
        self._host = this_host(options.address)
        self._controller_api = ControllerApi(self._controller, self._stop.set)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        _write_tools(self._around.tools)
        self._runner.start()
        servers = [
            await self._listen_for_tools(self._around.socket),
            await self._listen_for_clients(self._options.socket),
        ]
        hooks = asyncio.create_task(self._controller.run())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([hooks, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for server in servers:
                server.close()
            for task in (hooks, stopped):
                task.cancel()
            (ended,) = await asyncio.gather(hooks, return_exceptions=True)
            self._runner.close()
        if isinstance(ended, Exception):
            raise ended

    async def _listen_for_tools(self, path: Path) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        with _socket_for_us_alone(path):
            return await loop.create_unix_server(lambda: _Tools(self._controller.tool), path)

    # ---- the API

    async def _listen_for_clients(self, path: Path) -> asyncio.Server:
        with _socket_for_us_alone(path):
            return await asyncio.start_unix_server(self._serve, path, limit=1 << 24)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while _is_ours(writer) and (line := await reader.readline()):
                async with contextlib.aclosing(self._answers(line)) as answers:
                    async for answer in answers:
                        writer.write(json.dumps(answer).encode() + b"\n")
                        await writer.drain()
        writer.close()

    async def _answers(self, line: bytes) -> AsyncGenerator[dict[str, object], None]:
        try:
            request = json.loads(line)
            api = self._api(request["method"], request.get("model"))
            async for answer in api.answer(request["method"], request.get("params", {})):
                yield answer
        except ChangeError as e:
            yield {"error": {"kind": "change", "message": str(e)}}
        except RequestError as e:
            yield {"error": {"kind": e.kind, "message": str(e)}}
        except Exception as e:
            logger.exception("request failed")
            yield {"error": {"kind": "internal", "message": f"{type(e).__name__}: {e}"}}

    def _api(self, method: str, model: str | None) -> Api | ControllerApi:
        if self._controller_api.has(method):
            return self._controller_api
        hosted = self._controller.find(model)
        return Api(hosted.store, hosted.hooks, self._host, self._models)

    def _models(self) -> list[Model]:
        return [hosted.model for hosted in self._controller.models]


class _Tools(asyncio.Protocol):
    """A connection over which hook tools ask; a hook makes a dozen calls, so this is kept lean."""

    def __init__(self, answer: Callable[[str, Sequence[str], str], Reply]) -> None:
        self._answer = answer
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not _is_ours(transport):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (fields := hook_tool.unpack(self._received)) is not None:
            token, stdin, *argv = (field.decode() for field in fields)
            reply = self._answer(token, argv, stdin)
            answer = (str(reply.code), reply.stdout, reply.stderr)
            self._transport.write(hook_tool.pack(*(field.encode() for field in answer)))


def _is_ours(connection: asyncio.BaseTransport | asyncio.StreamWriter) -> bool:
    """Whether the peer is root, or the user that the agent runs as; files' modes say so too."""
    peer: socket.socket = connection.get_extra_info("socket")
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return user in (0, os.geteuid())


@contextlib.contextmanager
def _socket_for_us_alone(path: Path) -> Generator[None, None, None]:
    """Within this a socket is made at the path, for the agent's own user."""
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def _write_tools(folder: Path) -> None:
    """One program for all hook tools, linked under the name of each."""
    folder.mkdir(exist_ok=True)
    program = folder / "hook-tool"
    source = Path(hook_tool.__file__).read_text()
    program.write_text(f"#!{sys.executable} -IS\n{source}")
    program.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    for name in TOOLS:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(program.name)
