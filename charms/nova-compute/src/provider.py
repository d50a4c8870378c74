"""Whether Placement knows the hypervisor: Nova sends no guest to one that it does not know."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from charmbase import Probe
from workload.config.nova_compute import NovaComputeConfig

# At DEBUG it logs the body of every request.
logging.getLogger("keystoneauth").setLevel(logging.INFO)

CONNECT_TIMEOUT = 10
"""Seconds that one request may take."""


@dataclass(frozen=True)
class ResourceProvider(Probe):
    """nova-compute has told Placement what its machine has."""

    def target(self, config: NovaComputeConfig) -> str:
        """Name the resource provider."""
        return f"resource provider {config.host}"

    def fault(self, config: NovaComputeConfig) -> str:
        """Say whose work is missing."""
        return f"nova-compute has not registered {config.host} with Placement"

    def answers(self, config: NovaComputeConfig) -> bool:
        """Ask Placement, with nova-compute's own account, for what the provider has."""
        from keystoneauth1.exceptions import ClientException

        account = config.identity
        password = account.password.get_secret_value() if account.password else ""
        placement = _placement(
            account.auth_url or "",
            account.username or "",
            password,
            account.project_name or "",
            account.project_domain_name or "",
            account.user_domain_name or "",
            account.region,
        )
        try:
            found = placement.get(f"/resource_providers?name={config.host}").json()
            return any(
                placement.get(f"/resource_providers/{one['uuid']}/inventories").json()[
                    "inventories"
                ]
                for one in found["resource_providers"]
            )
        except ClientException:
            return False


@lru_cache(maxsize=1)
def _placement(
    auth_url: str,
    username: str,
    password: str,
    project_name: str,
    project_domain_name: str,
    user_domain_name: str,
    region: str | None,
) -> Any:
    """Return a session with Placement; kept for a hook's life, as each log-in costs Keystone."""
    from keystoneauth1 import adapter, session
    from keystoneauth1.identity import v3

    login = v3.Password(
        auth_url=auth_url,
        username=username,
        password=password,
        project_name=project_name,
        project_domain_name=project_domain_name,
        user_domain_name=user_domain_name,
    )
    return adapter.Adapter(
        session.Session(auth=login, timeout=CONNECT_TIMEOUT),
        service_type="placement",
        interface="internal",
        region_name=region,
    )
