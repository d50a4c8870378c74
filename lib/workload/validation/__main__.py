"""The command `microstack.test`: validate a cloud, and what belongs to it.

Lines on standard output tell how it goes; the last one is the result as a JSON document. The exit
code is 0 when everything passed, 1 when something failed, 2 when nothing could be run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workload.validation import validate
from workload.validation.validate import Request, ValidationError

FAILED = 1
NOT_RUN = 2


def main(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code."""
    os.umask(0o077)
    # Told to end, it still removes what it made in the cloud.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    given = _parser().parse_args(arguments)
    try:
        result = _run(given)
    except ValidationError as error:
        return _refuse(str(error))
    except Exception as error:
        # An API that answers otherwise than it should; whoever reads this sees one line of it.
        reason = str(error).strip().splitlines() or [""]
        return _refuse(f"{type(error).__name__}: {reason[0]}")
    _say(json.dumps(result))
    return FAILED if result.get("failed") or result.get("left") else 0


def _refuse(reason: str) -> int:
    print(f"error: {reason}", file=sys.stderr)  # noqa: T201 - a command's answer
    return NOT_RUN


def _run(given: argparse.Namespace) -> Mapping[str, Any]:
    place = validate.Place(_common(), given.image, given.flavor)
    match given.command:
        case "validate":
            request = Request(given.list, given.include, given.exclude, given.concurrency)
            return validate.validate(place, request, _say)
        case "generate-config":
            return validate.generate_config(place)
        case "cleanup":
            return validate.cleanup(place, _say)
        case _:
            from workload.validation import benchmark

            wanted = benchmark.Request(given.scenario, given.times, given.concurrency)
            return benchmark.run_scenarios(place, wanted, _say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="microstack.test", description="Test this cloud.")
    parser.add_argument("--image", default="", help="image for guests, by name or id")
    parser.add_argument("--flavor", default="", help="flavor for guests, by name or id")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("validate", help="run a list of Tempest's tests")
    run.add_argument("--list", default="smoke", help="smoke, all, interop-..., regex or /file")
    run.add_argument("--include", default="", help="regex: only tests in whose name it is found")
    run.add_argument("--exclude", default="", help="regex: no test in whose name it is found")
    run.add_argument("--concurrency", type=int, default=2, help="tests at a time")
    commands.add_parser("generate-config", help="write tempest.conf and say where")
    commands.add_parser("cleanup", help="remove what a run that was cut off has left")
    bench = commands.add_parser("benchmark", help="run Rally's scenarios")
    bench.add_argument("--scenario", default="all", help="one scenario's name, or all")
    bench.add_argument("--times", type=int, default=4, help="how often each is run")
    bench.add_argument("--concurrency", type=int, default=2, help="how many at a time")
    return parser


def _common() -> Path:
    return Path(os.environ["SNAP_COMMON"])


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)  # noqa: T201 - a command's answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
