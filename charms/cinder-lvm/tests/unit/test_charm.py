"""cinder-lvm's charm: storage and a schema make volumes; what the host lacks is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import ops
import pytest
import yaml
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)
REMEDY = "run cinder-lvm-grow, or delete volumes"


@pytest.fixture(autouse=True)
def host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(nodename="node-1"))


def ready(**config: str) -> testing.State:
    """A unit beside Cinder's, whose schema is there."""
    cinder = testing.SubordinateRelation(
        "storage-backend", remote_app_name="cinder", remote_app_data={"release": '"2026.2"'}
    )
    return testing.State(leader=True, config=config, relations=[cinder])


def run(state: testing.State) -> testing.State:
    context = testing.Context(CHARM)
    return context.run(context.on.update_status(), state)


def act(name: str, state: testing.State, **params: object) -> testing.Context[ops.CharmBase]:
    context = testing.Context(CHARM)
    declared = yaml.safe_load((FOLDER / "charmcraft.yaml").read_text())["actions"][name]["params"]
    params = {key: value["default"] for key, value in declared.items()} | params
    context.run(context.on.action(name, params=params), state)
    return context


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_a_missing_kernel_module_is_named_as_the_hosts_lack(snap: FakeSnap) -> None:
    snap.failure = "microstack.x returned 1: error: HostLacksError: no kernel module dm_mod"
    out = run(ready(**{"loop-size": "20G"}))
    assert out.unit_status == ops.BlockedStatus("host: no kernel module dm_mod")
    assert snap.sections == {}


def test_too_little_room_is_the_hosts_lack_and_holds_nothing_else_up(snap: FakeSnap) -> None:
    snap.failure = "microstack.x returned 1: error: HostLacksError: /x has room for 3.0 GiB"
    out = run(ready(**{"loop-size": "20G"}))
    assert out.unit_status == ops.BlockedStatus("host: /x has room for 3.0 GiB")


def test_without_options_an_action_is_asked_for(snap: FakeSnap) -> None:
    out = run(ready())
    assert out.unit_status == ops.BlockedStatus("no storage: run the action cinder-lvm-setup")
    assert snap.jobs == ["cinder-lvm-check"]


def test_storage_and_schema_become_snap_config_and_the_storage_is_made_once(
    snap: FakeSnap,
) -> None:
    out = run(run(ready(**{"loop-size": "20G"})))
    assert out.unit_status == ops.ActiveStatus()
    assert [job for job in snap.jobs if job != "cinder-lvm-usage"] == [
        "cinder-lvm-check",
        "cinder-lvm-setup",
    ]
    assert snap.sections["cinder-lvm"] == {
        "debug": False,
        "host": "node-1",
        "schema-release": "2026.2",
        "volume-group": "microstack-volumes",
    }


def test_storage_that_is_gone_is_told_and_no_hook_fails(snap: FakeSnap) -> None:
    out = run(ready(**{"loop-size": "20G"}))
    snap.failure = "microstack.x returned 1: error: LvmError: lvs: device not found"
    assert run(out).unit_status == ops.BlockedStatus("lvs: device not found")


def attached(state: testing.State) -> tuple[testing.State, testing.Storage]:
    """The unit with storage that Juju gave it."""
    storage = testing.Storage("block-device")
    return replace(state, storages=[storage]), storage


def test_storage_of_juju_goes_before_the_options(snap: FakeSnap) -> None:
    state, storage = attached(ready(**{"loop-size": "20G"}))
    context = testing.Context(CHARM)
    out = context.run(context.on.config_changed(), state)
    location = str(storage.get_filesystem(context))
    assert out.unit_status == ops.ActiveStatus()
    assert snap.documents["cinder-lvm-setup"] == {"device": location}


def test_storage_of_juju_is_looked_for_each_time(snap: FakeSnap) -> None:
    state, _ = attached(ready())
    run(run(state))
    assert snap.jobs.count("cinder-lvm-setup") == 2


def test_storage_that_is_added_later_ends_the_want_of_it(snap: FakeSnap) -> None:
    state, storage = attached(run(ready()))
    context = testing.Context(CHARM)
    out = context.run(context.on.storage_attached(storage), state)
    assert out.unit_status == ops.ActiveStatus()


def test_storage_that_is_attached_before_the_install_waits_for_it(snap: FakeSnap) -> None:
    state, storage = attached(ready())
    context = testing.Context(CHARM)
    context.run(context.on.storage_attached(storage), state)
    assert snap.jobs == []


def in_use(snap: FakeSnap, state: testing.State) -> testing.State:
    """The unit after its storage was made from its options."""
    out = run(state)
    snap.answers["cinder-lvm-setup"] = ['{"on": "/x/cinder-lvm.img", "unused": "/dev/loop7"}']
    return out


