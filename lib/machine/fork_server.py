"""A process that starts hooks: by fork of a process that has the charm loaded, or by exec.

`python -m machine.fork_server` is the root: it imports ops and what else it is told to. For each
charm it forks one process that loads the charm's module up to its call of `ops.main`; for each
hook that process forks once more, and the child makes that call. Other charms' hooks are
programs, started by the root. Each such server takes orders from one end of a socket pair that
the agent holds the other end of; when the agent is gone, all running hooks are killed.

A server forks ahead: a child waits for the next hook, so that no hook waits for the fork.

What a hook costs here is mostly memory: whatever page a process writes to after a fork is copied,
and to call a Python function is to write to it, for objects count their references. So what is
done for each hook, in the server and in the child, calls few functions and no large ones; and the
child that waits copies ahead what the hooks of all charms copy, 4 MiB of its own.
"""

from __future__ import annotations

import argparse
import atexit
import ctypes
import gc
import importlib
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import traceback
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from machine import copied_pages, ops_in_process
from machine.copied_pages import Pages

MESSAGE_SIZE = 1 << 20
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl


@dataclass(frozen=True)
class Order:
    """What the agent sends with file descriptors attached.

    Attributes:
        kind: `charm` starts a server for a charm (descriptor: its socket); `hook` runs a hook
            (descriptors: stdout, stderr); `kill` sends `signal` to a hook's process group.
        charm: the unit's charm folder, where hooks run.
        path: where the charm's imports are looked up first.
        argv: the program to run; empty for the charm that this server has loaded.
    """

    kind: str
    id: int = 0
    charm: str = ""
    path: list[str] = field(default_factory=list[str])
    env: dict[str, str] = field(default_factory=dict[str, str])
    argv: list[str] = field(default_factory=list[str])
    signal: int = 0

    def message(self) -> bytes:
        """It as it is sent: a line with kind and id, all that a server reads of a hook's order."""
        return b"%s %d\n%s" % (self.kind.encode(), self.id, json.dumps(vars(self)).encode())

    @classmethod
    def of(cls, message: bytes) -> Order:
        """The order that was sent."""
        return cls(**json.loads(message[message.index(b"\n") + 1 :]))


class _AgentGoneError(Exception):
    """The agent closed its end."""


@dataclass(frozen=True)
class _Spare:
    """A child that was forked ahead, and where it waits for its hook."""

    pid: int
    orders: socket.socket


