"""What the agent answers about one model, by method; `client` has the same methods, typed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from machine import action_changes, bundle, changes, juju_api, progress
from machine.bundle import BundleError
from machine.changes import ChangeError
from machine.hooks import Hooks
from machine.log_filter import LogFilter
from machine.model import Action, Model
from machine.records import LogLine
from machine.relation import Relation
from machine.status import Host, status
from machine.store import Store
from machine.unit import Pending

Params = Mapping[str, Any]
Answers = AsyncIterator[dict[str, object]]


class RequestError(Exception):
    """A request that cannot be answered; `kind` becomes the client's class of error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Api:
    """The methods of one model."""

    def __init__(
        self, store: Store, hooks: Hooks, host: Host, models: Callable[[], Sequence[Model]]
    ) -> None:
        self._store = store
        self._hooks = hooks
        self._host = host
        self._models = models
        self._juju = juju_api.methods(store, host, models)

    async def answer(self, method: str, params: Params) -> Answers:
        """Answer one request.

        Raises:
            RequestError: it cannot be done.
        """
        plain: Mapping[str, Callable[..., object]] = {
            "add_unit": self._add_unit,
            "cancel_task": self._cancel_task,
            "config": self._config,
            "enqueue": self._enqueue,
            "hooks": self._hook_records,
            "relations": self._relations,
            "remove_application": self._remove_application,
            "remove_relation": self._remove_relation,
            "remove_unit": self._remove_unit,
            "resolve_all": self._resolve_all,
            "resolved": self._resolved,
            "set_config": self._set_config,
            "status": self._status,
            "update_status": self._update_status,
            **self._juju,
        }
        slow: Mapping[str, Callable[..., Answers]] = {
            "debug_log": self._debug_log,
            "deploy": self._deploy,
            "ended": self._ended,
            "wait_idle": self._wait_idle,
            "watch": self._watch,
        }
        try:
            if method in plain:
                yield {"result": plain[method](**params)}
            elif method in slow:
                async for item in slow[method](**params):
                    yield item
            else:
                raise RequestError("request", f"the agent has no method {method!r}")
        except ChangeError as e:
            raise RequestError("change", str(e)) from None
        except BundleError as e:
            raise RequestError("bundle", str(e)) from None

    # ---- reading

    def _status(self) -> dict[str, Any]:
        return status(self._store.model, self._host, time.time())

    def _config(self, application: str) -> dict[str, Any]:
        known = self._store.model.applications.get(application)
        if known is None:
            raise RequestError("change", f'application "{application}" not found')
        return {**known.charm.defaults, **known.options}

    def _hook_records(self) -> list[dict[str, Any]]:
        return [asdict(record) for record in self._store.hooks()]

    def _relations(self) -> list[dict[str, Any]]:
        return [_relation(r) for _, r in sorted(self._store.model.relations.items())]

    async def _watch(self) -> Answers:
        async for _ in self._changes():
            yield {"item": self._status()}

    async def _changes(self, *, of_log: bool = False) -> AsyncGenerator[None, None]:
        """Now, and after each change of the model or the log; those that come together are one."""
        changed = asyncio.Event()
        forget = self._store.watch(changed.set, of_log=of_log)
        try:
            while not self._store.closed:
                yield
                await changed.wait()
                changed.clear()
        finally:
            forget()

    async def _debug_log(self, follow: bool, limit: int | None, **wanted: Any) -> Answers:
        wants = LogFilter(**wanted)
        seen = 0
        async for _ in self._changes(of_log=True):
            new: deque[LogLine] = deque(maxlen=limit)
            for number, line in self._store.lines(after=seen):
                seen = number
                if wants.takes(line):
                    new.append(line)
            for line in new:
                yield {"item": asdict(line)}
            limit = None
            if not follow:
                break
        yield {"result": None}

    async def _wait_idle(self, timeout: float) -> Answers:
        deadline = time.monotonic() + timeout
        changes = self._changes()
        try:
            while busy := self._hooks.busy():
                left = deadline - time.monotonic()
                try:
                    await _next(changes, max(left, 0.0))
                except TimeoutError:
                    raise RequestError("timeout", _awaited(self._store.model, busy)) from None
        finally:
            await changes.aclose()
        yield {"result": None}

    # ---- changing

    async def _deploy(
        self,
        bundle_file: str,
        overlays: list[str],
        dry_run: bool,
        storage: list[str],
        new: str = "",
    ) -> Answers:
        """Plan outside the event loop; apply in one transaction, on the model planned for."""
        files = Path(bundle_file), [Path(o) for o in overlays]
        while True:
            before = self._store.model
            if new in before.applications:
                raise ChangeError(f'cannot add application "{new}": application already exists')
            plan = await asyncio.to_thread(bundle.plan, *files, before, self._models())
            plan = plan.with_storage(storage)
            now = self._store.model
            if _shape(now) == _shape(before):
                break
        if plan.changes and not dry_run:
            self._store.commit(changes.applied(now, plan.changes, time.time()))
        lines = [str(change) for change in plan.changes]
        yield {"result": [*lines, *(f"warning: {w}" for w in plan.warnings if lines)]}

    def _set_config(self, application: str, values: dict[str, Any], reset: list[str]) -> None:
        model = self._store.model
        self._store.commit(changes.set_options(model, application, values, reset, time.time()))

    def _remove_application(self, application: str, force: bool = False) -> None:
        model = self._store.model
        now = time.time()
        self._store.commit(changes.remove_application(model, application, now, force=force))

    def _add_unit(self, application: str, count: int, storage: list[str]) -> None:
        model = self._store.model
        self._store.commit(changes.add_units(model, application, count, time.time(), storage))

    def _remove_unit(self, unit: str, force: bool = False) -> None:
        model = self._store.model
        self._store.commit(changes.remove_unit(model, unit, time.time(), force=force))

    def _remove_relation(self, first: str, second: str) -> None:
        model = self._store.model
        self._store.commit(changes.remove_relation(model, (first, second), time.time()))

    def _update_status(self) -> None:
        self._store.commit(changes.update_status(self._store.model, time.time()))

    def _resolve_all(self, retry: bool) -> None:
        failed = [u for u in self._store.model.units.values() if u.agent.current == "error"]
        for unit in failed:
            self._resolved(unit.name, retry)

    def _resolved(self, unit: str, retry: bool) -> None:
        model = self._store.model
        known = model.units.get(unit)
        if known is None:
            raise RequestError("change", f'unit "{unit}" not found')
        if not retry and self._hooks.skip(unit):
            return
        if known.pending is None or not known.pending.failures:
            raise RequestError("change", f'unit "{unit}" is not in an error state')
        if retry:
            pending = Pending(known.pending.hook, known.pending.failures)
            self._store.commit(model.with_unit(replace(known, pending=pending)))
        else:
            self._store.commit(progress.skipped(model, unit, time.time()))

    def _enqueue(self, units: list[str], action: str, params: dict[str, Any]) -> dict[str, Any]:
        """Queue one action on units; those that cannot run it are told apart."""
        model, queued = action_changes.enqueue(
            self._store.model, units, action, params, time.time()
        )
        self._store.commit(model)
        return asdict(queued)

    def _cancel_task(self, number: str) -> dict[str, Any]:
        """Take back an action, or have it ended; this does not wait for its end."""
        self._store.commit(action_changes.cancel(self._store.model, number, time.time()))
        self._hooks.abort(number)
        return asdict(self._task(number))

    async def _ended(self, number: str, what: str, timeout: float | None = None) -> Answers:
        """Tell what an action logs while it runs, then how it ended."""
        deadline = timeout and time.monotonic() + timeout
        changed, told = self._changes(), 0
        try:
            while True:
                known = self._task(number)
                for line in known.log[told:]:
                    yield {"item": line}
                told = len(known.log)
                if known.completed is not None:
                    break
                left = deadline and max(deadline - time.monotonic(), 0.0)
                try:
                    await _next(changed, left)
                except TimeoutError:
                    raise RequestError(
                        "timeout", f"{what} has not ended in {timeout:.0f} s"
                    ) from None
        finally:
            await changed.aclose()
        yield {"result": asdict(known)}

    def _task(self, number: str) -> Action:
        known = self._store.model.actions.get(number)
        if known is None:
            raise RequestError("change", f'task "{number}" not found')
        return known


async def _next(changes: AsyncGenerator[None, None], timeout: float | None) -> None:
    """Wait for the next change; TimeoutError when it does not come in time."""
    try:
        async with asyncio.timeout(timeout):
            await anext(changes)
    except StopAsyncIteration:
        raise RequestError("change", "the model is gone") from None


def _relation(relation: Relation) -> dict[str, Any]:
    return {
        "id": relation.id,
        "interface": relation.endpoints[0].interface,
        "endpoints": [str(e) for e in relation.endpoints],
        "scope": relation.scope,
        "databags": {owner: dict(b.values) for owner, b in relation.databags.items()},
    }


def _awaited(model: Model, busy: list[str]) -> str:
    units = (model.units[name] for name in busy if name in model.units)
    what = (f"{u.name} ({u.agent.message or u.workload.message or 'hooks due'})" for u in units)
    return f"still busy: {', '.join(what)}"


def _shape(model: Model) -> object:
    """What a plan depends on."""
    applications = [(a.name, a.charm_path, a.options) for a in model.applications.values()]
    return applications, model.relations.keys(), model.units.keys()
