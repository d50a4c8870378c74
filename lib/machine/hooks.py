"""Running hooks: decides which are due, runs each as a transaction, and answers its tools."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine import hook_tools, progress, resolver, storage
from machine.agenda import Agenda
from machine.charm import CharmError, materialise
from machine.context import Context, Reboot
from machine.environment import Surroundings, environment
from machine.exec_runner import NotImplementedByCharmError, job, shell
from machine.folders import Folders, copied, dashed
from machine.hook_output import Output
from machine.hook_tools import Reply
from machine.life import Status
from machine.model import EXEC, Action, Model
from machine.records import HookRecord, LogLine
from machine.runner import Job, Runner
from machine.storage import StorageError
from machine.store import Store
from machine.unit import Hook

logger = logging.getLogger(__name__)

_AT_ONCE = 32
"""Hooks that run at a time. Most of them wait, for a service or a migration: fewer would hold up
the units behind them, and no more are needed to keep any host busy."""

_LOG_WAITS = 0.2
"""Seconds that a line of the debug log may wait for the disk when nothing else is written."""

_RESTART = 1.0
"""Seconds before a hook runs again whose server was killed."""


def _boot() -> str:
    """Return what tells this run of the host from others.

    Who starts and stops the agent together with what its units run sets `MACHINE_BOOT_ID` anew
    each time: for the units that is a reboot.
    """
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{kernel} {os.environ.get('MACHINE_BOOT_ID', '')}".strip()


class Hooks:
    """Runs the hooks that are due, one at a time for each unit, and answers their tools."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        around: Surroundings,
        folders: Folders,
        python_path: Sequence[str],
        *,
        fork: bool = True,
        shuffle: int | None = None,
        timeout: float | None = None,
    ) -> None:
        self.address = around.address
        self._store = store
        self._runner = runner
        self._around = around
        self._folders = folders
        self._python_path = python_path
        self._fork = fork
        self._shuffle = shuffle
        self._timeout = timeout
        self._agenda = Agenda()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._contexts: dict[str, Context] = {}
        self._versions: dict[str, int] = {}
        self._known: tuple[set[str], set[str]] = set(), set()
        self._processes: dict[str, asyncio.Task[int | None]] = {}
        self._skipped: set[str] = set()
        self._flush: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        store.watch(self._wake.set)

    # ---- what is due

    async def run(self) -> None:
        """Run hooks until cancelled; then those that run are killed and stay due."""
        try:
            while True:
                self._wake.clear()
                now = time.time()
                self._forget_gone()
                self._start_due(now)
                await self._woken(now)
        finally:
            tasks = tuple(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._forget_gone()

    async def _woken(self, now: float) -> None:
        """Wait for a change of the model, for the end of a hook, or for the next timer."""
        nearest = self._agenda.due(self._store.model, now, self._running).wakes
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(nearest and max(nearest - time.time(), 0.0)):
                await self._wake.wait()

    def _start_due(self, now: float) -> None:
        for name, hook in self._due(now):
            self._running[name] = asyncio.create_task(self._run(name, hook), name=name)

    def _due(self, now: float) -> Iterator[tuple[str, Hook]]:
        """The hooks to start now; in a shuffled order they come one at a time."""
        model = self._store.model
        if self._shuffle is not None:
            chosen = None if self._running else resolver.shuffled(model, now, self._shuffle)
            yield from () if chosen is None else (chosen,)
            return
        hooks = self._agenda.due(model, now, self._running).hooks
        for name in sorted(hooks)[: _AT_ONCE - len(self._running)]:
            yield name, hooks[name]

    def _forget_gone(self) -> None:
        units, storages = self._store.model.units, self._store.model.storages
        known = set(units), set(storages)
        if known == self._known:
            return
        for name in self._known[0] - units.keys():
            self._runner.forget(self._folders.charm(name))
            self._versions.pop(name, None)
        self._folders.sweep(units.keys())
        try:
            storage.sweep(self._folders.storages, storages.keys())
        except StorageError:
            logger.exception("storage that is gone from the model is left on disk")
        self._known = known

    def busy(self) -> list[str]:
        """The units that run a hook, or have one due now or after a failure."""
        now, model = time.time(), self._store.model
        due = self._agenda.due(model, now, self._running).hooks
        return [
            u.name
            for u in model.units.values()
            if u.name in self._running or (u.pending and not u.rebooting) or u.name in due
        ]

    def recover(self) -> None:
        """Put right what was left: hooks are due again, actions failed, a boot asks for start."""
        now, model = time.time(), self._store.model
        for action in model.actions.values():
            if action.status in ("running", "aborting"):
                model = model.with_action(_terminated(action, now))
        for unit in model.units.values():
            if unit.agent.current == "executing":
                model = progress.ended_action(model, unit.name, now)
        boot = _boot()
        if model.boot not in ("", boot):
            model = storage.after_boot(self._folders.storages, progress.rebooted(model, now))
        self._store.commit(replace(model, boot=boot))
        for record in self._store.hooks("running"):
            ended = replace(record, ended=now, outcome="killed")
            self._store.commit_hook(self._store.model, ended)

    # ---- one hook

    async def _run(self, name: str, hook: Hook) -> None:
        try:
            await self._transaction(name, hook)
        except Exception:
            logger.exception("hook %s of %s", hook.name, name)
            self._store.commit(self._given_up(name, hook))
        finally:
            del self._running[name]
            self._wake.set()

    async def _transaction(self, name: str, hook: Hook) -> None:
        now = time.time()
        model = self._store.model
        if progress.pending_is_moot(model, model.units[name]):
            unit = replace(model.units[name], pending=None, agent=Status("idle", "", now))
            self._store.commit(model.with_unit(unit))
            return
        model = await self._with_location(name, hook)
        model = progress.begin(model, name, hook, now, self.address)
        label = hook.name if not hook.action else f"action {hook.name}"
        record = self._store.commit_hook(model, HookRecord(name, label, now))
        context = Context(model, name, hook, now)
        code = await self._exit_code(context, record)
        if hook.action:
            model, outcome = self._after_action(context, code)
        else:
            model, outcome = self._after_hook(context, code)
        self._store.commit_hook(model, replace(record, ended=time.time(), outcome=outcome))
        if outcome == "failed" and not hook.action:
            # Whoever mends the charm's code shall see it run at the next try.
            self._runner.forget(self._folders.charm(name))

    async def _exit_code(self, context: Context, record: HookRecord) -> int | None:
        """Run the hook; None if it was killed and is to run again."""
        name = context.unit.name
        if context.hook.storage and not context.seen.storages[context.hook.storage].location:
            return 1
        token = secrets.token_hex(16)
        output = Output(self._log_of(name, context.hook))
        if not await self._materialise(context, output):
            return 1
        charm = self._folders.charm(name)
        env = environment(self._around, context.seen, name, context.hook, charm, token)
        version = self._versions.get(name, context.unit.charm_revision)
        try:
            task = self._job(context, version, charm, env)
        except NotImplementedByCharmError as e:
            context.failure = f'action not implemented on unit "{name}"'
            return self._not_implemented(context, e)
        self._contexts[token] = context
        try:
            return await self._ended(name, context.hook, self._runner.run(task, output.take))
        except asyncio.CancelledError:
            self._killed(context, record)
            raise
        finally:
            del self._contexts[token]
            output.close()
            if context.hook.action:
                context.results.update(output.as_results())

    async def _ended(
        self, name: str, hook: Hook, run: Coroutine[Any, Any, int | None]
    ) -> int | None:
        """The exit code of a hook's process; None if it was killed, 1 if it took too long."""
        process = self._processes[name] = asyncio.create_task(run)
        if hook.action:
            self.abort(hook.action)
        try:
            await asyncio.wait([process], timeout=self._timeout)
            if process.done():
                return None if process.cancelled() else process.result()
            what = f"{hook.name} was killed: it ran for more than {self._timeout:g} s"
            self._log_unit(name, "ERROR", hook.name, what)
            return 1
        finally:
            del self._processes[name]
            process.cancel()
            await asyncio.wait([process])

    def abort(self, number: str) -> None:
        """Kill what runs for an action that is to be aborted."""
        action = self._store.model.actions[number]
        process = self._processes.get(action.unit)
        if action.status == "aborting" and process is not None and not process.cancelling():
            process.cancel()

    def skip(self, unit: str) -> bool:
        """Kill the hook that a unit runs, and count it as run; False if it runs none."""
        process = self._processes.get(unit)
        if process is None:
            return False
        self._skipped.add(unit)
        process.cancel()
        return True

    def _job(self, context: Context, version: int, charm: Path, env: Mapping[str, str]) -> Job:
        hook = context.hook
        if hook.action and hook.name == EXEC:
            command = str(context.seen.actions[hook.action].params["command"])
            return shell(version, charm, env, command)
        return job(version, charm, hook, env, self._python_path, fork=self._fork)

    def _not_implemented(self, context: Context, error: Exception) -> int:
        self._log_unit(context.unit.name, "DEBUG", "operation", str(error))
        return 1 if context.hook.action else 0

    async def _materialise(self, context: Context, output: Output) -> bool:
        """Put the charm into the unit's folder where it is not there in this version."""
        unit = context.unit
        application = context.seen.applications[unit.application]
        version, charm = application.charm_revision, self._folders.charm(unit.name)
        there = unit.installed and charm.exists()
        failed = unit.pending is not None and unit.pending.failures > 0
        due = not there or failed or context.hook.name == "upgrade-charm"
        known = self._versions.get(unit.name, unit.charm_revision if there else None)
        if known == version or not due:
            return True
        try:
            await asyncio.to_thread(materialise, Path(application.charm_path), charm)
        except (CharmError, OSError) as e:
            output.take("stderr", f"cannot unpack the charm: {e}\n".encode())
            output.close()
            return False
        self._versions[unit.name] = version
        return True

    async def _with_location(self, name: str, hook: Hook) -> Model:
        """The model with the hook's storage made; where that fails it gets no location."""
        wanted = self._store.model.storages.get(hook.storage)
        if wanted is None or wanted.attached:
            return self._store.model
        location = ""
        try:
            location = await asyncio.to_thread(storage.provision, self._folders.storages, wanted)
        except (StorageError, OSError) as e:
            self._log_unit(name, "ERROR", "storage", str(e))
        model = self._store.model
        if hook.storage not in model.storages:
            return model
        return model.with_storage(replace(model.storages[hook.storage], location=location))

    # ---- how a hook ends

    def _after_hook(self, context: Context, code: int | None) -> tuple[Model, str]:
        now, model, name = time.time(), self._store.model, context.unit.name
        skipped = name in self._skipped
        self._skipped.discard(name)
        if name not in model.units:
            return model, "killed"
        if skipped:
            return progress.skipped(model, name, now), "killed"
        if code is None or context.reboot is Reboot.NOW:
            model = progress.requeued(model, name, now, 0.0 if context.reboot else _RESTART)
            return self._rebooting(model, context), "killed"
        if code == 0:
            model = context.apply(model)
            model = progress.delivered(model, context.seen, name, context.hook, now)
            return self._rebooting(model, context), "done"
        return progress.failed(model, name, now, _jitter()), "failed"

    def _rebooting(self, model: Model, context: Context) -> Model:
        """The model where a unit whose charm asked for a reboot runs no hook until then."""
        unit = model.units.get(context.unit.name)
        if unit is None or context.reboot is None:
            return model
        agent = Status("rebooting", "until this host is booted again", time.time())
        return model.with_unit(replace(unit, rebooting=True, agent=agent))

    def _after_action(self, context: Context, code: int | None) -> tuple[Model, str]:
        now, model = time.time(), self._store.model
        action = replace(model.actions[context.hook.action], results=context.results)
        if action.name == EXEC and code is not None:
            # What a command's exit code means is for who asked; it has run.
            action = replace(action, results={"return-code": code, **context.results})
            code = 0
        if code == 0:
            # Also of one that says it failed: that is for who asked, not for its unit.
            model = context.apply(model)
        if code == 0 and context.failure is None:
            action = replace(action, status="completed", completed=now)
        elif code is None:
            action = _terminated(action, now, context.failure)
        else:
            action = _failed(action, context.failure or f"exit status {code}", now)
        model = progress.ended_action(model.with_action(action), context.unit.name, now)
        return model, "done" if action.status == "completed" else "failed"

    def _given_up(self, name: str, hook: Hook) -> Model:
        """A hook that could not be run or committed has failed."""
        now, model = time.time(), self._store.model
        if name not in model.units:
            return model
        if not hook.action:
            return progress.failed(model, name, now, _jitter())
        action = _failed(model.actions[hook.action], "the agent could not run it", now)
        return progress.ended_action(model.with_action(action), name, now)

    def _killed(self, context: Context, record: HookRecord) -> None:
        """The agent stops: the hook stays due, an action has failed."""
        now = time.time()
        if context.hook.action:
            model, _ = self._after_action(context, None)
        else:
            model = progress.requeued(self._store.model, context.unit.name, now, 0.0)
        self._store.commit_hook(model, replace(record, ended=now, outcome="killed"))

    # ---- tools

    def has(self, token: str) -> bool:
        """Whether a hook of this token runs here."""
        return token in self._contexts

    def tool(self, token: str, argv: Sequence[str], stdin: str) -> Reply:
        """Answer a hook tool; the token says which unit's hook asks."""
        context = self._contexts.get(token)
        if context is None:
            return Reply(1, "", "ERROR no such hook context: the hook is over\n")
        try:
            return hook_tools.run(context, self, argv, stdin)
        except Exception:
            logger.exception("%s of %s", argv[0], context.unit.name)
            return Reply(1, "", "ERROR the agent failed to answer; its own log says why\n")

    def set_status(self, context: Context, status: str, message: str, *, app: bool) -> None:
        """Set the status of the hook's unit or application, at once."""
        model, known = self._store.model, Status(status, message, time.time())
        if app:
            owner = model.applications[context.application]
            changed = _changed(owner.status, known)
            if changed:
                self._store.commit(model.with_application(replace(owner, status=changed)))
            return
        unit = model.units[context.unit.name]
        changed = _changed(unit.workload, known)
        if changed:
            context.draft = context.draft.with_unit(replace(context.unit, workload=changed))
            self._store.commit(model.with_unit(replace(unit, workload=changed)))

    def set_version(self, context: Context, version: str) -> None:
        """Set the version of the workload, at once."""
        owner = self._store.model.applications[context.application]
        if owner.version != version:
            self._store.commit(self._store.model.with_application(replace(owner, version=version)))

    def reboot(self, context: Context, *, now: bool) -> None:
        """Have the unit run no hook until this host is booted again; `now` kills the running one.

        To boot the host is for its operator: more than one charm's work is on it.
        """
        context.reboot = Reboot.NOW if now else Reboot.AFTER
        self._log_unit(context.unit.name, "WARNING", "juju-reboot", "this host is to be rebooted")
        process = self._processes.get(context.unit.name)
        if now and process is not None:
            process.cancel()

    def resource(self, context: Context, name: str) -> str:
        """The path of the unit's copy of a resource.

        Raises:
            OSError: it cannot be copied.
        """
        application = context.draft.applications[context.application]
        source, declared = Path(application.resources[name]), application.charm.resources[name]
        target = self._folders.resource(context.unit.name, name)
        return str(copied(source, target / (declared.filename or source.name)))

    def log(self, context: Context, level: str, message: str) -> None:
        """Add to the debug log."""
        about = context.hook.relation
        if about is not None and about in context.seen.relations:
            endpoint = context.seen.relations[about].local(context.application).name
            message = f"{endpoint}:{about}: {message}"
        self._log_unit(context.unit.name, level, "juju-log", message)

    def log_action(self, context: Context, message: str) -> None:
        """Add to the running action's log, at once."""
        model = self._store.model
        action = model.actions[context.hook.action]
        log, logged = (*action.log, message), (*action.logged, time.time())
        self._store.commit(model.with_action(replace(action, log=log, logged=logged)))

    def _log_unit(self, unit: str, level: str, source: str, message: str) -> None:
        entity = f"unit-{dashed(unit)}"
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(_LOG_WAITS, self._write_log)
        self._store.log(LogLine(time.time(), entity, level, f"unit.{unit}.{source}", message))

    def _write_log(self) -> None:
        """Put lines on disk that no commit has taken along."""
        self._flush = None
        self._store.flush()

    def _log_of(self, unit: str, hook: Hook) -> Callable[[str], None]:
        """Where a hook's output goes; an action's goes to who asked for it alone."""
        if hook.action:
            return lambda _: None
        return lambda line: self._log_unit(unit, "WARNING", hook.name, line)


def _changed(before: Status | None, after: Status) -> Status | None:
    same = before and (before.current, before.message) == (after.current, after.message)
    return None if same else after


def _failed(action: Action, reason: str, now: float) -> Action:
    return replace(action, status="failed", message=reason, completed=now)


def _terminated(action: Action, now: float, failure: str | None = None) -> Action:
    """An action whose process was killed: because it was to be, or with the agent."""
    status = "aborted" if action.status == "aborting" else "failed"
    message = failure or "action terminated"
    return replace(action, status=status, message=message, completed=now)


def _jitter() -> float:
    return random.uniform(0.9, 1.1)  # noqa: S311
