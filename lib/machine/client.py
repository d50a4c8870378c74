"""Talks to the agent: blocking, typed, over its UNIX socket."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import tenacity

from machine.records import HookRecord, LogLine

__all__ = [
    "ActionResult",
    "AgentUnreachableError",
    "BundleError",
    "ChangeError",
    "Client",
    "Error",
    "HookRecord",
    "LogLine",
    "Queued",
    "RelationRecord",
    "TimeoutExpiredError",
]


class Error(Exception):
    """The agent cannot do what was asked; the message is for the user."""


class AgentUnreachableError(Error):
    """No agent answers on the socket."""


class BundleError(Error):
    """A bundle is wrong; each line of the message is one problem with file and line."""


class ChangeError(Error):
    """What was asked of the model cannot be: an unknown name, or a value that does not fit."""


class TimeoutExpiredError(Error):
    """What was awaited did not come in time; the message says what it was."""


_PAUSE = 0.1
"""Seconds between two tries to connect."""

_CANCELLED_ENDS = 30.0
"""Seconds within which an action that was cancelled has ended: the agent kills it after 5."""

_KINDS: Mapping[str, type[Error]] = {
    "bundle": BundleError,
    "change": ChangeError,
    "timeout": TimeoutExpiredError,
}


@dataclass(frozen=True)
class ActionResult:
    """How an action ended: `status` is completed, failed, cancelled or aborted.

    `times` are those it was enqueued, started and completed at, `logged` those of the lines of its
    log, in seconds since the epoch.
    """

    status: str
    results: Mapping[str, Any]
    message: str
    log: Sequence[str]
    id: str
    unit: str
    times: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
    logged: Sequence[float] = ()


@dataclass(frozen=True)
class Queued:
    """An operation: its id, the id of each unit's task, and why a unit has none."""

    operation: str
    tasks: Mapping[str, str]
    errors: Mapping[str, str]


def action_result(answer: Mapping[str, Any]) -> ActionResult:
    """How an action ended, from what the agent answers."""
    return ActionResult(
        answer["status"],
        answer["results"],
        answer["message"],
        answer["log"],
        answer["id"],
        answer["unit"],
        {key: answer[key] for key in ("enqueued", "started", "completed")},
        answer["logged"],
    )


@dataclass(frozen=True)
class RelationRecord:
    """A relation; in the databags secrets are ids only. Endpoints are `application:name`."""

    id: int
    interface: str
    endpoints: tuple[str, ...]
    scope: str
    databags: Mapping[str, Mapping[str, str]]


