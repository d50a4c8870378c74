"""Options of charms that stand in snap config: `snap set microstack charms.nova.debug=true`.

The workload plane hands that section on without knowing what it means: as JSON on the standard
input of `python -m microstack.options`. Here it is checked and set in the model, so that charms
are told of it as of any change of their options. Before there is a model, `up` takes it along.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from microstack.errors import Failure
from microstack.installation import Installation, Machine
from workload import atomic

Options = Mapping[str, Mapping[str, Any]]
"""Values of options, by application."""


def hand_on(machine: Machine, wanted: Options, before: Options) -> None:
    """Set the options in the model; those that stood there before go back to their defaults.

    Raises:
        machine.client.Error: there is no such application or option, or a value does not fit.
    """
    for name in sorted({*wanted, *before}):
        values, old = wanted.get(name, {}), before.get(name, {})
        resets = [key for key in old if key not in values]
        if values != old:
            machine.set_config(name, values, resets)


@contextmanager
def overlay(wanted: Options) -> Generator[list[Path]]:
    """Give the options as an overlay of a bundle; none where there are none."""
    import tempfile

    import yaml

    if not wanted:
        yield []
        return
    applications = {name: {"options": dict(values)} for name, values in wanted.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snap-config.yaml"
        path.write_text(yaml.safe_dump({"applications": applications}))
        yield [path]


def main() -> int:
    """Hand on what standard input has; return the exit code."""
    from machine.client import Error

    installation = Installation.from_environment()
    wanted = parse(json.load(sys.stdin))
    note = installation.layout.root / "options.json"
    before: Options = json.loads(note.read_text()) if note.exists() else {}
    try:
        if installation.running:
            hand_on(installation.machine(), wanted, before)
    except (Error, Failure) as refusal:
        print(refusal, file=sys.stderr)  # noqa: T201, whoever set it is shown this
        return 1
    atomic.write_json(note, wanted)
    return 0


def parse(section: Any) -> Options:
    """Return the section of snap config as options.

    Raises:
        SystemExit: it is not `charms.<application>.<option>`.
    """
    if section is None:
        return {}
    if not isinstance(section, dict) or not all(isinstance(v, dict) for v in section.values()):  # pyright: ignore
        sys.exit("charms: expected charms.APPLICATION.OPTION=VALUE")
    return section  # pyright: ignore


if __name__ == "__main__":
    sys.exit(main())
