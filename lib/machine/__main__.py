"""`python -m machine agent` runs the agent in the foreground, `... juju` talks to it as Juju."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machine.agent import Options


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    return key, value


def _options(argv: list[str]) -> Options:
    from machine.agent import Options

    parser = argparse.ArgumentParser(prog="python -m machine", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    agent = commands.add_parser("agent", help="run the agent in the foreground")
    commands.add_parser("juju", help="Juju's commands on the agent; see juju --help")
    agent.add_argument("--state", type=Path, required=True, help="folder of all state")
    agent.add_argument("--socket", type=Path, required=True, help="where clients connect")
    agent.add_argument("--address", default="127.0.0.1", help="what charms are told")
    agent.add_argument("--model", default="microstack", help="name of the model, once made")
    agent.add_argument("--hook-env", type=_pair, action="append", default=[], metavar="NAME=VALUE")
    agent.add_argument("--hook-path", action="append", default=[], metavar="FOLDER")
    agent.add_argument("--python-path", action="append", default=[], metavar="FOLDER")
    agent.add_argument("--preload", action="append", default=[], metavar="MODULE")
    agent.add_argument("--exec", action="store_true", help="run every charm as a program")
    agent.add_argument(
        "--shuffle",
        type=int,
        metavar="SEED",
        help="for tests: hooks one at a time, in an order that is legal and rarely seen",
    )
    agent.add_argument(
        "--hook-timeout",
        type=float,
        metavar="SECONDS",
        help="kill a hook that runs longer, which counts as failed (default: never)",
    )
    agent.add_argument(
        "--charms",
        type=Path,
        metavar="FOLDER",
        help="at the start, refresh applications of the model whose charm is in it and changed",
    )
    given = parser.parse_args(argv)
    return Options(
        state=given.state.resolve(),
        socket=given.socket.resolve(),
        address=given.address,
        hook_env=tuple(given.hook_env),
        hook_path=tuple(given.hook_path),
        python_path=tuple(given.python_path),
        preload=tuple(given.preload),
        fork=not given.exec,
        model=given.model,
        shuffle=given.shuffle,
        hook_timeout=given.hook_timeout,
        charms=given.charms and given.charms.absolute(),
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["juju"]:
        from machine import cli

        return cli.main(arguments[1:])
    return _agent(arguments)


def _agent(arguments: list[str]) -> int:
    # Imported here, for the command line is the faster without it.
    from machine.agent import AgentError, run
    from machine.store import StoreError

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        run(_options(arguments))
    except (AgentError, StoreError) as e:
        sys.stderr.write(f"machine: {e}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