class _InterruptKept:
    """Within it the first Ctrl-C is kept until `let_go`; a second one is not waited with.

    For what must not be cut off halfway, and may take as long as an agent that hangs.
    """

    def __init__(self) -> None:
        self._came = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # the only one that it comes to
            self._before = signal.signal(signal.SIGINT, self._keep)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _keep(self, *_: object) -> None:
        if self._came:
            raise KeyboardInterrupt
        self._came = True

    def _restore(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def let_go(self) -> None:
        """From here on Ctrl-C is what it was; one that came is raised now."""
        self._restore()
        if self._came:
            raise KeyboardInterrupt


class Client:
    """One connection for each call, so that calls may run side by side."""

    def __init__(self, socket: Path, model: str | None = None, patience: float = 0.0) -> None:
        """Prepare to talk to the agent.

        Args:
            socket: where it listens.
            model: name or id of the model that is meant; without one it is the agent's own.
            patience: seconds for which one that does not listen is asked again: a supervisor
                may be starting it.
        """
        self._socket = socket
        self._model = model
        self._patience = patience

    # ---- the model

    def deploy(
        self,
        bundle: Path,
        overlays: Sequence[Path] = (),
        dry_run: bool = False,
        storage: Sequence[str] = (),
        new: str = "",
    ) -> list[str]:
        """Bring the model to what a bundle says; it is verified whole first.

        Args:
            bundle: the bundle's file.
            overlays: files merged over it, in order.
            dry_run: change nothing.
            storage: that was detached, for the one new unit there is.
            new: an application that there must not be yet.

        Returns:
            A line for each thing that changed; none if all was there already.

        Raises:
            BundleError: something in it is wrong; nothing has changed.
            ChangeError: the unit has no use for the storage, or there is the application; nothing
                has changed.
        """
        return self._call(
            "deploy",
            bundle_file=str(bundle.absolute()),
            overlays=[str(overlay.absolute()) for overlay in overlays],
            dry_run=dry_run,
            storage=list(storage),
            **({"new": new} if new else {}),
        )

    def remove_application(self, app: str, force: bool = False) -> None:
        """Let an application go; its hooks run first, and with `force` may fail."""
        self._call("remove_application", application=app, force=force)

    def add_unit(self, app: str, count: int = 1, storage: Sequence[str] = ()) -> None:
        """Add units to an application, or one that gets storage which was detached.

        Raises:
            ChangeError: no such application, it is a subordinate, or has no use for the storage.
        """
        self._call("add_unit", application=app, count=count, storage=list(storage))

    def remove_unit(self, unit: str, force: bool = False) -> None:
        """Let a unit go, with its subordinates; hooks run first, and with `force` may fail."""
        self._call("remove_unit", unit=unit, force=force)

    def remove_relation(self, first: str, second: str) -> None:
        """End a relation; its ends are `application[:endpoint]`.

        Raises:
            ChangeError: there is no such relation, or more than one.
        """
        self._call("remove_relation", first=first, second=second)

    def config(self, app: str) -> dict[str, Any]:
        """The options that have a value or a default."""
        return self._call("config", application=app)

    def set_config(
        self,
        app: str,
        values: Mapping[str, str | int | float | bool],
        reset: Sequence[str] = (),
    ) -> None:
        """Set options, and put others back to their defaults.

        Raises:
            ChangeError: no such option, or a value is not of its type.
        """
        self._call("set_config", application=app, values=dict(values), reset=list(reset))

    def status(self) -> dict[str, Any]:
        """The model in the shape of `juju status --format json`."""
        return self._call("status")

    def watch(self, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """The status now, and again after each change, until the model is gone.

        Raises:
            TimeoutExpiredError: `timeout` seconds have passed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for answer in self._answers("watch", {}, deadline):
            yield answer["item"]

    def wait_idle(self, timeout: float) -> None:
        """Wait until no hook runs, is due, or has failed.

        Raises:
            TimeoutExpiredError: `timeout` seconds have passed.
        """
        self._call("wait_idle", timeout=timeout)

    # ---- units

    def run(
        self,
        unit: str,
        action: str,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        told: Callable[[str], None] = lambda _: None,
        *,
        with_us: bool = False,
    ) -> ActionResult:
        """Run an action and wait for its end; the unit may be `<application>/leader`.

        Args:
            unit: that it runs on.
            action: its name.
            params: its parameters.
            timeout: seconds to wait; None for as long as it takes.
            told: called with each line that the action logs, while it runs.
            with_us: cancel it, and wait for its end, when this wait is interrupted.

        Raises:
            ChangeError: no such unit or action, or the parameters do not fit.
            TimeoutExpiredError: it has not ended in `timeout` seconds.
        """
        if not with_us:
            task = self._queued(unit, action, params or {})
            return self.ended(task, timeout, told, f"action {action} of {unit}")
        with _InterruptKept() as kept:
            task = self._queued(unit, action, params or {})
            try:
                kept.let_go()
                return self.ended(task, timeout, told, f"action {action} of {unit}")
            except KeyboardInterrupt:
                self.cancel_task(task)
                self.ended(task, _CANCELLED_ENDS)
                raise

    def _queued(self, unit: str, action: str, params: Mapping[str, Any]) -> str:
        queued = self.enqueue([unit], action, params)
        for error in queued.errors.values():
            raise ChangeError(error)
        (task,) = queued.tasks.values()
        return task

    def enqueue(self, units: Sequence[str], action: str, params: Mapping[str, Any]) -> Queued:
        """Have an action run on units, or, as `juju-exec`, a command of the shell."""
        answer = self._call("enqueue", units=list(units), action=action, params=dict(params))
        return Queued(**answer)

    def ended(
        self,
        task: str,
        timeout: float | None,
        told: Callable[[str], None] = lambda _: None,
        what: str = "",
    ) -> ActionResult:
        """Wait for the end of a task.

        Args:
            task: its id.
            timeout: seconds to wait; None for as long as it takes.
            told: called with each line that the action logs, while it runs.
            what: the task is called in an error.

        Raises:
            ChangeError: there is no such task.
            TimeoutExpiredError: it has not ended in `timeout` seconds.
        """
        what = what or f"task {task}"
        answer = self._call("ended", told, number=task, what=what, timeout=timeout)
        return action_result(answer)

    def cancel_task(self, task: str) -> Mapping[str, Any]:
        """Take back a task, or have it ended where it runs; what has ended stays as it is.

        Returns:
            The task as it is now: its process may still be ending.

        Raises:
            ChangeError: there is no such task.
        """
        return self._call("cancel_task", number=task)

    def resolved(self, unit: str, retry: bool = True) -> None:
        """Run a unit's failed hook again now, or count it as done."""
        self._call("resolved", unit=unit, retry=retry)

    def resolve_all(self, retry: bool = True) -> None:
        """Do so for all units that are in error when the agent is asked."""
        self._call("resolve_all", retry=retry)

    def update_status(self) -> None:
        """Let every unit that is not active look again now, by its update-status hook."""
        self._call("update_status")

    # ---- what happened

    def debug_log(
        self,
        follow: bool = False,
        include: Sequence[str] = (),
        level: str = "DEBUG",
        limit: int | None = None,
        exclude: Sequence[str] = (),
        include_modules: Sequence[str] = (),
        exclude_modules: Sequence[str] = (),
    ) -> Iterator[LogLine]:
        """Lines of the debug log, oldest first.

        Args:
            follow: go on with new lines, without end.
            include: only these applications or units; `*` stands for any text.
            level: only lines of this level or graver.
            limit: only so many of the lines that are there, counted from the end.
            exclude: without these applications or units.
            include_modules: only lines from below these modules.
            exclude_modules: without lines from below these modules.
        """
        lines = self._stream(
            "debug_log",
            follow=follow,
            include=list(include),
            level=level,
            limit=limit,
            exclude=list(exclude),
            include_modules=list(include_modules),
            exclude_modules=list(exclude_modules),
        )
        return (LogLine(**line) for line in lines)

    def hooks(self) -> list[HookRecord]:
        """All hooks that ran or run, oldest first."""
        return [HookRecord(**record) for record in self._call("hooks")]

    def relations(self) -> list[RelationRecord]:
        """All relations with their databags."""
        return [
            RelationRecord(
                r["id"], r["interface"], tuple(r["endpoints"]), r["scope"], r["databags"]
            )
            for r in self._call("relations")
        ]

    def shutdown(self) -> None:
        """Stop the agent; hooks that run are killed, and run again when it starts."""
        self._call("shutdown")

    # ---- the wire

    def _call(
        self, method: str, told: Callable[[Any], None] = lambda _: None, /, **params: object
    ) -> Any:
        for answer in self._answers(method, params):
            if "result" in answer:
                return answer["result"]
            told(answer["item"])
        raise AgentUnreachableError(f"the agent went away while it answered ({method})")

    def _stream(self, method: str, **params: object) -> Generator[Any]:
        for answer in self._answers(method, params):
            if "item" not in answer:
                return
            yield answer["item"]

    def _answers(
        self, method: str, params: Mapping[str, object], deadline: float | None = None
    ) -> Generator[Mapping[str, Any]]:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
            self._connect(connection)
            request = json.dumps({"method": method, "model": self._model, "params": params})
            try:
                connection.sendall(request.encode() + b"\n")
                with connection.makefile("rb") as lines:
                    while line := _line(connection, lines, deadline):
                        yield _checked(json.loads(line))
            except ConnectionError:
                raise AgentUnreachableError(
                    f"the agent went away while it answered ({method})"
                ) from None

    def _connect(self, connection: socket.socket) -> None:
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((ConnectionRefusedError, FileNotFoundError)),
            wait=tenacity.wait_fixed(_PAUSE),
            stop=tenacity.stop_after_delay(self._patience),
            reraise=True,
        )
        try:
            attempts(connection.connect, str(self._socket))
        except OSError as e:
            raise AgentUnreachableError(
                f"no agent answers on {self._socket}: {e.strerror or e}"
            ) from None


def _line(connection: socket.socket, lines: BinaryIO, deadline: float | None) -> bytes:
    """The next line of an answer; none at its end.

    Raises:
        TimeoutExpiredError: it has not come by the deadline on the monotonic clock.
    """
    if deadline is not None:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
    try:
        return lines.readline()
    except TimeoutError:
        raise TimeoutExpiredError("the agent has not answered in time") from None


def _checked(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    error = cast("Mapping[str, str] | None", answer.get("error"))
    if error is not None:
        raise _KINDS.get(error["kind"], Error)(error["message"])
    return answer
