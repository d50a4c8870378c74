"""A server of hooks, alone: what becomes of the process that it forks ahead."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from machine import fork_server
from machine.copied_pages import Pages
from machine.fork_server import Order, Server
from tests.machine.agents import PATIENCE, running, until

Spared = Callable[[int], None]
"""Called in the server with the process that it forked ahead."""


def serve(
    control: socket.socket,
    lock: int,
    spared: Spared,
    copied: Sequence[Pages],
    enter: Callable[[], None],
) -> None:
    server = Server(control, lock, copied, enter)
    fork_ahead = server._fork_ahead

    def told():
        spare = fork_ahead()
        spared(spare.pid)
        return spare

    server._fork_ahead = told
    server.serve()


@contextmanager
def serving(
    folder: Path,
    spared: Spared = lambda _: None,
    copied: Sequence[Pages] = (),
    enter: Callable[[], None] = lambda: None,
) -> Iterator[socket.socket]:
    """The agent's end of a server in a process of its own, which then ends well."""
    ours, theirs = fork_server.pair()
    ours.settimeout(PATIENCE)
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    pid = os.fork()
    if not pid:
        try:
            ours.close()
            serve(theirs, lock, spared, copied, enter)
        finally:
            os._exit(1)
    theirs.close()
    os.close(lock)
    try:
        yield ours
    finally:
        ours.close()
        assert os.waitpid(pid, 0)[1] == 0


@pytest.fixture
def spares() -> Iterator[tuple[Spared, Callable[[], int]]]:
    """What tells of each process forked ahead, and what reads the next one's id."""
    reader, writer = fork_server.pair()
    reader.settimeout(PATIENCE)
    with reader, writer:
        yield lambda pid: writer.send(b"%d" % pid) and None, lambda: int(reader.recv(16))


def give(server: socket.socket, number: int) -> None:
    with open(os.devnull, "wb") as out:
        order = Order("hook", number, "/")
        socket.send_fds(server, [order.message()], [out.fileno(), out.fileno()])


def test_a_hook_that_is_killed_before_it_takes_its_order_is_told_of(tmp_path: Path):
    with serving(tmp_path, lambda pid: os.kill(pid, signal.SIGSTOP)) as server:
        for number in (1, 2):
            give(server, number)
            server.send(Order("kill", number, signal=signal.SIGKILL).message())
            assert server.recv(100) == b"%d %d" % (number, -signal.SIGKILL)


def test_a_process_that_is_killed_while_it_waits_is_no_hook_that_failed(
    tmp_path: Path, spares: tuple[Spared, Callable[[], int]]
):
    spared, next_spare = spares
    with serving(tmp_path, spared) as server:
        killed = next_spare()
        os.kill(killed, signal.SIGKILL)
        until(lambda: not running(killed) or None, "the server took note of its end")
        assert next_spare() != killed
        give(server, 1)
        assert server.recv(100) == b"1 0"


def test_what_waits_for_a_hook_ends_with_its_server(
    tmp_path: Path, spares: tuple[Spared, Callable[[], int]]
):
    spared, next_spare = spares
    with serving(tmp_path, spared):
        spare = next_spare()
        assert running(spare)
    until(lambda: not running(spare) or None, "what waited for a hook has ended")


def test_a_hook_waits_for_no_page_that_was_copied_ahead(tmp_path: Path):
    memory = mmap.mmap(-1, 256 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(b"x" * len(memory))

    def hook() -> None:
        """Write to all pages, and exit with the number that had to be copied, 255 at most."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for offset in range(0, len(memory), mmap.PAGESIZE):
            memory[offset] = 1
        waits = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        raise SystemExit(min(waits, 255))

    def waits(copied: Sequence[Pages]) -> int:
        with serving(tmp_path, copied=copied, enter=hook) as server:
            give(server, 1)
            return int(server.recv(100).split()[1])

    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert waits([]) == 255
    assert waits([Pages(start, len(memory))]) < 32
