"""The contract that a charm sees, in both ways a hook is run: in a fork, and as a program."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.client import ActionResult, BundleError, ChangeError, TimeoutExpiredError
from machine.model import EXEC
from tests.machine.agents import PATIENCE, Agent, until

HERE = Path(__file__).parent
BUNDLE = """
    applications:
      one: {charm: CHARMS/probe, num_units: 2, trust: true, resources: {seed: SEED}}
      two: {charm: CHARMS/probe, num_units: 1, OPTIONS}
    relations: [["one:offered", "two:wanted"]]
"""


class Probe:
    """Two related applications of the charm that runs tools, on one agent."""

    def __init__(self, agent: Agent, bundle: str = BUNDLE, options: str = "") -> None:
        self.agent = agent
        self.client = agent.client
        (agent.folder / "seed").write_text("a seed")
        text = bundle.replace("SEED", str(agent.folder / "seed")).replace("OPTIONS", options)
        agent.deploy(text)

    def call(self, unit: str, *argv: str, stdin: str = "") -> tuple[int, str]:
        """Run a tool as ops does; its exit code, and what it prints."""
        params = {"argv": list(argv), "stdin": stdin}
        done = self.client.run(unit, "tool", params, PATIENCE)
        assert done.status == "completed", done
        return int(done.results["code"]), done.results.get("said", "")

    def __call__(self, unit: str, *argv: str, stdin: str = "") -> str:
        code, said = self.call(unit, *argv, stdin=stdin)
        assert code == 0, said
        return said.removesuffix("\n")

    def json(self, unit: str, *argv: str, stdin: str = "") -> Any:
        return json.loads(self(unit, *argv, "--format=json", stdin=stdin))

    def execute(self, unit: str, command: str) -> ActionResult:
        """Run a command of the shell in a unit's hook context."""
        return self.client.run(unit, EXEC, {"command": command}, PATIENCE)

    def events(self, unit: str) -> list[dict[str, str]]:
        lines = (self.agent.charm(unit) / "events").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def names(self, unit: str) -> list[str]:
        return [event["name"] for event in self.events(unit)]

    def relation(self) -> str:
        (relation,) = self.json("one/0", "relation-ids", "offered")
        return relation


@pytest.fixture(scope="module", params=["fork", "exec"])
def probe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    agent = Agent(tmp_path_factory.mktemp(request.param), *way(request.param))
    agent.start()
    probe = Probe(agent)
    agent.settle()
    yield probe
    agent.close()


def way(name: str) -> list[str]:
    return ["--exec"] if name == "exec" else []


