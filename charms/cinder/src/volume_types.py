"""Volume types of a live Cinder, through its v3 API. No part of this knows of Juju."""

from __future__ import annotations

from typing import Any

from workload.config.shared import Identity


class VolumeTypes:
    """A session with Cinder as its own service account, which is an administrator's.

    Args:
        url: of the API, e.g. `http://127.0.0.1:8776/v3`.
        account: where and as whom to log in; complete.
    """

    def __init__(self, url: str, account: Identity) -> None:
        # Imported here because most hooks have nothing to say to Cinder.
        from keystoneauth1 import adapter, session
        from keystoneauth1.identity import v3

        assert account.auth_url and account.password  # noqa: S101 - see above
        login = v3.Password(
            auth_url=account.auth_url,
            username=account.username,
            password=account.password.get_secret_value(),
            project_name=account.project_name,
            project_domain_name=account.project_domain_name,
            user_domain_name=account.user_domain_name,
        )
        self._api = adapter.Adapter(session.Session(auth=login))
        # Before microversion 3.67 the API wants the project's id in its paths.
        self._url = f"{url}/{self._api.get_project_id()}"

    def ensure(self, name: str, backend: str) -> None:
        """Make a type whose volumes a backend keeps; one of the name is given that backend.

        Args:
            name: of the type.
            backend: its `volume_backend_name`.
        """
        specs = {"volume_backend_name": backend}
        found = next((t for t in self._types() if t["name"] == name), None)
        if found is None:
            body = {"volume_type": {"name": name, "extra_specs": specs}}
            self._api.post(f"{self._url}/types", json=body)
        elif found.get("extra_specs", {}).get("volume_backend_name") != backend:
            path = f"{self._url}/types/{found['id']}/extra_specs"
            self._api.post(path, json={"extra_specs": specs})

    def _types(self) -> list[dict[str, Any]]:
        query = {"is_public": "None"}
        return self._api.get(f"{self._url}/types", params=query).json()["volume_types"]