UNUSED = (
    "is attached and not used: to use it run cinder-lvm-teardown once no volume is left, "
    "else detach it"
)


def test_storage_that_is_added_while_other_is_in_use_is_told_of_and_volumes_stay(
    snap: FakeSnap,
) -> None:
    state, storage = attached(in_use(snap, ready(**{"loop-size": "20G"})))
    context = testing.Context(CHARM)
    out = context.run(context.on.storage_attached(storage), state)
    assert out.unit_status == ops.ActiveStatus(f"block-device/{storage.index} {UNUSED}")
    assert snap.sections["cinder-lvm"]["volume-group"] == "microstack-volumes"


def test_it_is_told_of_beside_storage_that_fills_up(snap: FakeSnap) -> None:
    state, storage = attached(in_use(snap, ready(**{"loop-size": "20G"})))
    snap.answers["cinder-lvm-usage"] = ['{"data-percent": 84, "metadata-percent": 1}']
    told = f"storage is 84% full: {REMEDY}; block-device/{storage.index} {UNUSED}"
    assert run(state).unit_status == ops.ActiveStatus(told)


def test_it_is_told_of_no_longer_once_it_is_detached(snap: FakeSnap) -> None:
    state, storage = attached(in_use(snap, ready(**{"loop-size": "20G"})))
    snap.answers["cinder-lvm-teardown"] = ['{"removed": false}']
    context = testing.Context(CHARM)
    out = context.run(context.on.storage_detaching(storage), run(state))
    assert out.unit_status == ops.ActiveStatus()
    assert snap.sections["cinder-lvm"]["volume-group"] == "microstack-volumes"


def test_it_is_used_once_the_other_is_torn_down_whatever_the_options_ask_for(
    snap: FakeSnap,
) -> None:
    state, storage = attached(in_use(snap, ready(**{"loop-size": "20G"})))
    snap.answers["cinder-lvm-setup"] = ['{"on": "/dev/loop7"}']
    snap.answers["cinder-lvm-teardown"] = ['{"removed": true}']
    context = testing.Context(CHARM)
    out = context.run(context.on.action("cinder-lvm-teardown", params={"force": False}), state)
    location = str(storage.get_filesystem(context))
    asked = {"device": location, "elsewhere": True, "force": False}
    assert snap.documents["cinder-lvm-teardown"] == asked
    assert snap.documents["cinder-lvm-setup"] == {"device": location}
    assert out.unit_status == ops.ActiveStatus()


def test_what_is_on_storage_goes_before_it_is_detached(snap: FakeSnap) -> None:
    state, storage = attached(ready())
    snap.answers["cinder-lvm-teardown"] = ['{"removed": true}']
    context = testing.Context(CHARM)
    context.run(context.on.storage_detaching(storage), run(state))
    assert "volume-group" not in snap.sections["cinder-lvm"]


def test_a_unit_that_is_removed_makes_no_storage_of_its_options_in_the_place_of_what_it_gave_back(
    snap: FakeSnap,
) -> None:
    state = ready(**{"loop-size": "20G"})
    (cinder,) = state.relations
    context = testing.Context(CHARM)
    context.run(context.on.relation_broken(cinder), state)
    assert snap.jobs == []


def test_storage_with_volumes_left_is_not_given_back(snap: FakeSnap) -> None:
    state, storage = attached(ready())
    out = run(state)
    snap.failure = "microstack.x returned 1: error: StorageError: 2 volumes are left"
    context = testing.Context(CHARM)
    with pytest.raises(testing.errors.UncaughtCharmError, match="2 volumes are left"):
        context.run(context.on.storage_detaching(storage), out)
    assert snap.sections["cinder-lvm"]["volume-group"] == "microstack-volumes"


def test_teardown_is_refused_while_the_storage_is_on_what_juju_attached(snap: FakeSnap) -> None:
    state, _ = attached(ready())
    snap.answers["cinder-lvm-teardown"] = ['{"removed": false}']
    with pytest.raises(testing.ActionFailed, match="detach block-device/"):
        act("cinder-lvm-teardown", state)
    assert snap.jobs == ["cinder-lvm-teardown"]


def test_tells_cinder_of_the_backend(snap: FakeSnap) -> None:
    (relation,) = run(ready(**{"loop-size": "20G"})).relations
    assert relation.local_app_data == {"backend-name": '"lvm"', "volume-type": '"lvm"'}


