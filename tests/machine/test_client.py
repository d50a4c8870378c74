"""The agent's client, where there is no agent, or not yet."""

from __future__ import annotations

import socket
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import tenacity.nap

from machine.client import AgentUnreachableError, Client


def test_an_agent_that_is_just_being_started_again_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with closing(socket.socket(socket.AF_UNIX)) as agent, ThreadPoolExecutor() as threads:
        agent.bind(str(tmp_path / "socket"))
        answered: list[Future[None]] = []

        def answer() -> None:
            connection, _ = agent.accept()
            with connection, connection.makefile("rb") as requests:
                requests.readline()
                connection.sendall(b'{"result": {"model": "test"}}\n')

        def listen(_: float) -> None:
            agent.listen()
            answered.append(threads.submit(answer))

        monkeypatch.setattr(tenacity.nap.time, "sleep", listen)
        assert Client(tmp_path / "socket", patience=60).status() == {"model": "test"}
        assert len(answered) == 1


@pytest.mark.parametrize("patience", [0, 0.2])
def test_one_that_stays_away_is_told_of(tmp_path: Path, patience: float):
    with pytest.raises(AgentUnreachableError, match=r"no agent answers on .*: No such"):
        Client(tmp_path / "socket", patience=patience).status()
