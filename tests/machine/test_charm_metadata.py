"""What is read from a charm, what is refused, and what reaches a unit's charm folder."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import ops
import pytest

from machine.charm import (
    CharmError,
    CharmMetadata,
    Option,
    OptionError,
    load_charm,
    materialise,
    parse_option,
    split,
)

UNIFIED = """\
name: shop
type: charm
title: The Shop
summary: sells
description: sells things
platforms: {ubuntu@24.04:amd64: }
parts: {charm: {plugin: uv, source: .}}
links: {contact: Ann <ann@example.com>, documentation: https://example.com}
provides:
  web: {interface: http}
requires:
  database:
    interface: mysql_client
    optional: true
    limit: 1
peers:
  shop-peers: {interface: shop_peers}
config:
  options:
    region: {type: string, default: RegionOne, description: where}
    workers: {type: int}
actions:
  restock:
    description: buy more
    params:
      amount: {type: integer, default: 3}
    required: [amount]
    additionalProperties: false
  close:
storage:
  data: {type: filesystem, multiple: {range: 1-}, minimum-size: 1G}
resources:
  catalogue: {type: file, filename: catalogue.csv}
assumes: [juju >= 3.6]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    charm = tmp_path / "shop"
    (charm / "src").mkdir(parents=True)
    (charm / "charmcraft.yaml").write_text(UNIFIED)
    (charm / "src/charm.py").write_text("print('hello')\n")
    return charm


def pack(path: Path, **entries: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.yaml", "name: shop\n")
        for name, text in entries.items():
            archive.writestr(name, text)
    return path


def add_link(archive_path: Path, name: str, to: str) -> None:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive_path, "a") as archive:
        archive.writestr(entry, to)


def test_unified_charm_is_read_whole(folder: Path):
    charm = load_charm(folder)

    assert (charm.name, charm.subordinate, charm.assumes) == ("shop", False, ("juju >= 3.6",))
    database = charm.endpoints["database"]
    assert (database.role, database.interface, database.optional, database.limit) == (
        *("requirer", "mysql_client", True, 1),
    )
    assert charm.endpoints["shop-peers"].role == "peer"
    assert charm.defaults == {"region": "RegionOne"}
    assert charm.actions["restock"].required == ("amount",)
    assert not charm.actions["restock"].additional_properties
    assert charm.actions["close"].additional_properties
    assert (charm.storage["data"].least, charm.storage["data"].most) == (1, None)
    assert charm.resources["catalogue"].filename == "catalogue.csv"


def test_every_charm_provides_juju_info(folder: Path):
    endpoint = load_charm(folder).endpoints["juju-info"]
    assert (endpoint.role, endpoint.interface) == ("provider", "juju-info")


def test_split_files_say_the_same_as_the_unified_one(folder: Path, tmp_path: Path):
    target = tmp_path / "unit"
    materialise(folder, target)
    split_charm, unified = load_charm(target), load_charm(folder)
    assert split_charm.model_copy(update={"digest": ""}) == unified.model_copy(
        update={"digest": ""}
    )


def test_keys_are_text_even_where_yaml_reads_a_boolean(folder: Path):
    text = UNIFIED.replace("workers: {type: int}", "on: {type: boolean, default: off}")
    (folder / "charmcraft.yaml").write_text(text)
    assert load_charm(folder).defaults == {"region": "RegionOne", "on": False}


def test_metadata_survives_a_round_trip_as_json(folder: Path):
    charm = load_charm(folder)
    assert CharmMetadata.model_validate_json(charm.model_dump_json()) == charm


def test_split_renames_as_charmcraft_does(folder: Path):
    metadata = split(folder)["metadata.yaml"]
    assert metadata["display-name"] == "The Shop"
    assert metadata["maintainers"] == "Ann <ann@example.com>"
    assert not metadata.keys() & {"parts", "platforms", "type", "title", "links", "config"}


@pytest.mark.parametrize(
    ("line", "instead", "complaint"),
    [
        ("  web: {interface: http}", "  web: {}", ":10: provides.web.interface: Field required"),
        (
            "  web: {interface: http}",
            "  web: {interface: http, scope: galaxy}",
            ":10: provides.web.scope: Input should be 'global' or 'container'",
        ),
        (
            "    workers: {type: int}",
            "    workers: {type: number}",
            ":21: config.options.workers.type: Input should be 'string', 'int'",
        ),
        (
            "    workers: {type: int}",
            "    workers: {type: int, default: many}",
            ':21: config.options.workers.default: option "workers" expected int, got "many"',
        ),
        ("  web: {interface: http}", "  juju-x: {interface: http}", ":10: provides.juju-x: names"),
        (
            "  shop-peers: {interface: shop_peers}",
            "  web: {interface: shop_peers}",
            ":17: peers.web: an endpoint of this name stands in another role too",
        ),
        ("name: shop", "name: Shop 1", ":1: name: must be lower-case"),
        ("summary: sells", "subordinate: true", ':4: subordinate: a subordinate needs a "requ'),
        ("summary: sells", "name: twice", ":4: name: stands twice, first in line 1"),
        ("summary: sells", "summary: [a", "not valid YAML"),
    ],
)
def test_a_wrong_declaration_is_refused_with_file_line_and_key(
    folder: Path, line: str, instead: str, complaint: str
):
    (folder / "charmcraft.yaml").write_text(UNIFIED.replace(line, instead))
    with pytest.raises(CharmError) as refusal:
        load_charm(folder)
    assert f"{folder}/charmcraft.yaml" in str(refusal.value)
    assert complaint in str(refusal.value)


def test_a_folder_without_a_charm_is_refused(tmp_path: Path):
    with pytest.raises(CharmError, match=r"has no charmcraft\.yaml"):
        load_charm(tmp_path)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path):
    (tmp_path / "x.charm").write_text("no zip")
    with pytest.raises(CharmError, match=r"x\.charm: not a charm: not a zip archive"):
        load_charm(tmp_path / "x.charm")


