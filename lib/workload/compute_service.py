"""nova-compute, going on as soon as a conductor takes its calls, ready for a first guest.

Its first call waits ten seconds where nobody takes it, then calls again (nova.conductor.api,
`wait_until_ready`). It is started together with the conductor and both load for seconds. So this
loads it, looks on the broker whether the conductor's queue has a consumer, and then runs it.

Its helpers with root's rights load for a second each. It starts them when they are first called
(oslo_privsep.priv_context), one after the other while a first guest waits for its disk and for
its network. So this starts them meanwhile.
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import argparse
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote, urlsplit

# First, for what it patches.
from nova.cmd import compute  # isort: skip

import amqp
from nova.conductor.rpcapi import RPC_TOPIC
from nova.privsep import sys_admin_pctxt
from oslo_config import cfg
from oslo_privsep.daemon import FailedToDropPrivileges
from oslo_privsep.priv_context import PrivContext
from vif_plug_ovs.privsep import vif_plug

HELPERS = (sys_admin_pctxt, vif_plug)
logger = logging.getLogger(__name__)

PATIENCE = 120.0
"""Seconds; after that nova-compute waits in its own way."""

PAUSE = 0.1
CONNECT_TIMEOUT = 5.0


def main() -> None:
    """Become nova-compute, with the same arguments."""
    sys.argv[0] = "nova-compute"
    parser = argparse.ArgumentParser()
    parser.add_argument("--config-file", required=True)
    file = parser.parse_known_args()[0].config_file
    with ThreadPoolExecutor(len(HELPERS)) as pool:
        started = [pool.submit(start_helper, helper, file) for helper in HELPERS]
        await_conductor(file)
        for helper in started:
            helper.result()
    compute.main()


def start_helper(helper: PrivContext, file: str) -> None:
    """Start a helper by the command that the service's configuration has.

    One that does not start is told of; nova-compute will start it when it needs it.
    """
    # The configuration itself is nova-compute's to read, whole; it forgets this when it does.
    command = setting(file, "helper_command", helper.cfg_section)
    cfg.CONF.set_override("helper_command", command, group=helper.cfg_section)
    try:
        helper.start()
    except (FailedToDropPrivileges, OSError) as error:
        logger.warning("%s does not start yet: %s", helper.pypath, error)


def await_conductor(file: str) -> None:
    """Wait until a conductor takes calls; not for ever."""
    url = setting(file, "transport_url", "DEFAULT")
    deadline = time.monotonic() + PATIENCE
    while url and not has_consumer(url, RPC_TOPIC) and time.monotonic() < deadline:
        time.sleep(PAUSE)


def setting(file: str, name: str, section: str) -> str | None:
    """Return a setting of the service's configuration."""
    config = cfg.ConfigOpts()
    config.register_opt(cfg.StrOpt(name), group=section)
    config(["--config-file", file], default_config_dirs=[])
    return config[section][name]


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
