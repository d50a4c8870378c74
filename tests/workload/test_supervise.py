"""What our supervisord does that supervisord does not."""

from __future__ import annotations

import os

from workload.runtime.supervise import Poller


def test_a_broken_pipe_is_told_of_once_and_does_not_make_polling_spin() -> None:
    reading, writing = os.pipe()
    poller = Poller(options=None)
    poller.register_readable(writing)
    os.close(reading)
    assert poller.poll(0) == ([], [])
    assert writing not in poller.readables
    assert poller._poll_fds(0) == []
    os.close(writing)
