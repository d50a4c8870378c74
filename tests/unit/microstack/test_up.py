from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.client import AgentUnreachableError
from microstack import up
from microstack.cli import run
from microstack.errors import Failure
from microstack.progress import Log

from .conftest import FIT, FakeInstallation, FakeMachine, application, document, unit

LOOKS = ("executing", "running update-status hook")


def log() -> tuple[Log, io.StringIO]:
    stream = io.StringIO()
    return Log(stream, lambda: 0.0), stream


def watch(machine: FakeMachine, timeout: float = 60, clock: Any = lambda: 0.0) -> up.Watch:
    return up.Watch(lambda: machine, log()[0], timeout, clock)


@pytest.fixture
def consuming(tmp_path: Path) -> Path:
    """An overlay with an application that another model offers."""
    overlay = tmp_path / "saas.yaml"
    overlay.write_text("saas:\n  logs: {url: far.logs}\n")
    return overlay


class TestUp:
    def test_goes_through_its_steps_and_ends_with_what_to_do_next(
        self, installation: FakeInstallation, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["up"]) == 0
        assert installation.done == ["prepare", "start", "cloud None"]
        assert capsys.readouterr().out.endswith("next: ./microstack launch t1 --wait\n")

    def test_what_the_host_lacks_is_told_in_a_line_and_the_rest_comes_up(
        self,
        installation: FakeInstallation,
        machine: FakeMachine,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        lvm = application("cinder-lvm", "blocked", "host: no kernel module dm_mod")
        machine.statuses = [document(nova=application("nova"), cinder_lvm=lvm)]
        assert run(["up"]) == 0
        assert installation.done == ["prepare", "start", "cloud None"]
        lines = capsys.readouterr().out.splitlines()
        assert lines.count("cinder-lvm is off: no kernel module dm_mod") == 1

    def test_hands_bundle_overlays_and_image_on(
        self, installation: FakeInstallation, machine: FakeMachine, tmp_path: Path
    ) -> None:
        overlay = tmp_path / "small.yaml"
        overlay.write_text("applications: {horizon: null}\n")
        bundle = installation.bundle
        arguments = ["--bundle", str(bundle), "--overlay", str(overlay), "--image", "x.img"]
        assert run(["up", *arguments]) == 0
        assert machine.told == [("deploy", bundle, (overlay.read_text(),)), ("update_status",)]
        assert "cloud x.img" in installation.done

    def test_a_host_that_is_not_fit_is_told_everything_and_not_touched(
        self, installation: FakeInstallation, capsys: pytest.CaptureFixture[str], unfit: Any
    ) -> None:
        installation.facts.append(replace(unfit, disk_free={Path("/var/lib"): 0}))
        assert run(["up"]) == 3
        errors = capsys.readouterr().err
        assert "error: 5 GiB available memory is needed, there is 1.0" in errors
        assert "error: 4 GiB free disk is needed in /var/lib, there is 0.0" in errors
        assert installation.done == []

    def test_a_wrong_bundle_is_refused_before_anything_is_installed(
        self,
        installation: FakeInstallation,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        overlay = tmp_path / "wrong.yaml"
        overlay.write_text("applications:\n  nova:\n    options:\n      prt: 1\n")
        assert run(["up", "--overlay", str(overlay)]) == 1
        assert f'{overlay}:4: nova: unknown option "prt"' in capsys.readouterr().err
        assert installation.done == []

    def test_the_agent_says_whether_other_models_offer_what_a_bundle_names(
        self, installation: FakeInstallation, machine: FakeMachine, consuming: Path
    ) -> None:
        installation.layout.machine_state.mkdir(parents=True)
        assert run(["up", "--overlay", str(consuming)]) == 0
        asked, deployed, _ = machine.told
        assert asked == ("verify", installation.bundle, (consuming.read_text(),))
        assert deployed == ("deploy", *asked[1:])

    def test_an_offer_that_the_agent_does_not_find_is_refused_before_anything_is_installed(
        self,
        installation: FakeInstallation,
        machine: FakeMachine,
        consuming: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        installation.layout.machine_state.mkdir(parents=True)
        machine.wrong = ['x.yaml:2: logs: application offer "far.logs" not found']
        assert run(["up", "--overlay", str(consuming)]) == 1
        assert capsys.readouterr().err.splitlines() == [
            'error: x.yaml:2: logs: application offer "far.logs" not found',
            "hint: nothing was changed",
        ]
        assert installation.done == []

    def test_offers_are_looked_up_by_the_agent_once_it_runs_where_it_is_down(
        self,
        installation: FakeInstallation,
        machine: FakeMachine,
        consuming: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def gone(_: FakeMachine) -> dict[str, Any]:
            raise AgentUnreachableError("no agent answers")

        installation.layout.machine_state.mkdir(parents=True)
        with monkeypatch.context() as patch:
            patch.setattr(FakeMachine, "status", gone)
            assert run(["up", "--overlay", str(consuming)]) == 0
        assert [what for what, *_ in machine.told] == ["deploy", "update_status"]

    def test_where_nothing_was_ever_brought_up_nothing_is_offered(
        self,
        installation: FakeInstallation,
        consuming: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert run(["up", "--overlay", str(consuming)]) == 1
        assert capsys.readouterr().err.splitlines() == [
            f'error: {consuming}:2: logs: application offer "far.logs" not found',
            "hint: nothing was changed",
            "hint: only models of this host offer something: bring the cloud up without saas, "
            "add the model that offers it, then run up again with saas",
        ]
        assert installation.done == []

    def test_what_only_sounds_like_an_offer_gets_no_hint_of_offers(
        self,
        installation: FakeInstallation,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        overlay = tmp_path / "wrong.yaml"
        overlay.write_text("applications:\n  nova: {charm: ./application offer}\n")
        assert run(["up", "--overlay", str(overlay)]) == 1
        assert capsys.readouterr().err.splitlines() == [
            f"error: {overlay}:2: nova: charm path does not exist: ./application offer",
            "hint: nothing was changed",
        ]

    def test_a_bundle_that_is_not_there_is_wrong_usage(
        self, installation: FakeInstallation, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["up", "--bundle", "absent.yaml"]) == 2
        assert "error: absent.yaml: no such file" in capsys.readouterr().err

    def test_an_interrupt_says_how_to_go_on(
        self,
        installation: FakeInstallation,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(FakeInstallation, "start", interrupt)
        assert run(["up", "--image", "my image.qcow2"]) == 130
        hint = capsys.readouterr().err.splitlines()[1]
        assert hint.startswith("hint: resume with ./microstack up --image 'my image.qcow2'")

    def test_moves_the_provider_network_off_a_taken_subnet(
        self, installation: FakeInstallation, machine: FakeMachine
    ) -> None:
        from ipaddress import IPv4Network

        from microstack.host import Subnet

        taken = Subnet(IPv4Network("10.20.0.0/16"), "eth1")
        installation.facts.append(replace(FIT, subnets=(taken,)))
        assert run(["up"]) == 0
        [(_, _, (overlay,)), _] = machine.told
        assert 'external-bridge-address: "10.21.0.1/24"' in overlay

    def test_an_agent_that_is_down_is_started_not_asked(
        self, installation: FakeInstallation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def gone(_: FakeMachine) -> dict[str, Any]:
            raise AgentUnreachableError("no agent answers")

        with monkeypatch.context() as patch:
            patch.setattr(FakeMachine, "status", gone)
            assert run(["up"]) == 0
        assert "start" in installation.done

    def test_counts_the_changes_of_a_first_deployment(self) -> None:
        changes = [f"deploy application a{n} from /x" for n in range(9)]
        changes += [f"add relation a{n}:x - b:y" for n in range(9)]
        assert up.summary([*changes, "warning: odd"]) == [
            "deployed: 9 applications, 9 relations",
            "warning: odd",
        ]
        assert up.summary(changes[:2]) == changes[:2]


class TestWatch:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(up, "PULSE", 0.01)

    def test_returns_once_all_applications_are_active(self) -> None:
        waiting = document(nova=application("nova", "waiting", "no database"))
        done = document(nova=application("nova"))
        [nova] = watch(FakeMachine([waiting, done])).until_settled()
        assert nova.active

    def test_names_what_is_not_active_when_time_is_up(self) -> None:
        statuses = [
            document(
                nova=application("nova", "waiting", "no database", agent="executing"),
                keystone=application("keystone"),
            )
        ]
        seconds = itertools.count()
        with pytest.raises(Failure) as failure:
            watch(FakeMachine(statuses), 2, lambda: next(seconds)).until_settled()
        assert failure.value.message == (
            "1 of 2 applications are not active after 2 s: nova (waiting: no database)"
        )
        assert failure.value.hint
        assert "debug-log --app nova" in failure.value.hint

    def test_does_not_wait_for_what_only_the_user_can_unblock(self) -> None:
        statuses = [document(nova=application("nova", "blocked", "relation database missing"))]
        seconds = itertools.count(step=6)
        with pytest.raises(Failure, match="nothing is running that would change it"):
            watch(FakeMachine(statuses), 1000, lambda: next(seconds)).until_settled()

    def test_has_units_look_again_before_it_gives_up(self) -> None:
        """A service may have begun to answer after its hook had lost patience."""
        looked = threading.Event()
        seconds = itertools.count(step=6)

        class Late(FakeMachine):
            def update_status(self) -> None:
                super().update_status()
                looked.set()

            def watch(self) -> Iterator[dict[str, Any]]:
                yield document(nova=application("nova", "blocked", "it does not answer"))
                assert looked.wait(10)
                yield document(nova=application("nova"))

        machine = Late()
        passed = lambda: 100.0 if looked.is_set() else float(next(seconds))  # noqa: E731
        [nova] = up.Watch(lambda: machine, log()[0], 1e9, passed).until_settled()
        assert nova.active
        assert machine.told.count(("update_status",)) == 1

    def test_a_look_at_the_status_that_changes_nothing_renews_no_patience(self) -> None:
        looked = threading.Event()
        seconds = itertools.count(step=6)

        class Looking(FakeMachine):
            def update_status(self) -> None:
                looked.set()

            def watch(self) -> Iterator[dict[str, Any]]:
                waiting = application("nova", "waiting", "for cinder")
                looks = {**waiting, "units": {"nova/0": unit("waiting", "for cinder", *LOOKS)}}
                for nova in (waiting, *[looks, waiting] * 20):
                    yield document(nova=nova)
                assert looked.wait(10)
                yield document(nova=application("nova"))

        up.Watch(lambda: Looking(), log()[0], 1e9, lambda: float(next(seconds))).until_settled()
        assert next(seconds) < 2 * 20 * 6 + up.QUIET

    def test_an_application_whose_host_lacks_something_holds_nothing_up(self) -> None:
        blocked = application("cinder-lvm", "blocked", "host: no kernel module target_core_mod")
        [lvm] = watch(FakeMachine([document(cinder_lvm=blocked)])).until_settled()
        assert lvm.host_lacks == "no kernel module target_core_mod"

    def test_tells_of_a_failed_hook_once_with_where_to_look(self) -> None:
        failed = document(nova=application("nova", "error", 'hook failed: "install"'))
        shown, stream = log()
        statuses = [failed, failed, document(nova=application("nova"))]
        up.Watch(lambda: FakeMachine(statuses), shown, 60, lambda: 0.0).until_settled()
        notes = [line for line in stream.getvalue().splitlines() if "debug-log" in line]
        assert notes == [
            '[   0.0 s] nova/0: hook failed: "install" (see: ./microstack debug-log --app nova)'
        ]

    def test_goes_on_with_an_agent_that_was_killed_and_is_back(self) -> None:
        agents = itertools.chain(
            [FakeMachine([document(nova=application("nova", "waiting")), ConnectionError()])],
            itertools.repeat(FakeMachine()),
        )
        watching = up.Watch(lambda: next(agents), log()[0], 60, lambda: 0.0)
        assert [app.name for app in watching.until_settled()] == ["nova"]

    def test_gives_up_an_agent_that_stays_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Gone(FakeMachine):
            def status(self) -> dict[str, Any]:
                raise AgentUnreachableError("no agent answers")

        monkeypatch.setattr(up, "RECONNECT", 0.0)
        gone = Gone([AgentUnreachableError("it went away")])
        with pytest.raises(Failure, match="the machine agent does not answer: it went away"):
            watch(gone).until_settled()
