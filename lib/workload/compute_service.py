"""nova-compute, going on as soon as a conductor takes its calls.

Its first call waits ten seconds where nobody takes it, then calls again (nova.conductor.api,
`wait_until_ready`). It is started together with the conductor and both load for seconds. So this
loads it, looks on the broker whether the conductor's queue has a consumer, and then runs it.
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import argparse
import sys
import time
from urllib.parse import unquote, urlsplit

# First, for what it patches.
from nova.cmd import compute  # isort: skip

import amqp
from nova.conductor.rpcapi import RPC_TOPIC
from oslo_config import cfg

PATIENCE = 120.0
"""Seconds; after that nova-compute waits in its own way."""

PAUSE = 0.1
CONNECT_TIMEOUT = 5.0


def main() -> None:
    """Become nova-compute, with the same arguments."""
    sys.argv[0] = "nova-compute"
    parser = argparse.ArgumentParser()
    parser.add_argument("--config-file", required=True)
    url = transport_url(parser.parse_known_args()[0].config_file)
    deadline = time.monotonic() + PATIENCE
    while url and not has_consumer(url, RPC_TOPIC) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    compute.main()


def transport_url(file: str) -> str | None:
    """Return the broker's URL, as the service's configuration has it."""
    config = cfg.ConfigOpts()
    config.register_opt(cfg.StrOpt("transport_url"))
    config(["--config-file", file], default_config_dirs=[])
    return config.transport_url


def has_consumer(url: str, queue: str) -> bool:
    """Return whether somebody on the broker takes messages from a queue."""
    broker = urlsplit(url)
    try:
        with amqp.Connection(
            f"{broker.hostname}:{broker.port}",
            userid=unquote(broker.username or ""),
            password=unquote(broker.password or ""),
            virtual_host=unquote(broker.path[1:]),
            connect_timeout=CONNECT_TIMEOUT,
        ) as connection:
            return connection.channel().queue_declare(queue, passive=True).consumer_count > 0
    except (OSError, amqp.AMQPError):
        return False


if __name__ == "__main__":
    main()