class Server:
    """Takes orders, and reports `id code` when a hook has ended."""

    def __init__(
        self,
        control: socket.socket,
        lock: int,
        copied: Sequence[Pages],
        enter: Callable[[], None] | None = None,
    ) -> None:
        """Prepare to serve.

        Args:
            control: where orders come from.
            lock: descriptor to hold until the last hook is dead; hooks do not have it.
            copied: pages that hooks copy which are no programs.
            enter: what such hooks run; None if there are none.
        """
        self._control = control
        self._lock = lock
        self._copied = copied
        self._enter = enter
        self._poll = select.poll()
        self._heard: dict[int, Callable[[], None]] = {}
        self._listen(control.fileno(), self._take)
        # Told by a signal, not by pidfd_open(2): snapd 2.57 forbids that to a snap.
        self._ended, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._listen(self._ended, self._reap)
        signal.signal(signal.SIGCHLD, _noticed)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._children: set[int] = set()
        self._hooks: dict[int, int] = {}
        self._connections: dict[int, socket.socket] = {}
        self._spare: _Spare | None = None

    def _listen(self, descriptor: int, heard: Callable[[], None]) -> None:
        self._poll.register(descriptor, select.POLLIN)
        self._heard[descriptor] = heard

    def serve(self) -> NoReturn:
        """Serve until the agent is gone, then kill what runs."""
        try:
            while True:
                self._spare = self._spare or self._fork_ahead()
                for descriptor, _ in self._poll.poll():
                    self._heard[descriptor]()
        except _AgentGoneError:
            for pid in self._hooks:
                _kill_group(pid, signal.SIGKILL)
            for pid in self._hooks:
                os.waitpid(pid, 0)
            os._exit(0)

    def _take(self) -> None:
        message, descriptors = _receive(self._control)
        kind, number = message[: message.index(b"\n")].split()
        if kind == b"hook":
            self._give(message, int(number), descriptors)
        elif kind == b"kill":
            self._kill(Order.of(message))
        elif kind == b"charm":
            order = Order.of(message)
            self._children.add(os.fork() or self._become_server(order, *descriptors))
        for descriptor in descriptors:
            os.close(descriptor)

    def _give(self, message: bytes, number: int, descriptors: list[int]) -> None:
        """Give a hook's order to the child that waits for one."""
        spare, self._spare = self._spare or self._fork_ahead(), None
        self._hooks[spare.pid] = number
        with suppress(ConnectionError):  # it was killed, which its end will tell
            socket.send_fds(spare.orders, [message], descriptors)
        self._connections[spare.pid] = spare.orders
        self._listen(spare.orders.fileno(), partial(self._hear, spare))

    def _kill(self, order: Order) -> None:
        for pid, number in self._hooks.items():
            if number == order.id:
                _kill_group(pid, signal.Signals(order.signal))

    def _fork_ahead(self) -> _Spare:
        ours, theirs = pair()
        pid = os.fork()
        if not pid:
            ours.close()
            self._become_hook(theirs)
        theirs.close()
        _own_group(pid)
        self._children.add(pid)
        return _Spare(pid, ours)

    def _become_server(self, order: Order, control: int) -> NoReturn:
        """In a child: be the server of a charm."""
        try:
            self._forget()
            serve_charm(order, socket.socket(fileno=control), self._lock, self._copied)
        except BaseException:
            traceback.print_exc()
        os._exit(1)

    def _become_hook(self, orders: socket.socket) -> NoReturn:
        """In a child: wait for the order of a hook, and be that."""
        try:
            self._forget()
            os.close(self._lock)
            _be_a_hook()
            if self._enter is not None:
                copied_pages.copy(self._copied)
            message, descriptors = _receive(orders)
            code = _run_hook(Order.of(message), descriptors, self._enter)
            orders.send(b"%d" % code)
            os._exit(code)
        except _AgentGoneError:
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)

    def _forget(self) -> None:
        """Close what is the parent's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._wake)
        os.close(self._ended)
        self._control.close()
        for connection in self._connections.values():
            connection.close()
        if self._spare is not None:
            self._spare.orders.close()

    def _reap(self) -> None:
        os.read(self._ended, 4096)
        for pid in tuple(self._children):
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                continue
            self._children.remove(pid)
            if self._spare and self._spare.pid == pid:
                self._spare.orders.close()
                self._spare = None
            self._report(pid, os.waitstatus_to_exitcode(status))

    def _hear(self, hook: _Spare) -> None:
        """Take a hook's exit code from itself, if it says any: its process takes longer to end."""
        code = b""
        with suppress(ConnectionError):  # it was killed before it took its order
            code = hook.orders.recv(16)
        del self._connections[hook.pid]
        self._unlisten(hook.orders)
        if code:
            self._report(hook.pid, int(code))

    def _unlisten(self, connection: socket.socket) -> None:
        self._poll.unregister(connection)
        del self._heard[connection.fileno()]
        connection.close()

    def _report(self, pid: int, code: int) -> None:
        number = self._hooks.pop(pid, None)
        if number is None:
            return
        try:
            self._control.send(b"%d %d" % (number, code))
        except ConnectionError:
            raise _AgentGoneError from None


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection for orders and reports, each of which is one message."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE_SIZE)
    return ends


def _receive(orders: socket.socket) -> tuple[bytes, list[int]]:
    """Wait for an order; return it with the descriptors that came along.

    Raises:
        _AgentGoneError: there will be none.
    """
    try:
        message, descriptors, _, _ = socket.recv_fds(orders, MESSAGE_SIZE, 4)
    except ConnectionError:
        raise _AgentGoneError from None
    if not message:
        raise _AgentGoneError
    return message, descriptors


def _noticed(_number: int, _frame: types.FrameType | None) -> None:
    """Let SIGCHLD be delivered; what it says comes by the descriptor that it wakes."""


def _kill_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _own_group(pid: int) -> None:
    """Make a child lead its process group; done by parent and child, whichever comes first."""
    try:
        os.setpgid(pid, pid)
    except (ProcessLookupError, PermissionError):
        return