@pytest.fixture(params=["fork", "exec"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path, *way(request.param))
    agent.start()
    yield agent
    agent.close()


class TestEnvironment:
    def test_every_hook_has_jujus_variables(self, probe: Probe):
        install = probe.events("two/0")[0]
        assert install["name"] == "install"
        assert set(install) >= {
            "JUJU_AGENT_SOCKET_ADDRESS",
            "JUJU_AGENT_SOCKET_NETWORK",
            "JUJU_API_ADDRESSES",
            "JUJU_AVAILABILITY_ZONE",
            "JUJU_CHARM_DIR",
            "JUJU_CHARM_FTP_PROXY",
            "JUJU_CHARM_HTTPS_PROXY",
            "JUJU_CHARM_HTTP_PROXY",
            "JUJU_CHARM_NO_PROXY",
            "JUJU_CONTEXT_ID",
            "JUJU_DISPATCH_PATH",
            "JUJU_HOOK_NAME",
            "JUJU_MACHINE_ID",
            "JUJU_METER_STATUS",
            "JUJU_MODEL_NAME",
            "JUJU_MODEL_UUID",
            "JUJU_PRINCIPAL_UNIT",
            "JUJU_SLA",
            "JUJU_UNIT_NAME",
            "JUJU_VERSION",
        }
        assert install["JUJU_DISPATCH_PATH"] == "hooks/install"
        assert install["JUJU_UNIT_NAME"] == "two/0"
        assert "JUJU_RELATION" not in install and "OPERATOR_DISPATCH" not in install

    def test_relation_hooks_say_of_whom_they_are(self, probe: Probe):
        events = {e["name"]: e for e in probe.events("two/0") if e["name"].startswith("wanted")}
        created, joined = events["wanted-relation-created"], events["wanted-relation-joined"]
        number = probe.relation().partition(":")[2]
        assert created["JUJU_RELATION"] == "wanted"
        assert created["JUJU_RELATION_ID"] == f"wanted:{number}"
        assert (created["JUJU_REMOTE_APP"], created["JUJU_REMOTE_UNIT"]) == ("one", "")
        assert joined["JUJU_REMOTE_UNIT"].startswith("one/")

    def test_hooks_come_in_jujus_order(self, probe: Probe):
        names = probe.names("one/0")
        assert names[0] == "install"
        assert set(names[1:3]) == {"cluster-relation-created", "offered-relation-created"}
        assert names[3:6] == ["leader-elected", "config-changed", "start"]


class TestTools:
    def test_config(self, probe: Probe):
        assert probe.json("two/0", "config-get")["text"] == ""
        assert probe.json("two/0", "config-get", "token") is None

    def test_relations(self, probe: Probe):
        relation = probe.relation()
        assert probe.json("one/0", "relation-list", "-r", relation) == ["two/0"]
        assert probe.json("one/0", "relation-list", "--app", "-r", relation) == "two"
        said = probe.call("one/0", "relation-get", "-r", "offered:99", "-", "two/0")
        assert said == (
            2,
            'ERROR invalid value "offered:99" for option -r: relation not found\n',
        )
        assert "uuid" in probe.json("one/0", "relation-model-get", "-r", relation)

    def test_a_databag_written_is_delivered(self, probe: Probe):
        relation = probe.relation()
        probe("one/0", "relation-set", "-r", relation, "--file", "-", stdin='{"k": "v: 1\\n"}')
        probe.agent.settle()
        number = relation.partition(":")[2]
        there = f"wanted:{number}"
        assert probe.json("two/0", "relation-get", "-r", there, "-", "one/0")["k"] == "v: 1\n"
        last = probe.events("two/0")[-1]
        assert (last["name"], last["JUJU_REMOTE_UNIT"]) == ("wanted-relation-changed", "one/0")
        before = len(probe.events("two/0"))
        probe("one/0", "relation-set", "-r", relation, "--file", "-", stdin='{"k": "v: 1\\n"}')
        probe.agent.settle()
        assert len(probe.events("two/0")) == before

    def test_network_of_every_binding(self, probe: Probe):
        for binding in ("offered", "wanted", "cluster", "admin", "juju-info"):
            network = probe.json("one/0", "network-get", binding)
            assert set(network) == {"bind-addresses", "egress-subnets", "ingress-addresses"}
            (bound,) = network["bind-addresses"]
            assert bound["interface-name"] == "lo"
        code, said = probe.call("one/0", "network-get", "--format=json", "nothing")
        assert code == 1 and "no network config found for binding" in said
        assert probe("one/0", "unit-get", "private-address") == "127.0.0.1"

    def test_ports(self, probe: Probe):
        for port in ("8000/tcp", "53/udp", "icmp"):
            probe("one/0", "open-port", port)
        assert probe.json("one/0", "opened-ports") == ["icmp", "8000/tcp", "53/udp"]
        probe("one/0", "close-port", "53/udp")
        assert probe.agent.unit("one/0")["open-ports"] == ["8000/tcp", "icmp"]

    def test_status_and_version_act_at_once(self, probe: Probe):
        probe("one/0", "status-set", "--application=False", "active", "--", "-fine")
        assert probe.json("one/0", "status-get", "--include-data")["message"] == "-fine"
        probe("one/0", "application-version-set", "--", "1.2")
        assert probe.client.status()["applications"]["one"]["version"] == "1.2"
        code, said = probe.call("one/0", "status-set", "perfect")
        assert code == 2 and "expected one of [maintenance blocked waiting active]" in said

    def test_goal_state(self, probe: Probe):
        goal = probe.json("two/0", "goal-state")
        assert set(goal["units"]) == {"two/0"}
        assert set(goal["relations"]["wanted"]) == {"one", "one/0", "one/1"}

    def test_state(self, probe: Probe):
        probe("two/0", "state-set", "--file", "-", stdin='{"a": "1"}')
        assert probe("two/0", "state-get", "a") == "1"
        probe("two/0", "state-delete", "a")
        assert probe("two/0", "state-get", "a") == ""

    def test_resource(self, probe: Probe):
        path = Path(probe("one/0", "resource-get", "seed"))
        assert (path.name, path.read_text()) == ("seed.txt", "a seed")
        assert path.is_relative_to(probe.agent.state / "units" / "one-0")
        code, said = probe.call("two/0", "resource-get", "seed")
        assert code == 1 and 'resource "seed" not found' in said

    def test_a_cloud_is_shown_to_whom_is_trusted(self, probe: Probe):
        cloud = probe.json("one/0", "credential-get")
        assert (cloud["type"], cloud["credential"]["auth-type"]) == ("manual", "empty")
        code, said = probe.call("two/0", "credential-get", "--format=json")
        assert (code, said) == (1, "ERROR cannot access cloud credentials: permission denied\n")

    def test_no_reboot_in_an_action(self, probe: Probe):
        said = "ERROR juju-reboot is not supported when running an action.\n"
        assert probe.call("one/0", "juju-reboot") == (1, said)

    def test_unknown_flags_are_usage_errors(self, probe: Probe):
        code, said = probe.call("one/0", "is-leader", "--what")
        assert (code, said) == (2, "ERROR option provided but not defined: --what\n")


class TestSecrets:
    def test_from_the_owner_to_whom_it_is_granted(self, probe: Probe):
        relation = probe.relation().partition(":")[2]
        uri = probe("one/0", "secret-add", "--label", "granted", "password=one")
        assert probe.call("two/0", "secret-get", uri) == (1, "ERROR permission denied\n")
        probe("one/0", "secret-grant", "--relation", relation, uri)
        assert probe.json("two/0", "secret-get", uri, "--label", "mine") == {"password": "one"}
        probe("one/0", "secret-set", uri, "password=two")
        probe.agent.settle()
        last = probe.events("two/0")[-1]
        assert (last["name"], last["JUJU_SECRET_LABEL"]) == ("secret-changed", "mine")
        assert last["JUJU_SECRET_ID"] == uri and "JUJU_SECRET_REVISION" not in last
        assert probe.json("two/0", "secret-get", "--label", "mine") == {"password": "one"}
        assert probe.json("two/0", "secret-get", uri, "--refresh") == {"password": "two"}
        probe.agent.settle()
        removed = probe.events("one/0")[-1]
        assert (removed["name"], removed["JUJU_SECRET_REVISION"]) == ("secret-remove", "1")
        probe("one/0", "secret-revoke", "--relation", relation, uri)
        assert probe.call("two/0", "secret-get", uri) == (1, "ERROR permission denied\n")

    def test_one_that_expires_says_so_to_its_owner(self, probe: Probe):
        probe("one/0", "secret-add", "--label", "short", "--expire", "1s", "key=v")
        until(lambda: "secret-expired" in probe.names("one/0") or None, "the secret expires")
        event = probe.events("one/0")[-1]
        assert (event["JUJU_SECRET_LABEL"], event["JUJU_SECRET_REVISION"]) == ("short", "1")

    def test_followers_have_their_own_alone(self, probe: Probe):
        code, said = probe.call("one/1", "secret-add", "key=v")
        assert code == 1 and "not the leader" in said
        uri = probe("one/1", "secret-add", "--owner", "unit", "--label", "own", "key=v")
        assert probe.call("one/0", "secret-get", uri) == (1, "ERROR permission denied\n")
        info = probe.json("one/1", "secret-info-get", uri)
        assert info[uri.removeprefix("secret:")]["owner"] == "unit"


class TestStorage:
    def test_it_is_attached_used_detached_and_attached_again(self, probe: Probe):
        added = probe.client.add_storage("one/0", "data", "2")
        probe.agent.settle()
        assert probe.json("one/0", "storage-list", "data") == added
        event = [e for e in probe.events("one/0") if e["name"] == "data-storage-attached"][-1]
        assert event["JUJU_STORAGE_ID"] == added[-1]
        location = probe.json("one/0", "storage-get", "-s", added[0])["location"]
        Path(location, "content").write_text("kept")
        probe.client.detach_storage(added[0])
        probe.agent.settle()
        assert probe.names("one/0")[-1] == "data-storage-detaching"
        assert probe.json("one/0", "storage-list") == added[1:]
        probe.client.attach_storage("two/0", added[0])
        probe.agent.settle()
        assert probe.json("two/0", "storage-get", "-s", added[0]) == {
            "kind": "filesystem",
            "location": location,
        }
        assert Path(location, "content").read_text() == "kept"
        probe.client.detach_storage(added[0], kept=False)
        probe.agent.settle()
        assert not Path(location).exists()

    def test_a_charm_adds_its_own(self, probe: Probe):
        before = probe.json("two/0", "storage-list")
        probe("two/0", "storage-add", "data=1")
        probe.agent.settle()
        assert len(probe.json("two/0", "storage-list")) == len(before) + 1
        code, said = probe.call("two/0", "storage-add", "nothing=1")
        assert code == 1 and 'charm storage "nothing" not found' in said

    @pytest.mark.parametrize(
        ("unit", "name", "directive", "problem"),
        [
            ("one/9", "data", "", 'unit "one/9" not found'),
            ("one/0", "nothing", "", 'charm storage "nothing" not found'),
            ("one/0", "disk", "2", "at most 1 instances"),
            ("one/0", "data", "ceph", 'pool "ceph" not found'),
            ("one/0", "data", "1,,;", "invalid storage"),
        ],
    )
    def test_what_cannot_be_had_is_refused(
        self, probe: Probe, unit: str, name: str, directive: str, problem: str
    ):
        with pytest.raises(ChangeError, match=problem):
            probe.client.add_storage(unit, name, directive)

    def test_a_block_device(self, probe: Probe):
        if not Path("/dev/loop-control").exists():
            with pytest.raises(ChangeError, match="no loop"):
                probe.client.add_storage("one/0", "disk")
            pytest.skip("this kernel has no loop devices: refused, as it should be")
        (disk,) = probe.client.add_storage("one/0", "disk", "loop,8M")
        probe.agent.settle()
        device = probe.json("one/0", "storage-get", "-s", disk)["location"]
        size = subprocess.run(["blockdev", "--getsize64", device], capture_output=True, check=True)
        assert int(size.stdout) == 8 << 20
        probe.client.detach_storage(disk, kept=False)
        probe.agent.settle()
        backing = Path("/sys/block", Path(device).name, "loop/backing_file")
        until(lambda: not backing.exists() or None, "the loop device is free")
        assert probe.json("one/0", "storage-list", "disk") == []


def test_storage_is_attached_before_install_and_detached_before_stop(fresh: Agent):
    where = fresh.folder / "srv"
    charm = fresh.folder / "keeper"
    (charm / "src").mkdir(parents=True)
    probe_charm = HERE / "charms/probe/src/charm.py"
    (charm / "src/charm.py").write_text(probe_charm.read_text())
    text = (HERE / "charms/probe/charmcraft.yaml").read_text()
    text = text.replace("name: probe", "name: keeper")
    text = text.replace("multiple: {range: 0-}", f"location: {where}")
    (charm / "charmcraft.yaml").write_text(text)
    fresh.deploy(f"applications: {{keeper: {{charm: {charm}, num_units: 1}}}}")
    fresh.settle()
    events = (fresh.charm("keeper/0") / "events").read_text().splitlines()
    first, second = (json.loads(line) for line in events[:2])
    assert (first["name"], second["name"]) == ("data-storage-attached", "install")
    assert first["JUJU_STORAGE_LOCATION"] == str(where)
    (where / "content").touch()
    hooks = [r.hook for r in fresh.client.hooks()]
    fresh.client.remove_application("keeper")
    fresh.settle()
    after = [r.hook for r in fresh.client.hooks()][len(hooks) :]
    assert after[-2:] == ["stop", "remove"]
    assert "data-storage-detaching" in after[:-2]
    assert not where.is_symlink() and not where.exists()


class TestReboot:
    @pytest.mark.parametrize("option", ["reboot", "reboot-now"])
    def test_a_unit_that_asks_for_a_reboot_waits_for_it(self, fresh: Agent, option: str):
        probe = Probe(fresh, options=f"options: {{{option}: start}}")
        fresh.settle()
        assert fresh.unit("two/0")["juju-status"]["current"] == "rebooting"
        outcomes = fresh.outcomes("two/0", "start")
        assert outcomes == (["done"] if option == "reboot" else ["killed"])
        assert fresh.unit("one/0")["juju-status"]["current"] == "idle"
        fresh.stop()
        fresh.start(MACHINE_BOOT_ID="another")
        fresh.settle()
        assert fresh.unit("two/0")["juju-status"]["current"] == "idle"
        assert fresh.outcomes("two/0", "start")[-1] == "done"
        assert probe.names("two/0").count("start") >= 2


class TestHangs:
    def test_a_hook_that_hangs_can_be_skipped(self, fresh: Agent):
        probe = Probe(fresh, options="options: {hang: start}")
        until(lambda: fresh.outcomes("two/0", "start") or None, "start runs")
        until(lambda: "start" in probe.names("two/0") or None, "start hangs")
        fresh.client.resolved("two/0", retry=False)
        fresh.settle()
        assert fresh.outcomes("two/0", "start") == ["killed"]
        assert "wanted-relation-joined" in probe.names("two/0")

    def test_a_time_limit_makes_it_fail(self, tmp_path: Path):
        agent = Agent(tmp_path, "--hook-timeout", "5")
        agent.start()
        try:
            Probe(agent, options="options: {hang: start}")
            agent.until_error("two/0")
            said = [line.message for line in agent.client.debug_log()]
            assert "start was killed: it ran for more than 5 s" in said
        finally:
            agent.close()


class TestSecurity:
    def test_a_follower_writes_no_application_databag(self, probe: Probe):
        relation = probe.relation()
        said = probe.call("one/1", "relation-set", "-r", relation, "--app", "k=v")
        assert said == (1, "ERROR cannot write relation settings\n")

    def test_a_unit_reads_no_databag_outside_its_relations(self, probe: Probe):
        said = probe.call("one/0", "relation-get", "-r", probe.relation(), "-", "three/0")
        assert said == (1, "ERROR permission denied\n")

    def test_the_token_of_a_hook_that_is_over_is_dead(self, probe: Probe):
        last = probe.events("one/0")[-1]
        env = {**last, "PATH": os.environ["PATH"]}
        asked = subprocess.run(
            [probe.agent.state / "tools/config-get"],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (asked.returncode, asked.stdout) == (1, "")
        assert asked.stderr == "ERROR no such hook context: the hook is over\n"

    def test_a_token_is_for_its_own_unit_whatever_else_is_claimed(self, probe: Probe):
        claim = f"JUJU_UNIT_NAME=one/0 relation-set -r {probe.relation()} --app k=v"
        done = probe.execute("one/1", f"env {claim}")
        assert done.results["return-code"] == 1
        assert done.results["stderr"] == "ERROR cannot write relation settings\n"

    def test_no_token_is_in_a_process_list(self, fresh: Agent):
        probe = Probe(fresh, options="options: {hang: start}")
        until(lambda: fresh.outcomes("two/0", "start") or None, "start runs")
        until(lambda: "start" in probe.names("two/0") or None, "start hangs")
        token = probe.events("two/0")[-1]["JUJU_CONTEXT_ID"]
        assert len(token) == 32
        lines = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
        assert not [line for line in lines if token.encode() in line]
        fresh.client.resolved("two/0", retry=False)

    @pytest.mark.skipif(os.geteuid() != 0, reason="another user can be had by root alone")
    def test_another_user_is_not_answered_even_where_the_socket_lets_it_in(self, probe: Probe):
        open_to_all = probe.agent.folder / "socket"
        tools = probe.agent.state / "tools.socket"
        assert open_to_all.stat().st_mode & 0o777 == tools.stat().st_mode & 0o777 == 0o600
        pid = os.fork()
        if not pid:
            code = 1
            try:
                code = answered_as_nobody(open_to_all)
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def answered_as_nobody(path: Path) -> int:
    """0 if the agent says nothing to another user who got hold of its socket's folder."""
    os.chdir(path.parent)
    for closed, mode in ((path, 0o666), (path.parent, 0o755)):
        closed.chmod(mode)
    os.setresuid(65534, 65534, 65534)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(path.name)
            connection.sendall(b'{"method": "status", "params": {}}\n')
            return 1 if connection.recv(1) else 0
    except (BrokenPipeError, ConnectionResetError):
        return 0


class TestLimits:
    def test_a_databag_of_a_mebibyte(self, probe: Probe):
        relation, value = probe.relation(), "x" * (1 << 20)
        probe(
            "one/0",
            "relation-set",
            "-r",
            relation,
            "--file",
            "-",
            stdin=json.dumps({"big": value}),
        )
        probe.agent.settle()
        (record,) = (r for r in probe.client.relations() if "two:wanted" in r.endpoints)
        assert record.databags["one/0"]["big"] == value
        command = f"relation-get -r {relation.partition(':')[2]} big one/0 | wc -c"
        done = probe.execute("two/0", command)
        assert done.results["stdout"] == f"{(1 << 20) + 1}\n"
        probe("one/0", "relation-set", "-r", relation, "--file", "-", stdin='{"big": ""}')

    def test_a_log_line_as_long_as_an_argument_can_be(self, probe: Probe):
        line = "y" * ((1 << 17) - 1)
        probe("one/0", "juju-log", "--", line)
        assert any(line in known.message for known in probe.client.debug_log())

    def test_parameters_of_an_action_of_a_mebibyte(self, probe: Probe):
        value = "z" * (1 << 20)
        done = probe.client.run("one/0", "tool", {"argv": ["is-leader"], "stdin": value}, PATIENCE)
        assert done.status == "completed"

    def test_names_at_their_limit(self, fresh: Agent):
        longest = "a" * 200
        fresh.deploy(f"applications: {{{longest}: {{charm: CHARMS/db, num_units: 1}}}}")
        fresh.settle()
        assert fresh.unit(f"{longest}/0")["juju-status"]["current"] == "idle"
        with pytest.raises(BundleError, match="201 characters: at most 200"):
            fresh.deploy(f"applications: {{{longest}a: {{charm: CHARMS/db, num_units: 1}}}}")


def test_actions_run_on_a_unit_whose_hook_failed(fresh: Agent):
    probe = Probe(fresh, options="options: {fail: start}")
    fresh.until_error("two/0")
    assert probe("two/0", "is-leader") == "True"
    with pytest.raises(TimeoutExpiredError):
        fresh.client.wait_idle(0.1)
    fresh.client.set_config("two", {"fail": ""})
    fresh.client.resolved("two/0")
    fresh.settle()
    assert fresh.outcomes("two/0", "start")[-1] == "done"


def test_what_a_failed_action_wrote_stays_as_long_as_its_charm_ended_well(probe: Probe):
    # HookContext.Flush in Juju's worker/uniter/runner/context: action-fail only marks the action.
    relation = probe.relation()
    argv = ["relation-set", "-r", relation, "tried=once"]
    done = probe.client.run("one/1", "tool", {"argv": argv, "fail": "no room"}, PATIENCE)
    assert (done.status, done.message) == ("failed", "no room")
    assert probe("one/1", "relation-get", "-r", relation, "tried", "one/1") == "once"


def test_new_resources_are_looked_at_in_upgrade_charm(fresh: Agent):
    probe = Probe(fresh)
    fresh.settle()
    (fresh.folder / "other").write_text("another seed")
    fresh.deploy(BUNDLE.replace("SEED", str(fresh.folder / "other")).replace("OPTIONS", ""))
    fresh.settle()
    assert Path(probe("one/0", "resource-get", "seed")).read_text() == "another seed"
    assert probe.names("one/0")[-2:] == ["upgrade-charm", "config-changed"]


def test_when_the_leader_goes_the_next_one_leads(fresh: Agent):
    probe = Probe(fresh)
    fresh.settle()
    assert "leader-elected" not in probe.names("one/1")
    fresh.client.remove_unit("one/0")
    fresh.settle()
    assert probe.names("one/1").count("leader-elected") == 1
    assert probe("one/1", "is-leader") == "True"
    probe("one/1", "relation-set", "-r", "offered:" + relation_number(probe), "--app", "k=v")


def relation_number(probe: Probe) -> str:
    (relation,) = probe.json("one/1", "relation-ids", "offered")
    return relation.partition(":")[2]
