"""Resources of charms: on whichever `juju` is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jubilant
import pytest

Charm = Callable[[str], Path]


@pytest.fixture(scope="module")
def probe(
    juju: jubilant.Juju, charm: Charm, tmp_path_factory: pytest.TempPathFactory
) -> jubilant.Juju:
    """The client of a model with an application whose charm has a resource."""
    file = tmp_path_factory.mktemp("seed") / "first.txt"
    file.write_text("first")
    juju.deploy(charm("probe"), "probe", resources={"seed": str(file)})
    juju.wait(jubilant.all_agents_idle, delay=0.2)
    return juju


def seed(juju: jubilant.Juju) -> str:
    return juju.exec("cat $(resource-get seed)", unit="probe/0").stdout


def test_a_unit_gets_the_file_that_was_deployed_and_the_one_that_was_attached(
    probe: jubilant.Juju, tmp_path: Path
):
    assert seed(probe) == "first"
    (tmp_path / "second.txt").write_text("second")
    probe.cli("attach-resource", "probe", f"seed={tmp_path / 'second.txt'}")
    told = "Emitting Juju event upgrade_charm"
    probe.wait(lambda _: told in probe.debug_log(), delay=0.2, successes=1)
    assert seed(probe) == "second"


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("nobody", "seed=/etc/hostname"), 1, "nobody"),
        (("probe", "nothing=/etc/hostname"), 1, "nothing"),
        (("probe", "seed=/nonexistent"), 1, "/nonexistent"),
        (("probe", "seed"), 2, "seed"),
    ],
)
def test_what_is_not_there_is_refused(
    probe: jubilant.Juju, arguments: tuple[str, ...], code: int, complaint: str
):
    before = seed(probe)
    with pytest.raises(jubilant.CLIError) as refused:
        probe.cli("attach-resource", *arguments)
    assert (refused.value.returncode, complaint in refused.value.stderr) == (code, True)
    assert seed(probe) == before