# ---- values


@pytest.mark.parametrize(
    ("kind", "given", "meant"),
    [
        ("string", "5", "5"),
        ("int", "-5", -5),
        ("int", 5, 5),
        ("float", "0.5", 0.5),
        ("float", 2, 2.0),
        ("boolean", "True", True),
        ("boolean", "0", False),
        ("boolean", False, False),
        ("secret", "secret:9m4e2mr0ui3e8a215n4g", "secret:9m4e2mr0ui3e8a215n4g"),
    ],
)
def test_values_become_the_options_type(kind: str, given: str, meant: object):
    value = parse_option(Option.model_validate({"name": "o", "type": kind}), given)
    assert value == meant
    assert type(value) is type(meant)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("string", 5, 'option "o" expected string, got 5'),
        ("int", "five", 'option "o" expected int, got "five"'),
        ("int", True, 'option "o" expected int, got true'),
        ("int", 1.5, 'option "o" expected int, got 1.5'),
        ("float", "x", 'option "o" expected float, got "x"'),
        ("boolean", "yes", 'option "o" expected boolean, got "yes"'),
        ("boolean", 1, 'option "o" expected boolean, got 1'),
        ("secret", "hunter2", 'option "o" expected secret, got something that is no secret URI'),
    ],
)
def test_values_of_another_type_are_refused_in_jujus_words(kind: str, given: str, message: str):
    with pytest.raises(OptionError) as refusal:
        parse_option(Option.model_validate({"name": "o", "type": kind}), given)
    assert str(refusal.value) == message


# ---- a unit's charm folder


def test_ops_can_read_what_a_unit_gets(folder: Path, tmp_path: Path):
    materialise(folder, tmp_path / "unit")
    meta = ops.CharmMeta.from_charm_root(tmp_path / "unit")
    assert meta.requires["database"].interface_name == "mysql_client"
    assert meta.actions["restock"].additional_properties is False


def test_a_folder_is_linked_and_gets_a_dispatch(folder: Path, tmp_path: Path):
    unit = tmp_path / "unit"
    materialise(folder, unit)
    assert (unit / "src").readlink() == folder / "src"
    assert (unit / "dispatch").stat().st_mode & 0o777 == 0o755


def test_an_archive_is_unpacked_with_its_modes(tmp_path: Path):
    entry = zipfile.ZipInfo("dispatch")
    entry.external_attr = (stat.S_IFREG | 0o4755) << 16
    charm = pack(tmp_path / "x.charm", **{"src/charm.py": "pass"})
    with zipfile.ZipFile(charm, "a") as archive:
        archive.writestr(entry, "#!/bin/sh")
    add_link(charm, "venv/lib64", "lib")

    materialise(charm, tmp_path / "unit")

    assert stat.S_IMODE((tmp_path / "unit/dispatch").stat().st_mode) == 0o755
    assert (tmp_path / "unit/src/charm.py").read_text() == "pass"
    assert (tmp_path / "unit/venv/lib64").readlink() == Path("lib")


@pytest.mark.parametrize("name", ["../escape", "/escape", "a/../../escape"])
def test_an_entry_that_leads_out_of_the_charm_is_refused(tmp_path: Path, name: str):
    charm = pack(tmp_path / "x.charm", **{name: "pwned"})
    with pytest.raises(CharmError, match="leads out of the charm"):
        materialise(charm, tmp_path / "unit")
    assert not (tmp_path / "escape").exists()


@pytest.mark.parametrize("to", ["/etc/passwd", "../../escape"])
def test_a_link_that_leads_out_of_the_charm_is_refused(tmp_path: Path, to: str):
    charm = pack(tmp_path / "x.charm")
    add_link(charm, "src/link", to)
    with pytest.raises(CharmError, match="link 'src/link' leads out of the charm"):
        materialise(charm, tmp_path / "unit")


def test_an_entry_below_a_link_is_refused(tmp_path: Path):
    charm = pack(tmp_path / "x.charm", **{"a/b": "text"})
    add_link(charm, "a", "c")
    with pytest.raises(CharmError, match="'a/b' lies below a link"):
        materialise(charm, tmp_path / "unit")


def test_another_version_replaces_the_old_files_and_keeps_the_charms_own_state(
    folder: Path, tmp_path: Path
):
    unit = tmp_path / "unit"
    materialise(pack(tmp_path / "1.charm", **{"src/charm.py": "1", "old.py": "1"}), unit)
    (unit / ".unit-state.db").write_text("state")

    materialise(pack(tmp_path / "2.charm", **{"src/charm.py": "2"}), unit)
    assert (unit / "src/charm.py").read_text() == "2"
    assert not (unit / "old.py").exists()

    materialise(folder, unit)
    assert (unit / "src").is_symlink()

    materialise(tmp_path / "2.charm", unit)
    assert (unit / "src/charm.py").read_text() == "2"
    assert (folder / "src/charm.py").read_text() == "print('hello')\n"
    assert (unit / ".unit-state.db").read_text() == "state"


def test_the_digest_changes_with_the_charms_code_and_not_with_its_tests(folder: Path):
    before = load_charm(folder).digest
    (folder / "tests").mkdir()
    (folder / "tests/test_charm.py").write_text("pass")
    assert load_charm(folder).digest == before
    (folder / "src/charm.py").write_text("print('bye')\n")
    assert load_charm(folder).digest != before
