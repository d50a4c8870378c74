"""Run tests with stestr and follow them."""
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workload.validation.results import Results
from workload.validation.selection import Case

TEST_TIMEOUT = 1200
"""Seconds that one test may take before it fails; a guest's boot under emulation is seconds."""

PROGRAMS = Path(sys.executable).parent


class RunError(Exception):
    """Tempest cannot be run at all; the message has its last lines."""


@dataclass(frozen=True)
class Stestr:
    """Stestr, which finds the tests and runs them in several processes.

    Attributes:
        folder: where a run's files are.
        repository: has the times of earlier runs, by which tests are distributed.
    """

    folder: Path
    repository: Path

    def installed(self) -> list[Case]:
        """Return all tests of the installed Tempest.

        Raises:
            RunError: they cannot be imported.
        """
        lines = self._output("list").splitlines()
        return [Case.parse(line) for line in lines if line.startswith("tempest.")]

    def follow(self, results: Results, concurrency: int, config: Path) -> None:
        """Run the tests of `results`, which is told of each one's end while others run.

        Args:
            results: what is to be run.
            concurrency: processes at a time.
            config: tempest.conf.

        Raises:
            RunError: stestr ended without having run anything.
        """
        chosen = self.folder / "tests.txt"
        chosen.write_text("".join(f"{test.full}\n" for test in results.tests))
        options = ["--subunit", "--load-list", str(chosen), "--concurrency", str(concurrency)]
        with (
            (self.folder / "stestr.log").open("w+") as log,
            (self.folder / "results.subunit").open("wb") as kept,
            subprocess.Popen(
                self._command("run", *options),
                cwd=self.folder,
                env=_test_environment(config),
                stdout=subprocess.PIPE,
                stderr=log,
            ) as process,
        ):
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            _read(_Tee(process.stdout, kept), results)
            process.wait()
            log.seek(0)
            last = log.read().strip().splitlines()[-3:]
        if not results.seen:
            raise RunError(f"Tempest ran no test: {' | '.join(last) or 'no message'}")

    def _output(self, *arguments: str) -> str:
        if not (self.repository / ".stestr/format").exists():
            self.repository.mkdir(parents=True, exist_ok=True)
            self._output_of("init")
        return self._output_of(*arguments)

    def _output_of(self, *arguments: str) -> str:
        done = subprocess.run(
            self._command(*arguments),
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=_test_environment(),
        )
        if done.returncode:
            last = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
            raise RunError(f"stestr {arguments[0]} failed: {last}")
        return done.stdout

    def _command(self, *arguments: str) -> list[str]:
        import tempest

        package = Path(tempest.__file__ or "").parent
        config = self.folder / "stestr.conf"
        config.write_text(
            "[DEFAULT]\n"
            f"test_path={package / 'test_discover'}\n"
            f"top_dir={package.parent}\n"
            # A class's tests share what its set-up made, so they stay together.
            "group_regex=([^\\.]*\\.)*\n"
        )
        program = [str(PROGRAMS / "stestr"), "--config", str(config)]
        return [*program, "--repo-url", str(self.repository), *arguments]


def _read(stream: _Tee, results: Results) -> None:
    import subunit
    from testtools import StreamToDict

    events = StreamToDict(results.take)
    events.startTestRun()
    subunit.ByteStreamToStreamResult(stream, "stdout").run(events)
    events.stopTestRun()


@dataclass(frozen=True)
class _Tee:
    """A stream that keeps what is read of it."""

    source: IO[bytes]
    kept: IO[bytes]

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(size)
        self.kept.write(data)
        return data


def environment(**more: str) -> dict[str, str]:
    """Return what programs of this Python environment are run with."""
    path = f"{PROGRAMS}:{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, **more}


def _test_environment(config: Path | None = None) -> dict[str, str]:
    captured = {f"OS_{name}_CAPTURE": "1" for name in ("STDOUT", "STDERR", "LOG")}
    found = environment(**captured, OS_TEST_TIMEOUT=str(TEST_TIMEOUT))
    if config is not None:
        found |= {"TEMPEST_CONFIG_DIR": str(config.parent), "TEMPEST_CONFIG": config.name}
    return found
