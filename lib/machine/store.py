"""One SQLite file that holds the model, the debug log and the record of hooks.

Each thing of the model is one row, written when it changed. One `commit` is one transaction:
after a kill at any instant the file holds the state before it or after it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter

from machine.model import Action, Application, Model, Storage
from machine.records import HookRecord, LogLine
from machine.relation import Offer, Relation, Remote
from machine.secret import Secret
from machine.unit import Unit

_SCHEMA_VERSION = 1
_LOG_LINES = 200_000
_HOOK_RECORDS = 50_000
_TRIM_EVERY = 1000
_SCHEMA = """
CREATE TABLE thing (kind TEXT, key TEXT, body BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE log (id INTEGER PRIMARY KEY, time REAL, entity TEXT, level TEXT, module TEXT,
                  message TEXT);
CREATE TABLE hook (id INTEGER PRIMARY KEY, unit TEXT, hook TEXT, started REAL, ended REAL,
                   outcome TEXT);
"""
_KINDS: Mapping[str, TypeAdapter[Any]] = {
    "applications": TypeAdapter(Application),
    "units": TypeAdapter(Unit),
    "relations": TypeAdapter(Relation),
    "secrets": TypeAdapter(Secret),
    "storages": TypeAdapter(Storage),
    "actions": TypeAdapter(Action),
    "offers": TypeAdapter(Offer),
    "remotes": TypeAdapter(Remote),
}
_NUMBERED = "relations"
_MODEL = TypeAdapter(Model)


class StoreError(Exception):
    """The store cannot be used; the message says what to do."""


class Store:
    """The state on disk, and `model`, the same in memory. For one process and one thread."""

    def __init__(self, path: Path, new: Callable[[], Model]) -> None:
        """Open the store, or make it with a model made by `new`.

        Raises:
            StoreError: the file is not a store of this version.
        """
        self._path = path
        self._watchers: list[Callable[[], None]] = []
        self._log_watchers: list[Callable[[], None]] = []
        self._lines: list[LogLine] = []
        self.closed = False
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            self._prepare(new)
        except sqlite3.DatabaseError as e:
            raise StoreError(f"{path} cannot be read as the model's store: {e}") from e
        self.model = self._load()

    def _prepare(self, new: Callable[[], Model]) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == _SCHEMA_VERSION:
            return
        if version:
            raise StoreError(
                f"{self._path} has format {version}, this version knows {_SCHEMA_VERSION}: "
                "run the version that wrote it"
            )
        model = _MODEL.dump_json(new())
        self._db.executescript(f"BEGIN; {_SCHEMA}; PRAGMA user_version = {_SCHEMA_VERSION};")
        self._db.execute("INSERT INTO thing VALUES ('model', '', ?)", (model,))
        self._db.execute("COMMIT")

    def _load(self) -> Model:
        found: dict[str, dict[Any, Any]] = {kind: {} for kind in _KINDS}
        for kind, key, body in self._db.execute("SELECT kind, key, body FROM thing"):
            if kind in _KINDS:
                name = int(key) if kind == _NUMBERED else key
                found[kind][name] = _KINDS[kind].validate_json(body)
        (body,) = self._db.execute("SELECT body FROM thing WHERE kind = 'model'").fetchone()
        return replace(_MODEL.validate_json(body), **found)

    def close(self) -> None:
        """Write what is buffered, close the file, and tell all watchers."""
        self.flush()
        self._db.close()
        self.closed = True
        for tell in (*self._watchers, *self._log_watchers):
            tell()

    def watch(self, changed: Callable[[], None], *, of_log: bool = False) -> Callable[[], None]:
        """Call `changed` after each change of the model, or of the debug log.

        Returns:
            What ends this.
        """
        watchers = self._log_watchers if of_log else self._watchers
        watchers.append(changed)
        return lambda: watchers.remove(changed)

    def commit(self, model: Model) -> None:
        """Make `model` the state."""
        self._commit(model, None)

    def commit_hook(self, model: Model, hook: HookRecord) -> HookRecord:
        """Make `model` the state and write a hook's record, which is returned with its id."""
        return self._commit(model, hook) or hook

    def _commit(self, model: Model, hook: HookRecord | None) -> HookRecord | None:
        before, self.model = self.model, model
        logged = bool(self._lines)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._write_model(before, model)
            self._write_log()
            recorded = self._write_hook(hook) if hook else None
            self._db.execute("COMMIT")
        except BaseException:
            self.model = before
            self._db.execute("ROLLBACK")
            raise
        changed = self._watchers if model is not before else ()
        for tell in (*changed, *(self._log_watchers if logged else ())):
            tell()
        return recorded

    def _write_model(self, before: Model, after: Model) -> None:
        for kind, adapter in _KINDS.items():
            old = cast("Mapping[Any, Any]", getattr(before, kind))
            new = cast("Mapping[Any, Any]", getattr(after, kind))
            if old is new:
                continue
            for key in old.keys() - new.keys():
                self._db.execute("DELETE FROM thing WHERE kind = ? AND key = ?", (kind, str(key)))
            for key, thing in new.items():
                if old.get(key) is not thing:
                    self._put(kind, str(key), adapter.dump_json(thing))
        if _own(before) != _own(after):
            self._put("model", "", _MODEL.dump_json(_bare(after)))

    def _put(self, kind: str, key: str, body: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO thing VALUES (?, ?, ?)", (kind, key, body))

    # ---- the record of hooks

    def _write_hook(self, hook: HookRecord) -> HookRecord:
        row = (hook.unit, hook.hook, hook.started, hook.ended, hook.outcome)
        if hook.id:
            self._db.execute(
                "UPDATE hook SET (unit, hook, started, ended, outcome) = "
                "(?, ?, ?, ?, ?) WHERE id = ?",
                (*row, hook.id),
            )
            return hook
        cursor = self._db.execute(
            "INSERT INTO hook (unit, hook, started, ended, outcome) VALUES (?, ?, ?, ?, ?)",
            row,
        )
        self._trim("hook", cast("int", cursor.lastrowid), _HOOK_RECORDS)
        return replace(hook, id=cast("int", cursor.lastrowid))

    def hooks(self, outcome: str | None = None) -> list[HookRecord]:
        """The hooks that ran, oldest first; only those with the outcome if it is given."""
        rows = self._db.execute(
            "SELECT unit, hook, started, ended, outcome, id FROM hook "
            "WHERE ? IS NULL OR outcome = ? ORDER BY id",
            (outcome, outcome),
        )
        return [HookRecord(*row) for row in rows]

    # ---- the debug log

    def log(self, line: LogLine) -> None:
        """Add a line to the debug log; it is on disk after the next commit or `flush`."""
        self._lines.append(line)

    def flush(self) -> None:
        """Write the buffered lines of the debug log, and tell the watchers."""
        if self._lines:
            self.commit(self.model)

    def _write_log(self) -> None:
        lines, self._lines = self._lines, []
        for line in lines:
            cursor = self._db.execute(
                "INSERT INTO log (time, entity, level, module, message) VALUES (?, ?, ?, ?, ?)",
                (line.time, line.entity, line.level, line.module, line.message),
            )
            self._trim("log", cast("int", cursor.lastrowid), _LOG_LINES)

    def lines(self, after: int = 0) -> Iterator[tuple[int, LogLine]]:
        """Lines of the debug log with an id greater than `after`, with their ids, oldest first."""
        self.flush()
        rows: Iterable[Sequence[Any]] = self._db.execute(
            "SELECT id, time, entity, level, module, message FROM log WHERE id > ? ORDER BY id",
            (after,),
        )
        return ((row[0], LogLine(*row[1:])) for row in rows)

    def _trim(self, table: str, newest: int, keep: int) -> None:
        """Drop the oldest rows, now and then."""
        if newest % _TRIM_EVERY == 0:
            self._db.execute(f"DELETE FROM {table} WHERE id <= ?", (newest - keep,))  # noqa: S608


_own = attrgetter(*(f.name for f in fields(Model) if f.name not in _KINDS))
"""The values of the model's own fields."""


def _bare(model: Model) -> Model:
    """The model with its own fields, without what it holds."""
    nothing: dict[str, Any] = {kind: {} for kind in _KINDS}
    return replace(model, **nothing)
