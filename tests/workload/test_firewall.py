"""How the firewall's tools are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from workload.host import firewall

REFUSES = """#!/bin/sh
if [ "$LC_ALL" = C ]; then echo 'Operation not permitted'; else echo 'Vorgang verboten'; fi >&2
exit 1
"""


def test_a_refusal_is_known_whatever_language_the_host_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nft = tmp_path / "nft"
    nft.write_text(REFUSES)
    nft.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    with pytest.raises(firewall.FirewallError, match="not permitted"):
        firewall.has_nftables()
