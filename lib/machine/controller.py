"""The models of one agent: each has a store, folders and hooks of its own.

The first, which the agent is started for, keeps its state in the agent's folder and goes with it;
the others are below `models/`, each in a folder named by its id, of which nothing is left when
they are destroyed. A folder without a model in it is what a kill left behind.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from machine import bridge, changes
from machine.changes import ChangeError
from machine.environment import Surroundings
from machine.folders import Folders
from machine.following import followed
from machine.hook_tools import Reply
from machine.hooks import Hooks
from machine.life import Life
from machine.model import Model
from machine.model_config import ModelConfigError, Value, changed
from machine.runner import Runner
from machine.store import Store
from machine.version import CONTROLLER, USER

_NAME = re.compile(r"[a-z0-9]+[a-z0-9-]*")
_STORE = "store.db"
_CURRENT = "current-model"


class _UnmadeError(Exception):
    """A folder has no model in it."""


@dataclass(frozen=True)
class Means:
    """What the models share.

    Attributes:
        runner: starts their hooks.
        around: what is the same for all hooks.
        python_path: where charms from folders import libraries from.
        fork: run charms from folders in forks; else everything as programs.
        shuffle: seed of an order of hooks other than Juju's usual one.
        timeout: seconds after which a hook is killed and has failed; None is never.
    """

    runner: Runner
    around: Surroundings
    python_path: Sequence[str]
    fork: bool = True
    shuffle: int | None = None
    timeout: float | None = None


@dataclass(eq=False)
class Hosted:
    """A model at work: its store and hooks, the task that runs these, and whether it is gone."""

    folder: Path
    store: Store
    hooks: Hooks
    task: asyncio.Task[None] | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def model(self) -> Model:
        """Its state."""
        return self.store.model

    async def stop(self) -> None:
        """End its hooks and close its store."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
        self.store.close()


