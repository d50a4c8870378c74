"""What a thing on the host is, and how a command of the host undoes it."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class UndoError(Exception):
    """A thing that cannot be undone; the message says which and why."""


class Thing(BaseModel, ABC):
    """Something on the host. Its fields say which; two with the same `key` are the same thing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.model_dump_json()

    @abstractmethod
    def exists(self) -> bool:
        """Whether it is there."""

    @abstractmethod
    def undo(self) -> None:
        """Make it not be there; called only where it is.

        Raises:
            UndoError, network.NetworkError, OSError: it is in use or the host refuses.
        """


def run(command: Sequence[str]) -> None:
    """Run a command of the host.

    Raises:
        UndoError: with the first line of what it says.
    """
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no message"]
        raise UndoError(f"{command[0]}: {lines[0]}") from None
