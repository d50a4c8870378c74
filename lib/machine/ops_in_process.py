"""What the fork server replaces in ops, whose hooks are forks of one process and not programs.

The charm cannot tell: tools answer the same without a process each, the charm's metadata is what
its files say, and its state is as safe on disk.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import hook_tool

_OWED = 100
"""Replies to log lines that may be outstanding."""


class Tools:
    """Stands in for `ops.hookcmds._utils.run`: asks the agent itself instead of by a program."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: hook_tool.socket | None = None
        self._received = bytearray()
        self._logged: list[tuple[str, ...]] = []

    def run(self, *args: str, input: str | None = None, redacted_cmd: Any = None) -> str:  # noqa: A002
        """Run a hook tool and return what it prints; a line for the log is not waited for."""
        words = [word.encode("utf-8", "surrogateescape") for word in args]
        token = os.environ["JUJU_CONTEXT_ID"].encode()
        with self._lock:
            connection = self._connection = self._connection or self._connect()
            connection.sendall(hook_tool.pack(token, (input or "").encode(), *words))
            if args[0] == "juju-log" and len(self._logged) < _OWED:
                self._logged.append(args)
                return ""
            self._settle(connection)
            return _printed(
                hook_tool.answer(connection, self._received), list(redacted_cmd or args)
            )

    def settle(self) -> None:
        """Wait until the agent has all lines for the log: the hook ends."""
        with self._lock:
            if self._connection is not None:
                self._settle(self._connection)

    def _settle(self, connection: hook_tool.socket) -> None:
        logged, self._logged = self._logged, []
        for line in logged:
            _printed(hook_tool.answer(connection, self._received), list(line))

    def _connect(self) -> hook_tool.socket:
        connection = hook_tool.socket(hook_tool.AF_UNIX, hook_tool.SOCK_STREAM)
        connection.connect(os.environ["JUJU_AGENT_SOCKET_ADDRESS"])
        return connection


TOOLS = Tools()
"""Those of this process."""


def _printed(reply: list[bytes], command: list[str]) -> str:
    code, stdout, stderr = (part.decode() for part in reply)
    if code != "0":
        error: Callable[..., Exception] = sys.modules["ops.hookcmds._utils"].Error
        raise error(returncode=int(code), cmd=command, stdout=stdout, stderr=stderr)
    return stdout


def fit() -> None:
    """Prepare ops, which is imported, for all charms."""
    answer_with(TOOLS.run)
    _keep_journals()


def answer_with(run: Callable[..., str]) -> None:
    """Replace the one function through which every module of ops.hookcmds runs a tool."""
    importlib.import_module("ops.hookcmds")
    for name, module in tuple(sys.modules.items()):
        if name.startswith("ops.hookcmds.") and hasattr(module, "run"):
            module.run = run  # pyright: ignore[reportAttributeAccessIssue]


def _keep_journals() -> None:
    """Let the journal of a charm's state stay, empty, from hook to hook.

    A power cut loses no more than it does where the file is made and removed each time, and a
    hook waits for two writes to the disk less.
    """
    storage: Any = importlib.import_module("ops.storage").SQLiteStorage
    set_up = storage._setup

    def set_up_to_keep(self: Any) -> None:
        self._db.execute("PRAGMA journal_mode = PERSIST")
        set_up(self)

    storage._setup = set_up_to_keep


def read_metadata_once(charm: Path) -> None:
    """Have the hooks of a charm find its metadata read; with other files it is loaded anew."""
    metadata: Any = importlib.import_module("ops.charm").CharmMeta
    read = metadata.from_charm_root
    try:
        known = read(charm)
    except Exception:  # what is wrong is raised again, and shown, in each hook
        return
    home, name = charm.resolve(), str(charm)

    def known_or_read(root: Path | str) -> Any:
        same = str(root) == name or Path(root).resolve() == home
        return known if same else read(root)

    metadata.from_charm_root = staticmethod(known_or_read)
