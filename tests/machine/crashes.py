"""Takes a model through its life again and again, its agent killed at another point each time.

A program for `test_crashes`. The agents are those of the product, forked from this process, which
has everything imported: a run takes a fraction of a second. What is put around them counts the
points where they can be killed and sends the SIGKILL; the product knows nothing of it.

    python crashes.py BUNDLES OUT     BUNDLES: folder with the bundles that LIFE deploys
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from machine import agent, fork_server, resolver, runner, store
from machine.client import AgentUnreachableError, Client
from machine.hooks import Hooks
from machine.model import Model
from machine.records import HookRecord

Step = Callable[[Client, Path], None]
PATIENCE = 30.0
DAY = 86400.0
SEED = 1
"""Hooks come one at a time, in one order: the n-th point of all runs is the same."""


# ---- points where an agent can be killed


class Points:
    """The points that an agent passes; at one of them it is killed."""

    def __init__(self, at: int | None, passed: Path | None) -> None:
        self._at = at
        self._passed = passed
        self._count = 0

    def passes(self, label: str) -> None:
        if self._count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        self._count += 1
        if self._passed is not None:
            with self._passed.open("a") as passed:
                passed.write(f"{label}\n")


def watch(points: Points) -> None:
    """Have this process, which will be an agent, pass the points."""
    what: list[str] = []

    class Connection(sqlite3.Connection):
        """All is written at the first point and nothing counts; at the second all counts."""

        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql != "COMMIT" or not what:
                return super().execute(sql, *parameters)
            points.passes(f"before commit of {what[0]}")
            done = super().execute(sql, *parameters)
            points.passes(f"after commit of {what[0]}")
            return done

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        return real_connect(*args, factory=Connection, **options)

    def commit(self: store.Store, model: Model) -> None:
        # A commit of the log alone comes by the clock.
        what[:] = ["a change"] if model is not self.model else []
        real_commit(self, model)
        what.clear()

    def commit_hook(self: store.Store, model: Model, hook: HookRecord) -> HookRecord:
        what[:] = [f"{hook.unit} {hook.hook} {hook.outcome}"]
        try:
            return real_commit_hook(self, model, hook)
        finally:
            what.clear()

    def tool(self: Hooks, token: str, argv: Sequence[str], stdin: str) -> Any:
        points.passes(f"tool {argv[0]}")
        return real_tool(self, token, argv, stdin)

    real_connect, real_tool = sqlite3.connect, Hooks.tool
    real_commit, real_commit_hook = store.Store.commit, store.Store.commit_hook
    sqlite3.connect = connect
    store.Store.commit, store.Store.commit_hook = commit, commit_hook
    Hooks.tool = tool


# ---- agents by fork


class ForkedServer:
    """In place of the `subprocess.Popen` of the fork server: it has ops imported already."""

    def __init__(self, command: Sequence[str], pass_fds: Sequence[int], **_: Any) -> None:
        self.pid = os.fork()
        if not self.pid:
            # What this process would do at its end is not for hooks to do at theirs.
            atexit._clear()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for name in os.listdir("/proc/self/fd"):
                if int(name) > 2 and int(name) not in pass_fds:
                    with suppress(OSError):
                        os.close(int(name))
            sys.argv = ["fork_server", *command[3:]]
            fork_server.main()

    def wait(self) -> None:
        os.waitpid(self.pid, 0)


def start(folder: Path, points: Points) -> int:
    """Start an agent; return its pid once it answers."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            runner.subprocess = type("Subprocess", (), {"Popen": ForkedServer, "DEVNULL": -1})
            watch(points)
            agent.run(agent.Options(folder / "state", folder / "socket", shuffle=SEED))
            code = 0
        finally:
            os._exit(code)
    return pid


