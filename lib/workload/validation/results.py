"""What became of each test: read from a subunit stream while it is written."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from workload.validation.selection import Case

Status = Literal["passed", "failed", "skipped"]

_STATUS: Mapping[str, Status] = {
    "success": "passed",
    "xfail": "passed",
    "skip": "skipped",
    "fail": "failed",
    "uxsuccess": "failed",
}
_FIXTURE = re.compile(r"^(?P<step>setUpClass|tearDownClass) \((?P<owner>[\w.]+)\)$")

NO_RESULT = "no result: the process that ran it ended before"


@dataclass(frozen=True)
class Outcome:
    """One test's end.

    Attributes:
        detail: traceback of a failure, or reason of a skip.
    """

    name: str
    status: Status
    seconds: float = 0.0
    detail: str = ""

    @property
    def part(self) -> str:
        """The part of the cloud it is about: `tempest.api.network...` -> `network`."""
        words = self.name.split(".")
        if words[0] == "tempest" and len(words) > 2:
            return words[2] if words[1] == "api" else words[1]
        return words[0]


@dataclass
class Results:
    """The outcomes of a run's tests, as they come.

    A class of tests whose set-up fails or skips stands for each of its tests that was selected.

    Attributes:
        told: called after each change with the newest outcome.
    """

    tests: Sequence[Case]
    told: Callable[[Outcome], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    _found: dict[str, Outcome] = field(init=False, default_factory=dict[str, Outcome])
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._by_class: dict[str, list[Case]] = defaultdict(list)
        for test in self.tests:
            self._by_class[test.name.rpartition(".")[0]].append(test)

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one test's end, as testtools.StreamToDict tells it."""
        status = _STATUS.get(event["status"])
        if status is None:
            return
        detail = _detail(event["details"], status)
        fixture = _FIXTURE.match(event["id"])
        if fixture is None:
            self._add(Outcome(Case.parse(event["id"]).name, status, _seconds(event), detail))
        elif fixture["step"] == "tearDownClass":
            self._add(Outcome(f"{fixture['owner']}.tearDownClass", status, 0.0, detail))
        else:
            for test in self._by_class.get(fixture["owner"], ()):
                self._add(Outcome(test.name, status, 0.0, detail))

    def end(self) -> list[Outcome]:
        """Return all outcomes by name; a test that has none failed."""
        for test in self.tests:
            if test.name not in self._found:
                self._found[test.name] = Outcome(test.name, "failed", 0.0, NO_RESULT)
        return sorted(self._found.values(), key=lambda outcome: outcome.name)

    @property
    def seen(self) -> bool:
        """Whether anything was told of any test."""
        return bool(self._found)

    @property
    def failed(self) -> int:
        """Failures so far."""
        return sum(outcome.status == "failed" for outcome in self._found.values())

    @property
    def progress(self) -> str:
        """One line: done, failed, remaining, and an estimate from the pace so far."""
        names = {test.name for test in self.tests}
        done = len(names & self._found.keys())
        remaining = len(names) - done
        line = f"{done} of {len(names)} tests done, {self.failed} failed, {remaining} remaining"
        if not done or not remaining:
            return line
        seconds = (self.clock() - self._started) / done * remaining
        return f"{line}, about {_duration(seconds)} left"

    def _add(self, outcome: Outcome) -> None:
        if outcome.name.endswith(".tearDownClass") and outcome.status != "failed":
            return
        self._found[outcome.name] = outcome
        self.told(outcome)


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the counts of each part as a table of text."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        counts[outcome.part][outcome.status] += 1
    rows = [("part", "passed", "failed", "skipped")]
    rows += [
        (part, *(str(found[status]) for status in ("passed", "failed", "skipped")))
        for part, found in sorted(counts.items())
    ]
    total = sum(counts.values(), Counter[str]())
    rows.append(("total", *(str(total[s]) for s in ("passed", "failed", "skipped"))))
    width = max(len(row[0]) for row in rows)
    return "\n".join(f"{row[0]:<{width}}  {row[1]:>7}  {row[2]:>7}  {row[3]:>7}" for row in rows)


def reasons(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return why tests were skipped, and how many for each reason, most first."""
    skipped = (outcome.detail for outcome in outcomes if outcome.status == "skipped")
    return dict(Counter(skipped).most_common())


def _seconds(event: Mapping[str, Any]) -> float:
    start, stop = event["timestamps"]
    return (stop - start).total_seconds() if start and stop else 0.0


def _detail(details: Mapping[str, Any], status: Status) -> str:
    if status == "skipped":
        reason = details.get("reason")
        return reason.as_text().strip() if reason else "no reason given"
    if status == "passed":
        return ""
    # A test may have several: of itself, and of its clean-ups.
    return "\n".join(
        content.as_text().strip()
        for name, content in sorted(details.items())
        if name.startswith("traceback") or name == "reason"
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