def test_the_setup_action_makes_the_storage(snap: FakeSnap) -> None:
    made = '{"volume-group": "microstack-volumes", "on": "/x/cinder-lvm.img", "size-mib": 29000}'
    snap.answers["cinder-lvm-setup"] = [made]
    context = testing.Context(CHARM)
    params = {"size": "30G", "device": "", "force": False}
    out = context.run(context.on.action("cinder-lvm-setup", params=params), run(ready()))
    assert context.action_results == json.loads(made)
    assert out.unit_status == ops.ActiveStatus()
    assert snap.sections["cinder-lvm"]["volume-group"] == "microstack-volumes"


def test_the_grow_action_tells_what_there_is_now(snap: FakeSnap) -> None:
    snap.answers["cinder-lvm-grow"] = ['{"size-mib": 38000, "data-percent": 3}']
    context = act("cinder-lvm-grow", ready(), size="40G")
    assert context.action_results == {"size-mib": 38000, "data-percent": 3}


@pytest.mark.parametrize(
    ("data", "table", "status"),
    [
        (79, 10, ops.ActiveStatus()),
        (80, 10, ops.ActiveStatus(f"storage is 80% full: {REMEDY}")),
        (12, 94, ops.ActiveStatus(f"storage is 94% full: {REMEDY}")),
        (95, 10, ops.BlockedStatus(f"storage is 95% full: {REMEDY}")),
    ],
)
def test_tells_of_storage_that_fills_up(
    data: int, table: int, status: ops.StatusBase, snap: FakeSnap
) -> None:
    usage = {"size-mib": 19000, "data-percent": data, "metadata-percent": table}
    snap.answers["cinder-lvm-usage"] = [json.dumps(usage)]
    assert run(ready(**{"loop-size": "20G"})).unit_status == status


def test_storage_that_has_grown_is_full_no_longer(snap: FakeSnap) -> None:
    snap.answers["cinder-lvm-usage"] = ['{"data-percent": 96, "metadata-percent": 1}']
    full = run(ready(**{"loop-size": "20G"}))
    assert full.unit_status == ops.BlockedStatus(f"storage is 96% full: {REMEDY}")
    grown = '{"data-percent": 48, "metadata-percent": 1}'
    snap.answers |= {job: [grown] for job in ("cinder-lvm-usage", "cinder-lvm-grow")}
    context = testing.Context(CHARM)
    out = context.run(context.on.action("cinder-lvm-grow", params={"size": "40G"}), full)
    assert out.unit_status == ops.ActiveStatus()
    assert context.action_results == json.loads(grown)


@pytest.mark.parametrize("of_juju", [False, True])
def test_an_initiator_that_takes_no_orders_is_told_of(snap: FakeSnap, of_juju: bool) -> None:
    usage = {"size-mib": 19000, "data-percent": 1, "metadata-percent": 1}
    snap.answers["cinder-lvm-setup"] = [json.dumps(usage)]
    snap.answers["cinder-lvm-usage"] = [json.dumps({**usage, "initiator": False})]
    told = "no iSCSI initiator takes orders: see the log of iscsid"
    state = ready(**{"loop-size": "20G"})
    assert run(attached(state)[0] if of_juju else state).unit_status == ops.BlockedStatus(told)


@pytest.mark.parametrize(
    ("action", "refusal"),
    [
        ("cinder-lvm-setup", "/dev/sdb has ext4 on it: force=true takes it and loses them"),
        ("cinder-lvm-grow", "the storage has 20.0 GiB: it cannot shrink"),
        ("cinder-lvm-teardown", "2 volumes are left"),
    ],
)
def test_an_action_that_is_refused_fails_with_the_reason(
    action: str, refusal: str, snap: FakeSnap
) -> None:
    snap.failure = f"microstack.{action} returned 1: error: StorageError: {refusal}"
    with pytest.raises(testing.ActionFailed, match=refusal):
        act(action, ready())


def test_teardown_is_refused_while_an_option_asks_for_the_storage(snap: FakeSnap) -> None:
    with pytest.raises(testing.ActionFailed, match="reset the options loop-size and device"):
        act("cinder-lvm-teardown", ready(**{"loop-size": "20G"}))
    assert snap.jobs == []


def test_teardown_closes_the_gate_of_the_service(snap: FakeSnap) -> None:
    state = replace(run(ready(**{"loop-size": "20G"})), config={})
    snap.answers["cinder-lvm-teardown"] = ['{"removed": true}']
    context = testing.Context(CHARM)
    out = context.run(context.on.action("cinder-lvm-teardown", params={"force": False}), state)
    assert "volume-group" not in snap.sections["cinder-lvm"]
    assert out.unit_status == ops.BlockedStatus("no storage: run the action cinder-lvm-setup")