def _die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies."""
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


# ---- the process of one hook


def _be_a_hook() -> None:
    """Do what is the same for all hooks."""
    _die_with_parent()
    _own_group(0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.clear()
    stdin = os.open(os.devnull, os.O_RDONLY)
    os.dup2(stdin, 0)
    os.close(stdin)


def _run_hook(order: Order, descriptors: list[int], enter: Callable[[], None] | None) -> int:
    for number, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(order.charm)
    if order.argv:
        _exec(order)
    if enter is None:
        raise ValueError(f"order {order.id}: this server has no charm loaded")
    os.environ.update(order.env)
    return _exit_code(enter)


def _exec(order: Order) -> NoReturn:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execve(order.argv[0], order.argv, order.env)  # noqa: S606
    except OSError as e:
        sys.stderr.write(f"cannot run {order.argv[0]}: {e.strerror}\n")
        sys.stderr.flush()
        os._exit(126)


def _exit_code(main: Callable[[], None]) -> int:
    """Run a charm as a main program: its exit code, its last words and its atexit handlers."""
    code = 0
    try:
        main()
    except SystemExit as e:
        code = _code_of(e)
    except BaseException as e:
        sys.excepthook(type(e), e, e.__traceback__)
        code = 1
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    ops_in_process.TOOLS.settle()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _code_of(e: SystemExit) -> int:
    if e.code is None or isinstance(e.code, int):
        return (e.code or 0) & 0xFF
    sys.stderr.write(f"{e.code}\n")
    return 1


# ---- the server of one charm


class _Loaded(BaseException):
    """The charm called `ops.main` while it was loaded: `call` is that call."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self.call = call


def serve_charm(
    order: Order, control: socket.socket, lock: int, copied: Sequence[Pages]
) -> NoReturn:
    """Load a charm and serve its hooks."""
    sys.path[:0] = order.path
    sys.argv = ["src/charm.py"]
    os.chdir(order.charm)
    Server(control, lock, copied, _load(Path(order.charm, "src/charm.py"))).serve()


def _load(path: Path) -> Callable[[], None]:
    """What to do in each hook: the charm's call of `ops.main`.

    A charm that cannot be loaded, or does not get so far, is run whole in each hook, and fails
    there as it would on its own.
    """
    try:
        ops_main: Any = importlib.import_module("ops._main")
    except ImportError:
        return lambda: _run_script(path)
    real = ops_main.main

    def stop_here(*args: Any, **kwargs: Any) -> NoReturn:
        raise _Loaded(lambda: real(*args, **kwargs))

    ops_main.main = stop_here
    try:
        _run_script(path)
    except _Loaded as loaded:
        ops_in_process.read_metadata_once(path.parent.parent)
        gc.collect()
        gc.freeze()
        return loaded.call
    except BaseException:  # noqa: S110 - raised again, and shown, in each hook
        pass
    finally:
        ops_main.main = real
    return lambda: _run_script(path)


def _run_script(path: Path) -> None:
    """Run a script as `__main__`, as `python path` does."""
    main = types.ModuleType("__main__")
    main.__file__ = str(path)
    sys.modules["__main__"] = main
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    exec(code, main.__dict__)  # noqa: S102 - it is the charm


def main() -> NoReturn:
    """Be the root server; the control socket and the lock are given by number."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--lock", type=int, required=True)
    parser.add_argument("--preload", action="append", default=[])
    options = parser.parse_args()
    os.set_inheritable(options.lock, False)
    # Keyboard interrupts are for the agent, which then ends this process by closing its socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("ops", *options.preload):
        try:
            importlib.import_module(name)
        except ImportError as e:
            sys.stderr.write(f"cannot preload {name}: {e}\n")
    rehearsal: Any = None
    if "ops" in sys.modules:
        ops_in_process.fit()
        rehearsal = importlib.import_module("machine.rehearsal")
        rehearsal.run()
    logging.shutdown()
    gc.collect()
    gc.freeze()
    copied: list[Pages] = rehearsal.copied() if rehearsal else []
    Server(socket.socket(fileno=options.control), options.lock, copied).serve()


if __name__ == "__main__":
    main()
