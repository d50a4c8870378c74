"""Which tests a run consists of.

Interop guidelines name tests by idempotent id, which stays when a test is renamed; what the
installed Tempest no longer has is told by the name it had.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LISTS = Path(__file__).parent / "lists"
NAMED = ("smoke", "all")
"""Lists that Tempest itself defines, by tags and by what is installed."""

_TAGS = re.compile(r"^(?P<name>[^\[]+?)\[(?P<tags>[^\]]*)\](?P<scenario>.*)$")
_ID = re.compile(r"\bid-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
_LISTED = re.compile(
    r"^(?:(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s+)?(?P<name>\S.*)$"
)


class SelectionError(ValueError):
    """A list that cannot be read, or that selects nothing; the message says why."""


@dataclass(frozen=True)
class Case:
    """One installed test.

    Attributes:
        full: what stestr calls it, with tags.
        name: without them.
        id: its idempotent id; empty where it has none.
        tags: e.g. `smoke`.
    """

    full: str
    name: str
    id: str
    tags: frozenset[str]

    @classmethod
    def parse(cls, line: str) -> Case:
        """Read a line of `stestr list`."""
        match = _TAGS.match(line.strip())
        if match is None:
            return cls(line.strip(), line.strip(), "", frozenset())
        tags = frozenset(match["tags"].split(","))
        found = _ID.search(match["tags"])
        return cls(
            line.strip(), match["name"] + match["scenario"], found[1] if found else "", tags
        )


@dataclass(frozen=True)
class Selection:
    """The tests of a run.

    Attributes:
        tests: in the order of their names.
        missing: names that a list has and the installed Tempest has not, with their ids.
        renamed: name in the list -> the name the test has now.
    """

    tests: tuple[Case, ...]
    missing: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])


def select(
    installed: Sequence[Case], wanted: str, include: str = "", exclude: str = ""
) -> Selection:
    """Return the tests that a list, narrowed by two regular expressions, selects.

    Args:
        installed: all tests there are.
        wanted: `smoke`, `all`, a guideline (`interop-2018.02`), a file with a name or an id and a
            name on each line, or a regular expression that names are searched for.
        include: leave out tests, and missing names, in which this is not found.
        exclude: leave out those in which this is found.

    Raises:
        SelectionError: no such list or file, a regular expression that is none, or no test.
    """
    keep = _keeps(include, exclude)
    found = _find(installed, wanted)
    tests = tuple(test for test in found.tests if keep(test.name))
    missing = tuple(line for line in found.missing if keep(line))
    if not tests:
        absent = f"; listed, but not in this Tempest: {', '.join(missing)}" if missing else ""
        raise SelectionError(f"no installed test is selected by {wanted!r}{absent}")
    renamed = {old: new for old, new in found.renamed.items() if keep(new)}
    return Selection(tests, missing, renamed)


def guidelines() -> tuple[str, ...]:
    """Return the names of the interop lists."""
    return tuple(sorted(path.stem for path in LISTS.glob("interop-*.txt")))


def _find(installed: Sequence[Case], wanted: str) -> Selection:
    if wanted == "all":
        return Selection(tuple(installed))
    if wanted == "smoke":
        return Selection(tuple(test for test in installed if "smoke" in test.tags))
    if wanted in guidelines():
        return _match(installed, (LISTS / f"{wanted}.txt").read_text())
    if wanted.startswith("interop-"):
        raise SelectionError(f"no list {wanted}: there are {', '.join(guidelines())}")
    if Path(wanted).is_absolute():
        return _match(installed, _read(Path(wanted)))
    pattern = _pattern(wanted)
    return Selection(tuple(test for test in installed if pattern.search(test.name)))


def _match(installed: Sequence[Case], text: str) -> Selection:
    by_name = {test.name: test for test in installed}
    by_id: dict[str, Case] = {}
    for test in installed:
        by_id.setdefault(test.id, test)
    found: dict[str, Case] = {}
    missing: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for id_, name in _entries(text):
        test = by_name.get(name)
        if id_ and (test is None or test.id != id_):
            # A class that inherits tests has their ids too; one of them is enough.
            test = by_id.get(id_)
        if test is None:
            missing.setdefault(id_ or name, f"{name} ({id_})" if id_ else name)
            continue
        found[test.full] = test
        if test.name != name:
            renamed[name] = test.name
    tests = tuple(sorted(found.values(), key=lambda test: test.name))
    return Selection(tests, tuple(missing.values()), renamed)


def _entries(text: str) -> Iterable[tuple[str, str]]:
    """Yield id and name of each line; a name may have the tags that `stestr list` gives it."""
    for line in text.splitlines():
        stripped = line.partition("#")[0].strip()
        match = _LISTED.match(stripped)
        if match is None:
            continue
        test = Case.parse(match["name"])
        yield match["id"] or test.id, test.name


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SelectionError(f"cannot read the list {path}: {error}") from None


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise SelectionError(f"{text!r} is no regular expression: {error}") from None


def _keeps(include: str, exclude: str) -> Callable[[str], bool]:
    wanted = _pattern(include)
    unwanted = _pattern(exclude) if exclude else None

    def keep(name: str) -> bool:
        return bool(wanted.search(name)) and not (unwanted and unwanted.search(name))

    return keep
