"""A server of hooks, alone: what it does when a process that it forked ahead is killed."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from machine import fork_server
from machine.fork_server import Order, Server
from tests.machine.agents import PATIENCE


def serve_with_stopped_hooks(control: socket.socket, lock: int) -> None:
    """Be a server whose hooks are stopped before their orders come."""
    server = Server(control, lock, lambda: None)
    fork_ahead = server._fork_ahead

    def stopped():
        spare = fork_ahead()
        os.kill(spare.pid, signal.SIGSTOP)
        return spare

    server._fork_ahead = stopped
    server.serve()


def test_a_hook_that_is_killed_before_it_takes_its_order_is_told_of(tmp_path: Path):
    ours, theirs = fork_server.pair()
    ours.settimeout(PATIENCE)
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    pid = os.fork()
    if not pid:
        try:
            ours.close()
            serve_with_stopped_hooks(theirs, lock)
        finally:
            os._exit(1)
    theirs.close()
    out = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        hook, kill = Order("hook", number, "/"), Order("kill", number, signal=signal.SIGKILL)
        socket.send_fds(ours, [hook.message()], [out, out])
        ours.send(kill.message())
        assert ours.recv(100) == b"%d %d" % (number, -signal.SIGKILL)
    ours.close()
    assert os.waitpid(pid, 0)[1] == 0
