"""Make, start, stop, grow and remove the storage of volumes; say how full it is.

The first argument says which; parameters are a JSON document on standard input, the result is one
on standard output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from workload.host import block_storage, initiator, lvm
from workload.host.block_storage import BlockStorage, parse_size
from workload.jobs.job import common, run, snap
from workload.ledger import Ledger

COMMANDS = ("check", "setup", "start", "stop", "usage", "grow", "teardown")


class Parameters(BaseModel):
    """What the actions of the charm take.

    Attributes:
        size: of the backing file, in binary units, e.g. `20G`.
        device: path of a disk to use instead; empty for the backing file. For teardown: only
            where the storage is on this one.
        elsewhere: for teardown: only where the storage is on any other than this device.
        force: whether data may be lost.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: str = "20G"
    device: str = ""
    elsewhere: bool = False
    force: bool = False


def main() -> None:
    """Do what the first argument says."""
    storage = BlockStorage(common(), Ledger(common("ledger.jsonl")), snap())
    match sys.argv[1:]:
        case ["check"]:
            block_storage.require_modules()
        case ["setup"]:
            _setup(storage, _parameters())
        case ["start"]:
            storage.start()
        case ["stop"]:
            storage.stop()
        case ["usage"]:
            _answer({**storage.usage(), "initiator": initiator.serves()})
        case ["grow"]:
            storage.grow(parse_size(_parameters().size))
            _answer(storage.usage())
        case ["teardown"]:
            _teardown(storage, _parameters())
        case other:
            raise ValueError(f"{other} is none of {', '.join(COMMANDS)}")


def _parameters() -> Parameters:
    return Parameters.model_validate_json(sys.stdin.read() or "{}")


def _setup(storage: BlockStorage, given: Parameters) -> None:
    device = Path(given.device) if given.device else None
    storage.setup(parse_size(given.size), device, force=given.force)
    made = {"volume-group": lvm.GROUP, "thin-pool": lvm.POOL, "on": str(storage.origin)}
    unused = {"unused": given.device} if device and not storage.is_on(device) else {}
    _answer({**made, **unused, **storage.usage()})


def _teardown(storage: BlockStorage, given: Parameters) -> None:
    meant = not given.device or storage.is_on(Path(given.device)) != given.elsewhere
    if meant:
        storage.teardown(force=given.force)
    _answer({"removed": meant})


def _answer(result: Mapping[str, object]) -> None:
    print(json.dumps(result))  # noqa: T201 - its result


if __name__ == "__main__":
    run(main)
