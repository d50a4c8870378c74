"""The settings of a model: Juju's keys, their defaults, and those that mean something here.

Keys and defaults: environs/config/config.go in Juju's sources. Those that nothing here acts upon
(images, proxies of machines, harvesting) are kept as plain values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from machine import duration

if TYPE_CHECKING:
    from machine.model import Model

Value = str | int | float | bool

DEFAULTS: Mapping[str, Value] = {
    "apt-http-proxy": "",
    "apt-https-proxy": "",
    "apt-mirror": "",
    "apt-no-proxy": "",
    "automatically-retry-hooks": True,
    "container-networking-method": "",
    "default-base": "",
    "default-space": "",
    "development": False,
    "disable-network-management": False,
    "disable-telemetry": False,
    "egress-subnets": "",
    "enable-os-refresh-update": True,
    "enable-os-upgrade": True,
    "firewall-mode": "instance",
    "ftp-proxy": "",
    "http-proxy": "",
    "https-proxy": "",
    "ignore-machine-addresses": False,
    "image-stream": "released",
    "juju-ftp-proxy": "",
    "juju-http-proxy": "",
    "juju-https-proxy": "",
    "juju-no-proxy": "127.0.0.1,localhost,::1",
    "logging-config": "<root>=INFO",
    "lxd-snap-channel": "5.0/stable",
    "max-action-results-age": "336h",
    "max-action-results-size": "5G",
    "max-status-history-age": "336h",
    "max-status-history-size": "5G",
    "mode": "requires-prompts",
    "no-proxy": "127.0.0.1,localhost,::1",
    "num-container-provision-workers": 4,
    "num-provision-workers": 16,
    "provisioner-harvest-mode": "destroyed",
    "proxy-ssh": False,
    "resource-tags": "",
    "saas-ingress-allow": "0.0.0.0/0,::/0",
    "secret-backend": "auto",
    "snap-http-proxy": "",
    "snap-https-proxy": "",
    "snap-store-assertions": "",
    "snap-store-proxy": "",
    "snap-store-proxy-url": "",
    "ssl-hostname-verification": True,
    "test-mode": False,
    "transmit-vendor-metrics": True,
    "update-status-hook-interval": "5m",
}

_RETRY = "automatically-retry-hooks"
_INTERVAL = "update-status-hook-interval"
_LOGGING = "logging-config"
_FIXED = ("name", "type", "uuid")
_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}
_LEVEL = re.compile(r"[^=;\s]+\s*=\s*(UNSPECIFIED|TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL)", re.I)


class ModelConfigError(Exception):
    """A setting that a model cannot have; the message is one line."""


def described(model: Model, version: str) -> dict[str, Any]:
    """All settings with where each is from, as `juju model-config --format json` has them."""
    known: dict[str, tuple[Value, str]] = {key: (v, "default") for key, v in DEFAULTS.items()}
    known |= {key: (value, "model") for key, value in model.config.items()}
    known["agent-version"] = (version, "model")
    return {key: {"Value": v, "Source": source} for key, (v, source) in sorted(known.items())}


def changed(model: Model, values: Mapping[str, Value], reset: Iterable[str]) -> Model:
    """The model with settings set, and others put back to their defaults.

    Raises:
        ModelConfigError: a key cannot be changed, or a value does not fit.
    """
    for key in (*values, *reset):
        _check_key(key)
    typed = {key: _typed(key, value) for key, value in values.items()}
    gone = set(reset)
    kept = {key: value for key, value in model.config.items() if key not in gone}
    return replace(model, config={**kept, **typed})


def unknown(keys: Iterable[str]) -> list[str]:
    """The keys that Juju does not know, which it takes all the same."""
    return [key for key in keys if key not in DEFAULTS and key not in ("agent-version", *_FIXED)]


def retries_hooks(model: Model) -> bool:
    """Whether a failed hook runs again by itself."""
    return model.config.get(_RETRY, DEFAULTS[_RETRY]) is True


def update_status_interval(model: Model) -> float:
    """Seconds between the last hook of an idle unit and its update-status."""
    return duration.seconds(str(model.config.get(_INTERVAL, DEFAULTS[_INTERVAL])))


def _check_key(key: str) -> None:
    if key == "agent-version":
        raise ModelConfigError('"agent-version" must be set via "upgrade-model"')
    if key in _FIXED:
        raise ModelConfigError(f'"{key}" of a model cannot be changed')


def _typed(key: str, value: Value) -> Value:
    default = DEFAULTS.get(key)
    if isinstance(default, bool):
        return _boolean(key, value)
    if isinstance(default, int):
        return _integer(key, value)
    if key.endswith(("-interval", "-age")) and key in DEFAULTS:
        _check_duration(key, str(value))
    if key == _LOGGING:
        _check_logging(str(value))
    return value


def _boolean(key: str, value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if str(value) not in _TRUE | _FALSE:
        raise ModelConfigError(f'{key}: expected bool, got string("{value}")')
    return str(value) in _TRUE


def _integer(key: str, value: Value) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ModelConfigError(f'{key}: expected number, got string("{value}")') from None


def _check_duration(key: str, value: str) -> None:
    try:
        if duration.seconds(value) > 0:
            return
    except ValueError as e:
        raise ModelConfigError(f"{key}: {e}") from None
    raise ModelConfigError(f'{key}: "{value}" is no time: it must be more than 0')


def _check_logging(value: str) -> None:
    for part in filter(None, (part.strip() for part in value.split(";"))):
        if not _LEVEL.fullmatch(part):
            raise ModelConfigError(
                f'{_LOGGING}: "{part}": expected MODULE=LEVEL, as in "<root>=INFO;unit=DEBUG"'
            )
