"""`microstack launch`: a guest, with everything it needs to be reached."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from microstack.errors import Interrupted
from microstack.installation import Installation, program
from microstack.progress import progress

EXAMPLES = """\b
Examples:
  microstack launch t1 --wait
  microstack launch web --image ubuntu.qcow2 --flavor m1.small
"""


def launch(
    name: Annotated[str | None, typer.Argument(help="The guest's name; none: guest-N.")] = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE|URL", help="Image; a file or address is uploaded."),
    ] = None,
    flavor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Size; none: the smallest that fits.")
    ] = None,
    network: Annotated[str | None, typer.Option(metavar="NAME", help="Network.")] = None,
    key: Annotated[
        str | None, typer.Option(metavar="NAME", help="Key pair of your own; none: one is made.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until ssh answers.")] = False,
) -> None:
    """Boot a guest, and print how to reach it."""
    from microstack import cloud
    from microstack.launch import Order
    from microstack.launch import launch as boot

    installation = Installation.from_environment()
    installation.require_root()
    order = Order(name, image, flavor, network, key)
    try:
        with progress(sys.stderr) as shown:
            shown.step("connecting to the cloud")
            guest = boot(cloud.connect(), order, installation.keys, shown.step, wait=wait)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; a guest that Nova was asked for already goes on starting",
            f"{program()} openstack server list",
        ) from None
    typer.echo(guest)