def answers(client: Client, pid: int) -> None:
    """Wait for an agent to answer.

    Raises:
        AgentUnreachableError: it is dead.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(AgentUnreachableError):
            client.status()
            return
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            raise AgentUnreachableError("killed as it started")
        time.sleep(0.003)
    raise AssertionError("the agent does not answer")


# ---- a model's life


def deploy(number: int) -> Step:
    return lambda client, bundles: client.deploy(bundles / f"{number}.yaml") and None


def set_options(client: Client, _: Path) -> None:
    client.set_config("db", {"prefix": "account"})
    client.set_config("web", {"greeting": "welcome"})


def unrelate(client: Client, _: Path) -> None:
    if any(len(r.endpoints) == 2 for r in client.relations()):
        client.remove_relation("db", "web")


def remove(client: Client, _: Path) -> None:
    for application in {"web", "recorder"} & client.status()["applications"].keys():
        client.remove_application(application)


LIFE: Sequence[Step] = (deploy(1), deploy(2), deploy(3), set_options, unrelate, remove)
"""What is done to the model; each leaves alone what is done already. After each it settles."""


@dataclass(frozen=True)
class End:
    """How a step ended: how often the agent was killed, the model, and the hooks that counted."""

    killed: int
    model: Any
    hooks: list[str]


def live(folder: Path, step: Step, bundles: Path, points: Points) -> End:
    """Take the model in a folder through a step, with the agent killed at a point."""
    client = Client(folder / "socket")
    pid, killed = start(folder, points), 0
    while True:
        try:
            answers(client, pid)
            step(client, bundles)
            client.wait_idle(PATIENCE)
            break
        except AgentUnreachableError:
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, status
            killed += 1
            pid = start(folder, Points(None, None))
    client.shutdown()
    os.waitpid(pid, 0)
    return End(killed, *end_of(folder / "state"))


_OF_THE_RUN = {"since", "created", "last_hook", "boot", "uuid"}
"""Fields that are times, or made up anew."""
_SECRET = re.compile(r"secret:[0-9a-v]{20}|(?<=\")[0-9a-v]{20}(?=\")")


def end_of(state: Path) -> tuple[Any, list[str]]:
    end = store.Store(state / "store.db", lambda: Model("", ""))
    model, hooks = end.model, end.hooks()
    end.close()
    text = _SECRET.sub("SECRET", json.dumps(plain(asdict(model)), default=str))
    return json.loads(text), [f"{h.unit} {h.hook}" for h in hooks if h.outcome == "done"]


def plain(value: Any) -> Any:
    """The model without what is of this run alone."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items() if k not in _OF_THE_RUN}
    if isinstance(value, frozenset):
        return sorted(value)
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


# ---- all runs


def main(bundles: Path, out: Path) -> None:
    importlib.import_module("ops")
    # By the clock, a run that begins minutes after the one it is compared with has a hook more.
    resolver.update_status_interval = lambda _: DAY
    gc.freeze()
    steps: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="crashes-") as name:
        before = Path(name, "0")
        (before / "state").mkdir(parents=True, mode=0o700)
        for number, step in enumerate(LIFE, 1):
            after = copied(before, Path(name, str(number)))
            passed = Path(name, f"{number}.passed")
            undisturbed = live(after, step, bundles, Points(None, passed))
            points = passed.read_text().splitlines()
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                ends = list(pool.map(partial(in_child, before, step, bundles), range(len(points))))
            steps.append({"points": points, "undisturbed": asdict(undisturbed), "ends": ends})
            before = after
    out.write_text(json.dumps(steps))


def copied(before: Path, to: Path) -> Path:
    return Path(
        shutil.copytree(
            before,
            to,
            symlinks=True,
            ignore=lambda _, names: [name for name in names if name.endswith("socket")],
        )
    )


def in_child(before: Path, step: Step, bundles: Path, at: int) -> dict[str, Any]:
    """A run in a process of its own, for agents are forked from it."""
    with tempfile.TemporaryDirectory(prefix="crash-") as name:
        folder = copied(before, Path(name, "run"))
        result = Path(name, "result")
        pid = os.fork()
        if not pid:
            code = 1
            try:
                end = live(folder, step, bundles, Points(at, None))
                result.write_text(json.dumps(asdict(end)))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        assert status == 0, f"the run that is killed at point {at} failed"
        return json.loads(result.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