class Controller:
    """Opens, adds and destroys models, and knows which one is the current one."""

    def __init__(self, state: Path, name: str, means: Means) -> None:
        """Open all models; the first one gets `name` when it is made.

        Raises:
            StoreError: a store cannot be read.
        """
        self._state = state
        self._means = means
        self._broken: asyncio.Future[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._bridging = False
        self.home = self._open(state, Model(name, str(uuid.uuid4()), created=time.time()))
        self._others: list[Hosted] = []
        for folder in sorted(state.glob("models/*")):
            try:
                self._others.append(self._open(folder, None))
            except _UnmadeError:
                shutil.rmtree(folder)

    def _open(self, folder: Path, new: Model | None) -> Hosted:
        def made() -> Model:
            if new is None:
                raise _UnmadeError
            return new

        store = Store(folder / _STORE, made)
        hooks = Hooks(
            store,
            self._means.runner,
            self._means.around,
            Folders(folder),
            self._means.python_path,
            fork=self._means.fork,
            shuffle=self._means.shuffle,
            timeout=self._means.timeout,
        )
        hooks.recover()
        return Hosted(folder, store, hooks)

    def follow(self, charms: Path) -> None:
        """Give applications of the first model the charms that a folder has now."""
        model = followed(self.home.model, charms, time.time())
        if model is not self.home.model:
            self.home.store.commit(model)

    # ---- at work

    async def run(self) -> None:
        """Run the models' hooks until cancelled, or until one of them cannot go on."""
        self._broken = asyncio.get_running_loop().create_future()
        for hosted in self.models:
            self._start(hosted)
        try:
            await self._broken
        finally:
            await asyncio.gather(*self._ending, *(hosted.stop() for hosted in self.models))

    def _start(self, hosted: Hosted) -> None:
        hosted.task = asyncio.create_task(hosted.hooks.run())
        hosted.task.add_done_callback(self._ended)
        hosted.store.watch(self._bridge_soon)
        if hosted is not self.home:
            hosted.store.watch(lambda: self._reap(hosted))
            self._reap(hosted)
        self._bridge_soon()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    def tool(self, token: str, argv: Sequence[str], stdin: str) -> Reply:
        """Answer a hook tool; the token says which model's hook asks."""
        asked = next((m for m in self.models if m.hooks.has(token)), self.home)
        return asked.hooks.tool(token, argv, stdin)

    # ---- the models

    @property
    def models(self) -> list[Hosted]:
        """All models, the agent's own first, the others by name."""
        return [self.home, *sorted(self._others, key=lambda m: m.model.name)]

    def find(self, name: str | None) -> Hosted:
        """A model by its name or id; the agent's own without one.

        Raises:
            ChangeError: there is none.
        """
        if name is None:
            return self.home
        for hosted in self.models:
            if name in (hosted.model.name, hosted.model.uuid):
                return hosted
        raise ChangeError(f"model {CONTROLLER}:{USER}/{name} not found")

    @property
    def current(self) -> Hosted | None:
        """The model that commands mean which name none; None after it was destroyed."""
        try:
            chosen = (self._state / _CURRENT).read_text().strip()
        except FileNotFoundError:
            return self.home
        return next((m for m in self.models if m.model.uuid == chosen), None)

    def switch(self, name: str) -> None:
        """Make a model the current one.

        Raises:
            ChangeError: there is none of this name.
        """
        new = self._state / f"{_CURRENT}.new"
        new.write_text(f"{self.find(name).model.uuid}\n")
        new.rename(self._state / _CURRENT)

    def add(self, name: str, config: Mapping[str, Value]) -> Hosted:
        """Make an empty model.

        Raises:
            ChangeError: the name is taken or is none, or a setting does not fit.
        """
        if not _NAME.fullmatch(name):
            raise ChangeError(
                f'"{name}" is not a valid name: model names may only contain lowercase letters, '
                "digits and hyphens"
            )
        if any(m.model.name == name for m in self.models):
            raise ChangeError(
                f'failed to create new model: model "{name}" for {USER} already exists '
                "(already exists)"
            )
        new = Model(name, str(uuid.uuid4()), created=time.time())
        try:
            new = changed(new, config, ())
        except ModelConfigError as e:
            raise ChangeError(f"failed to create new model: {e}") from None
        folder = self._state / "models" / new.uuid
        folder.mkdir(mode=0o700, parents=True)
        hosted = self._open(folder, new)
        self._others.append(hosted)
        self._start(hosted)
        return hosted

    # ---- relations between models

    def consume(self, name: str, provider: str, offer: str, alias: str) -> None:
        """Let a model have the application that another one offers.

        Raises:
            ChangeError: there is no such model or offer, or the alias is taken.
        """
        consumer, source = self.find(name), self.find(provider)
        if consumer is source:
            raise ChangeError(f'cannot consume an offer of the model itself: relate to "{offer}"')
        consumer.store.commit(bridge.consume(consumer.model, source.model, offer, alias))

    def _bridge_soon(self) -> None:
        if not self._bridging and any(m.model.remotes for m in self.models):
            self._bridging = True
            asyncio.get_running_loop().call_soon(self._bridge)

    def _bridge(self) -> None:
        """Bring what one model wrote to an application of another to that one."""
        self._bridging = False
        now = time.time()
        models = {m.model.uuid: m for m in self.models}
        if any(m.store.closed for m in models.values()):
            return  # the agent stops: whoever is closed first is not gone
        for consumer in models.values():
            _commit(consumer, bridge.orphaned(consumer.model, models.keys(), now))
            for source in {r.model for r in consumer.model.remotes.values()}:
                if (provider := models.get(source)) is not None:
                    sides = bridge.bridged(provider.model, consumer.model, now)
                    _commit(provider, sides[0])
                    _commit(consumer, sides[1])

    # ---- the end of a model

    async def destroy(
        self, name: str, *, force: bool = False, timeout: float | None = None
    ) -> AsyncGenerator[int, None]:
        """Destroy a model; this goes on when nobody waits any longer.

        Args:
            name: which.
            force: do not wait for hooks that fail.
            timeout: seconds after which no hook at all is waited for.

        Yields:
            How many applications are still there, after each change.

        Raises:
            ChangeError: there is none, or it is the agent's own.
        """
        hosted = self.find(name)
        if hosted is self.home:
            raise ChangeError(
                f'"{hosted.model.name}" is a controller; it is this host\'s own model and goes '
                "with its agent"
            )
        deadline = None if timeout is None else time.monotonic() + timeout
        news = asyncio.Event()
        hosted.store.watch(news.set)
        hosted.store.commit(changes.destroy(hosted.model, time.time(), force=force))
        while not hosted.gone.is_set():
            if deadline is not None and time.monotonic() >= deadline:
                deadline = None
                hosted.store.commit(changes.emptied(hosted.model))
            yield len(hosted.model.applications)
            await _either(news, hosted.gone, deadline)
            news.clear()

    def _reap(self, hosted: Hosted) -> None:
        """End a model that is to be destroyed and has nothing left."""
        model = hosted.model
        if model.life is Life.DYING and not model.applications and hosted in self._others:
            self._others.remove(hosted)
            task = asyncio.create_task(self._end(hosted))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _end(self, hosted: Hosted) -> None:
        """Remove what a model kept; its store first, so that a kill leaves nothing to open."""
        await hosted.stop()
        (hosted.folder / _STORE).unlink()
        await asyncio.to_thread(shutil.rmtree, hosted.folder)
        hosted.gone.set()
        self._bridge_soon()


def _commit(hosted: Hosted, model: Model) -> None:
    if model is not hosted.model:
        hosted.store.commit(model)


async def _either(one: asyncio.Event, other: asyncio.Event, deadline: float | None) -> None:
    """Wait for one of two events, or until the deadline on the monotonic clock."""
    waits = [asyncio.create_task(event.wait()) for event in (one, other)]
    try:
        left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
