"""The agent as a process, with real charms: deploy, run, fail, be killed, go on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from machine.client import BundleError, ChangeError, TimeoutExpiredError
from machine.model import EXEC
from tests.machine.agents import CHARMS, LIB, PATIENCE, Agent, running, until


@pytest.fixture(params=["fork", "exec"])
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    agent.start()
    yield agent
    agent.close()


@pytest.fixture
def either(tmp_path: Path, way: str) -> Iterator[Agent]:
    """An agent that runs hooks in forks, and one that runs them as programs."""
    agent = Agent(tmp_path, *(["--exec"] if way == "exec" else []))
    agent.start()
    yield agent
    agent.close()


TWO = """
    applications:
      db: {charm: CHARMS/db, num_units: 1}
      web: {charm: CHARMS/web, num_units: 1}
    relations: [[db, web]]
"""
ONE = "applications: {recorder: {charm: CHARMS/recorder, num_units: 1}}"


def test_two_charms_with_a_relation_and_a_secret(agent: Agent):
    assert agent.deploy(TWO)
    agent.settle()
    assert agent.message("web/0") == "hello user-1 p1"
    assert agent.deploy(TWO) == []
    result = agent.client.run("db/leader", "rotate", {"suffix": "x"}, PATIENCE)
    assert (result.status, result.results, result.log) == (
        "completed",
        {"count": "1"},
        ["rotated 1"],
    )
    agent.settle()
    assert agent.message("web/0") == "hello user-1 p1x"
    agent.client.set_config("web", {"greeting": "hi"})
    agent.settle()
    assert agent.message("web/0") == "hi user-1 p1x"


def test_what_an_action_logs_is_told_while_it_runs(agent: Agent):
    agent.deploy(ONE)
    agent.settle()

    class ToldError(Exception): ...

    def tell(line: str) -> None:
        raise ToldError(line)

    # The action never ends by itself.
    with pytest.raises(ToldError, match="showing"):
        agent.client.run("recorder/0", "show", {"outcome": "hang"}, PATIENCE, tell)


def test_forks_and_programs_give_the_same(tmp_path: Path):
    seen: list[Any] = []
    for way in ("fork", "exec"):
        (tmp_path / way).mkdir()
        agent = Agent(tmp_path / way, *(["--exec"] if way == "exec" else []))
        agent.start()
        try:
            agent.deploy(ONE)
            agent.settle()
            results = [
                agent.client.run("recorder/0", "show", {"outcome": outcome}, PATIENCE)
                for outcome in ("succeed", "fail", "crash")
            ]
            shown = [(r.status, r.message, r.log, r.results.get("stdout")) for r in results]
            assert results[0].results["cwd"] == str(agent.charm("recorder/0"))
            environment = set(json.loads(results[0].results["environment"])) - {"PYTHONPATH"}
            (relation,) = agent.client.relations()
            log = agent.client.debug_log(level="INFO")
            # A traceback shows the way by which the charm was reached.
            lines = [(line.level, line.module, line.message.splitlines()[0]) for line in log]
            seen.append((shown, environment - {"LC_CTYPE", "PWD"}, relation, lines))
        finally:
            agent.close()
    assert seen[0] == seen[1]
    assert seen[0][0] == [
        ("completed", "", ["showing"], "to stdout\n"),
        ("failed", "as asked", ["showing"], "to stdout\n"),
        ("failed", "exit status 1", ["showing"], "to stdout\n"),
    ]
    assert not {"HOME", "USER"} & seen[0][1]


def test_a_wrong_bundle_changes_nothing(agent: Agent):
    with pytest.raises(BundleError, match='does not define relation "nothing"'):
        agent.deploy(TWO.replace("[db, web]", "['db:nothing', web]"))
    assert agent.client.status()["applications"] == {}


def test_options_are_checked(agent: Agent):
    agent.deploy(TWO)
    with pytest.raises(ChangeError, match='unknown option "colour"'):
        agent.client.set_config("web", {"colour": "red"})
    with pytest.raises(ChangeError, match="not found"):
        agent.client.run("web/7", "x", {}, PATIENCE)


def broken(folder: Path, source: str) -> str:
    """Make a charm of this source; return a bundle with a unit of it."""
    (folder / "broken/src").mkdir(parents=True)
    (folder / "broken/charmcraft.yaml").write_text("name: broken\nsummary: none\n")
    (folder / "broken/src/charm.py").write_text(source)
    return f"applications: {{broken: {{charm: {folder}/broken, num_units: 1}}}}"


class TestFailure:
    @pytest.mark.parametrize("source", ["import os; os._exit(3)", "import nowhere", "1 +"])
    def test_a_charm_that_cannot_be_loaded_fails_its_hook(
        self, either: Agent, tmp_path: Path, source: str
    ):
        either.deploy(broken(tmp_path, source))
        either.until_error("broken/0")
        assert either.message("broken/0") == 'hook failed: "install"'

    def test_a_failed_hook_has_written_nothing_and_shows_in_the_status(self, agent: Agent):
        agent.deploy(ONE.replace("1}", "1, options: {fail: start}}"))
        agent.until_error("recorder/0")
        assert agent.message("recorder/0") == 'hook failed: "start"'
        (relation,) = agent.client.relations()
        assert "start" not in json.loads(relation.databags["recorder/0"]["done"])
        agent.client.run("recorder/0", "show", {}, PATIENCE)
        agent.client.set_config("recorder", {}, ["fail"])
        agent.client.resolved("recorder/0")
        agent.settle()
        assert agent.outcomes("recorder/0", "start")[-1] == "done"
        (relation,) = agent.client.relations()
        assert json.loads(relation.databags["recorder/0"]["done"]).count("start") == 1

    def test_a_failed_hook_can_be_counted_as_run(self, agent: Agent):
        agent.deploy(ONE.replace("1}", "1, options: {fail: start}}"))
        agent.until_error("recorder/0")
        agent.client.resolved("recorder/0", retry=False)
        agent.settle()
        assert set(agent.outcomes("recorder/0", "start")) == {"failed"}

    def test_a_charm_that_cannot_be_loaded_says_why_and_is_loaded_anew(
        self, agent: Agent, tmp_path: Path
    ):
        charm = tmp_path / "broken"
        (charm / "src").mkdir(parents=True)
        (charm / "charmcraft.yaml").write_text("{name: broken, summary: s, description: d}")
        (charm / "src/charm.py").write_text("import nowhere\n")
        agent.deploy(f"applications: {{broken: {{charm: {charm}, num_units: 1}}}}")
        agent.until_error("broken/0")
        said = [line.message for line in agent.client.debug_log()]
        assert any("No module named 'nowhere'" in message for message in said)
        (charm / "src/charm.py").write_text("import ops\nops.main(ops.CharmBase)\n")
        agent.client.resolved("broken/0")
        agent.settle()


class TestCancel:
    """An action that runs is aborted: its processes get SIGTERM, those that stay SIGKILL."""

    def begin(self, agent: Agent, command: str) -> str:
        """Have a command run that makes `begun`; return the number of its task."""
        agent.deploy("applications: {recorder: {charm: CHARMS/recorder, num_units: 1}}")
        agent.settle()
        begun = agent.folder / "begun"
        params = {"command": f"{command}\necho $$ > {begun}.new; mv {begun}.new {begun}; wait"}
        (task,) = agent.client.enqueue(["recorder/0"], EXEC, params).tasks.values()
        until(lambda: begun.exists() or None, "the command runs")
        return task

    def test_it_ends_with_its_children(self, agent: Agent):
        child = agent.folder / "child"
        task = self.begin(agent, f"sleep 1000 & echo $! > {child}")
        assert agent.client.cancel_task(task)["status"] == "aborting"
        result = agent.client.ended(task, PATIENCE)
        assert (result.status, result.message) == ("aborted", "action terminated")
        for file in (agent.folder / "begun", child):
            pid = int(file.read_text())
            until(lambda pid=pid: not running(pid) or None, "the process has ended")
        agent.settle()
        assert agent.unit("recorder/0")["juju-status"]["current"] == "idle"

    def test_it_may_end_in_its_own_way(self, agent: Agent):
        task = self.begin(agent, "trap 'echo cleaned; exit 3' TERM; sleep 1000 &")
        agent.client.cancel_task(task)
        result = agent.client.ended(task, PATIENCE)
        assert (result.status, result.results["stdout"]) == ("aborted", "cleaned\n")

    def test_what_does_not_end_is_killed(self, agent: Agent):
        task = self.begin(agent, "trap '' TERM; sleep 1000 &")
        agent.client.cancel_task(task)
        assert agent.client.cancel_task(task)["status"] == "aborting"
        assert agent.client.ended(task, PATIENCE).status == "aborted"
        pid = int((agent.folder / "begun").read_text())
        until(lambda: not running(pid) or None, "the command is dead")

    def test_one_that_waits_does_not_run(self, agent: Agent):
        task = self.begin(agent, "sleep 1000 &")
        (other,) = agent.client.enqueue(["recorder/0"], "show", {}).tasks.values()
        cancelled = agent.client.cancel_task(other)
        assert (cancelled["status"], cancelled["started"]) == ("cancelled", None)
        agent.client.cancel_task(task)
        assert agent.client.ended(task, PATIENCE).status == "aborted"
        assert agent.client.cancel_task(other) == cancelled

    def test_one_that_has_ended_stays_as_it_is(self, agent: Agent):
        agent.deploy("applications: {recorder: {charm: CHARMS/recorder, num_units: 1}}")
        task = agent.client.run("recorder/0", "show", {}, PATIENCE).id
        assert agent.client.cancel_task(task)["status"] == "completed"

    def test_killed_meanwhile_the_agent_counts_it_as_aborted(self, agent: Agent):
        task = self.begin(agent, "trap '' TERM; sleep 1000 &")
        agent.client.cancel_task(task)
        agent.stop(signal.SIGKILL)
        agent.start()
        assert agent.client.ended(task, PATIENCE).status == "aborted"

    def test_ctrl_c_before_its_number_is_known_ends_it_all_the_same(
        self, agent: Agent, monkeypatch: pytest.MonkeyPatch
    ):
        agent.deploy("applications: {recorder: {charm: CHARMS/recorder, num_units: 1}}")
        agent.settle()
        enqueue, queued = agent.client.enqueue, list[str]()

        def interrupted(*arguments: Any) -> Any:
            answer = enqueue(*arguments)
            queued.extend(answer.tasks.values())
            os.kill(os.getpid(), signal.SIGINT)
            return answer

        monkeypatch.setattr(agent.client, "enqueue", interrupted)
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            agent.client.run("recorder/0", "show", {"outcome": "hang"}, PATIENCE, with_us=True)
        assert signal.getsignal(signal.SIGINT) is before
        assert agent.client.ended(queued[0], PATIENCE).status in ("cancelled", "aborted")

    def test_a_second_ctrl_c_does_not_wait_for_an_agent_that_hangs(
        self, agent: Agent, monkeypatch: pytest.MonkeyPatch
    ):
        def hangs(*_: Any) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("it was not interrupted")

        monkeypatch.setattr(agent.client, "enqueue", hangs)
        with pytest.raises(KeyboardInterrupt):
            agent.client.run("recorder/0", "show", {}, PATIENCE, with_us=True)

    @pytest.mark.parametrize("with_us", [True, False])
    def test_it_ends_with_who_waits_only_where_that_is_wanted(self, agent: Agent, with_us: bool):
        agent.deploy("applications: {recorder: {charm: CHARMS/recorder, num_units: 1}}")
        agent.settle()

        def interrupt(line: str) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            agent.client.run(
                "recorder/0", "show", {"outcome": "hang"}, PATIENCE, interrupt, with_us=with_us
            )
        (action,) = agent.client.juju_actions().values()
        assert action["status"] == ("aborted" if with_us else "running")


class TestCrash:
    def begin_waiting(self, agent: Agent) -> tuple[Path, list[int]]:
        """Have config-changed run and wait, with a child, for a file that is not there."""
        agent.deploy(ONE)
        agent.settle()
        awaited = agent.folder / "awaited"
        agent.client.set_config("recorder", {"wait-for": str(awaited)})
        pids = agent.charm("recorder/0") / "pids"
        text = until(lambda: (pids.exists() and pids.read_text()) or None, "the hook waits")
        return awaited, [int(pid) for pid in text.split()]

    def goes_on(self, agent: Agent, awaited: Path) -> None:
        agent.start()
        awaited.touch()
        agent.settle()
        outcomes = agent.outcomes("recorder/0", "config-changed")
        assert outcomes[0] == outcomes[-1] == "done"
        assert set(outcomes[1:-1]) == {"killed"}
        (relation,) = agent.client.relations()
        done = json.loads(relation.databags["recorder/0"]["done"])
        assert done.count("config-changed") == 2
        assert agent.unit("recorder/0")["juju-status"]["current"] == "idle"

    def test_killed_in_a_hook_the_agent_resumes_at_it_and_nothing_was_half_written(
        self, either: Agent
    ):
        awaited, pids = self.begin_waiting(either)
        either.stop(signal.SIGKILL)
        until(lambda: not any(map(running, pids)) or None, "the hook and its child are dead")
        self.goes_on(either, awaited)

    def test_asked_to_stop_the_agent_kills_its_hooks_and_they_stay_due(self, either: Agent):
        awaited, pids = self.begin_waiting(either)
        assert either.stop() == 0
        assert not any(map(running, pids))
        self.goes_on(either, awaited)

    def test_a_killed_fork_server_is_no_failure_of_the_charm(self, agent: Agent):
        awaited, (hook, _) = self.begin_waiting(agent)
        status = Path(f"/proc/{hook}/status").read_text()
        parent = next(line.split()[1] for line in status.splitlines() if "PPid" in line)
        (agent.charm("recorder/0") / "pids").unlink()
        os.kill(int(parent), signal.SIGKILL)
        until(lambda: not running(hook) or None, "the hook is dead")
        awaited.touch()
        agent.settle()
        assert agent.outcomes("recorder/0", "config-changed") == ["done", "killed", "done"]

    def test_a_killed_process_that_waits_for_its_hook_is_made_up_for(self, agent: Agent):
        awaited, (hook, _) = self.begin_waiting(agent)
        server = psutil.Process(hook).parent()
        assert server is not None
        spare = until(lambda: only_child(server, hook), "the server has forked ahead")
        spare.kill()
        until(lambda: not running(spare.pid) or None, "the spare process is dead")
        awaited.touch()
        agent.settle()
        agent.client.set_config("recorder", {"wait-for": ""})
        agent.settle()
        assert agent.outcomes("recorder/0", "config-changed") == ["done"] * 3

    def test_an_action_that_ran_has_failed_and_is_not_run_again(self, agent: Agent):
        agent.deploy(ONE)
        agent.settle()
        params = {"outcome": "hang"}
        (task,) = agent.client.enqueue(["recorder/0"], "show", params).tasks.values()
        until(lambda: agent.client.juju_actions()[task]["log"] or None, "the action runs")
        with pytest.raises(TimeoutExpiredError):
            agent.client.ended(task, timeout=0.01)
        agent.stop(signal.SIGKILL)
        agent.start()
        agent.settle()
        assert agent.outcomes("recorder/0", "action show") == ["killed"]

    def test_after_a_boot_of_the_host_start_runs_again(self, agent: Agent):
        agent.deploy(ONE)
        agent.settle()
        agent.stop()
        store = sqlite3.connect(agent.state / "store.db")
        with store:
            changed = "UPDATE thing SET body = json_set(body, '$.boot', 'x') WHERE kind = 'model'"
            store.execute(changed)
        store.close()
        agent.start()
        agent.settle()
        assert agent.outcomes("recorder/0", "start") == ["done", "done"]

    def test_killed_again_and_again_it_comes_to_the_same_end(self, agent: Agent):
        agent.deploy(TWO)
        for number in range(8):
            with contextlib.suppress(TimeoutExpiredError):
                agent.client.wait_idle(0.02 * number)
            agent.stop(signal.SIGKILL)
            agent.start()
        agent.settle()
        assert agent.message("web/0") == "hello user-1 p1"
        assert agent.deploy(TWO) == []

    def test_there_is_one_agent_for_a_state(self, agent: Agent, capfd: pytest.CaptureFixture[str]):
        second = subprocess.run(
            [sys.executable, "-m", "machine", "agent", "--state", str(agent.state),
             "--socket", str(agent.folder / "other")],
            env={"PYTHONPATH": str(LIB), "PATH": os.environ["PATH"]},
            check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert second.returncode == 1
        assert "another agent" in capfd.readouterr().err


def only_child(process: psutil.Process, other: int) -> psutil.Process | None:
    """The one process that lives beside the other; None if there is none, or several."""
    children = [c for c in process.children() if c.pid != other and running(c.pid)]
    return children[0] if len(children) == 1 else None


def test_units_and_relations_come_and_go(agent: Agent):
    agent.deploy(TWO)
    agent.client.add_unit("web", 2)
    agent.settle()
    assert agent.message("web/2") == "hello user-1 p1"
    agent.client.remove_unit("web/0")
    agent.settle()
    assert set(agent.client.status()["applications"]["web"]["units"]) == {"web/1", "web/2"}
    assert agent.unit("web/1")["leader"]
    agent.client.remove_relation("db", "web")
    agent.settle()
    assert agent.message("web/1") == "relation database missing"


def test_a_second_life_begins_afresh(agent: Agent):
    agent.deploy(ONE)
    agent.settle()
    first = (agent.charm("recorder/0") / "hooks").read_text()
    agent.client.remove_application("recorder")
    agent.settle()
    assert not agent.charm("recorder/0").exists()
    agent.deploy(ONE)
    agent.settle()
    assert (agent.charm("recorder/0") / "hooks").read_text() == first


def test_a_new_version_of_a_charm_is_taken_up(agent: Agent, tmp_path: Path):
    charm = tmp_path / "web"
    shutil.copytree(CHARMS / "web", charm)
    bundle = f"applications: {{web: {{charm: {charm}, num_units: 1}}}}"
    agent.deploy(bundle)
    agent.settle()
    code = (charm / "src/charm.py").read_text()
    (charm / "src/charm.py").write_text(code.replace("database missing", "database is missing"))
    assert agent.deploy(bundle) == [f"upgrade web from {charm}"]
    agent.settle()
    assert agent.outcomes("web/0", "upgrade-charm") == ["done"]
    assert agent.message("web/0") == "relation database is missing"


def test_a_hooks_tools_reach_its_own_unit_only(agent: Agent):
    """Without the token of a running hook the tools' socket answers nothing."""
    agent.deploy(ONE)
    agent.settle()
    env = {
        "JUJU_AGENT_SOCKET_ADDRESS": str(agent.state / "tools.socket"),
        "JUJU_CONTEXT_ID": "0" * 32,
        "JUJU_UNIT_NAME": "recorder/0",
        "PATH": os.environ["PATH"],
    }
    asked = subprocess.run(
        [agent.state / "tools/config-get"], env=env, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 1
    assert asked.stderr == "ERROR no such hook context: the hook is over\n"


def test_sockets_and_store_are_for_the_owner_alone(agent: Agent):
    for path in (agent.folder / "socket", agent.state / "tools.socket", agent.state / "store.db"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_watch_shows_each_change(agent: Agent):
    states = agent.client.watch()
    assert next(states)["applications"] == {}
    agent.deploy(TWO)
    for state in states:
        units = state["applications"]["web"]["units"].values()
        if [u["workload-status"]["current"] for u in units] == ["active"]:
            break
    agent.client.remove_application("web")
    for state in states:
        if "web" not in state["applications"]:
            break
    agent.settle()
    assert [r.endpoints for r in agent.client.relations()] == [("db:db-peers",)]
