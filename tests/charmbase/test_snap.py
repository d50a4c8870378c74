"""The snap port, against a server that speaks snapd's REST API on a UNIX socket."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from charmbase import snap
from workload.config.glance import GlanceConfig
from workload.config.marks import mark
from workload.config.shared import Database


class Snapd(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Keeps snap config; notes what was put."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.config: dict[str, Any] = {}
        self.puts: list[dict[str, Any]] = []
        self.error: str | None = None
        self.apps: list[dict[str, Any]] = []

    def put(self, document: dict[str, Any]) -> None:
        self.puts.append(document)
        if self.error:
            return
        for key, value in document.items():
            *parents, last = key.split(".")
            at = self.config
            for parent in parents:
                at = at.setdefault(parent, {})
            if value is None:
                at.pop(last, None)
            else:
                at[last] = value


class Handler(BaseHTTPRequestHandler):
    server: Snapd

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path.startswith("/v2/changes/"):
            error = self.server.error
            result = {"status": "Error", "err": error} if error else {"status": "Done"}
            self.reply({"type": "sync", "result": result})
        elif path == "/v2/apps":
            self.reply({"type": "sync", "result": self.server.apps})
        elif path.endswith("/conf"):
            component = query.removeprefix("keys=")
            if component not in self.server.config:
                missing = {"kind": "option-not-found", "message": "no such option", "value": {}}
                self.reply({"type": "error", "status-code": 400, "result": missing}, 400)
            else:
                result = {component: self.server.config[component]}
                self.reply({"type": "sync", "result": result})
        else:
            info = {"name": "microstack", "version": "2026.2", "revision": "x1", "channel": ""}
            info |= {"tracking-channel": "", "confinement": "strict", "devmode": False}
            self.reply({"type": "sync", "result": info})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.put(json.loads(body))
        self.reply({"type": "async", "change": "1", "status-code": 202, "result": None}, 202)

    def reply(self, document: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


@pytest.fixture
def snapd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Snapd]:
    path = str(tmp_path / "snapd.socket")
    monkeypatch.setenv("SNAPD_SOCKET", path)
    with Snapd(path) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def config(**database: Any) -> GlanceConfig:
    return GlanceConfig(database=Database(**database))


def test_the_first_write_holds_everything_that_is_set(snapd: Snapd) -> None:
    changed = snap.configure("glance", config(host="db", password="hunter2"))
    assert snapd.config["glance"] == {
        "debug": False,
        "bind-address": "127.0.0.1",
        "port": 9292,
        "database": {"host": "db", "port": 3306, "password": "hunter2"},
    }
    assert "database.password" in changed


def test_later_writes_hold_only_the_difference(snapd: Snapd) -> None:
    snap.configure("glance", config(host="db", password="hunter2"))
    assert snap.configure("glance", config(host="db", password="other")) == {"database.password"}
    assert snapd.puts[-1] == {"glance.database.password": "other"}


def test_nothing_is_written_where_nothing_differs(snapd: Snapd) -> None:
    snap.configure("glance", config(host="db"))
    assert snap.configure("glance", config(host="db")) == frozenset()
    assert len(snapd.puts) == 1


def test_a_secret_that_snapd_has_the_mark_of_does_not_differ(snapd: Snapd) -> None:
    snap.configure("glance", config(host="db", password="hunter2"))
    snapd.config["glance"]["database"]["password"] = mark("hunter2")
    assert snap.configure("glance", config(host="db", password="hunter2")) == frozenset()
    assert snap.configure("glance", config(host="db", password="other")) == {"database.password"}


def test_what_has_no_value_any_more_is_unset(snapd: Snapd) -> None:
    snap.configure("glance", config(host="db", password="hunter2"))
    snap.configure("glance", config())
    assert snapd.puts[-1] == {"glance.database.host": None, "glance.database.password": None}


def test_a_refusal_comes_with_the_snaps_reason(snapd: Snapd) -> None:
    snapd.error = "glance.port: a whole number from 1 to 65535 is expected"
    with pytest.raises(snap.ConfigRefused, match=r"glance\.port: a whole number"):
        snap.configure("glance", config())


def test_clearing_unsets_the_section(snapd: Snapd) -> None:
    snap.clear("glance")
    assert snapd.puts == []
    snap.configure("glance", config())
    snap.clear("glance")
    assert "glance" not in snapd.config


def test_says_which_services_do_not_run(snapd: Snapd) -> None:
    snapd.apps = [
        {"snap": "microstack", "name": "ovn-northd", "active": True},
        {"snap": "microstack", "name": "ovn-ovsdb"},
    ]
    assert snap.inactive(("ovn-ovsdb", "ovn-northd")) == ["ovn-ovsdb"]


def test_logs_keys_and_never_values(snapd: Snapd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    snap.configure("glance", config(host="db", password="hunter2"))
    assert "database.password" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], list[str]]:
    """Install an archive with this content; returns what the command `snap` was told."""
    (tmp_path / "snap").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n')
    (tmp_path / "snap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SNAP_COMMON", str(tmp_path))
    monkeypatch.setattr(snap, "_SNAP", tmp_path)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/snap.yaml").write_text(
        "apps: {nova: {plugs: [network, kvm]}}\nhooks: {remove: {plugs: [network]}}\n"
    )

    def install(content: bytes) -> list[str]:
        (tmp_path / "calls").write_text("")
        (tmp_path / "x.snap").write_bytes(content)
        snap.install("edge", tmp_path / "x.snap")
        return (tmp_path / "calls").read_text().splitlines()

    return install


def test_an_attached_snap_is_installed_with_all_its_plugs(
    snapd: Snapd, installed: Callable[[bytes], list[str]], tmp_path: Path
) -> None:
    assert installed(b"1") == [
        f"install --dangerous {tmp_path}/x.snap",
        "connect microstack:kvm",
        "connect microstack:network",
    ]


def test_charms_that_have_the_same_snap_attached_install_it_once(
    snapd: Snapd, installed: Callable[[bytes], list[str]]
) -> None:
    installed(b"1")
    assert installed(b"1") == []
    assert installed(b"2")


def test_an_attached_snap_that_snapd_refuses_is_told(
    snapd: Snapd, installed: Callable[[bytes], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "snap").write_text("#!/bin/sh\necho not a squashfs >&2\nexit 1\n")
    with pytest.raises(snap.InstallFailed, match="snap install: not a squashfs"):
        installed(b"1")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SNAP_COMMON", str(tmp_path / "common"))
    script = tmp_path / "microstack.glance-db-sync"
    script.touch(mode=0o755)
    return script


def test_a_job_is_the_snaps_command_of_that_name(job: Path, tmp_path: Path) -> None:
    job.write_text(f"#!/bin/sh\ncat > {tmp_path}/input\n")
    snap.run_job("glance-db-sync", {"users": []})
    assert json.loads((tmp_path / "input").read_text()) == {"users": []}


def test_a_failed_job_tells_its_last_lines(job: Path) -> None:
    job.write_text("#!/bin/sh\nfor n in 1 2 3 4 5 6; do echo line $n >&2; done\nexit 3\n")
    with pytest.raises(snap.JobFailed) as caught:
        snap.run_job("glance-db-sync")
    assert str(caught.value) == (
        "microstack.glance-db-sync returned 3: line 2 | line 3 | line 4 | line 5 | line 6"
    )


def test_a_job_outlives_a_killed_hook_and_its_next_run_waits_for_it(
    job: Path, tmp_path: Path
) -> None:
    fifo, runs = tmp_path / "fifo", tmp_path / "runs"
    os.mkfifo(fifo)
    job.write_text(
        f"#!/bin/sh\necho begins >> {runs}\n"
        f"if [ -e {fifo} ]; then read line < {fifo}; rm {fifo}; fi\n"
        f"echo goes on\necho ends >> {runs}\n"
    )
    code = "from charmbase import snap; snap.run_job('glance-db-sync')"
    hook = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    with ThreadPoolExecutor(1) as threads:
        with fifo.open("w") as gate:  # opens once the job reads
            os.killpg(hook.pid, signal.SIGKILL)
            hook.wait()
            again = threads.submit(snap.run_job, "glance-db-sync")
            gate.write("go\n")
        again.result(30)
    assert runs.read_text().split() == ["begins", "ends"] * 2


def test_a_job_that_is_followed_tells_each_line_while_it_runs(job: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    job.write_text(
        f'#!/bin/sh\necho begins "$@"\nread line < {fifo}\necho $line\n'
        "echo '{\"passed\": 1}'\nexit 1\n"
    )
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if line.startswith("begins"):
            fifo.write_text("goes on\n")

    done = snap.follow_job("glance-db-sync", ["--list=a b"], tell)
    assert told == ["begins --list=a b", "goes on"]
    assert (done.code, done.document) == (1, {"passed": 1})


def test_a_job_that_is_followed_ends_with_who_follows_it(job: Path, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    job.write_text(
        f"#!/bin/sh\ntrap 'echo > {ended}; exit 0' TERM\necho begins\nwhile :; do :; done\n"
    )

    class CancelledError(Exception): ...

    def cancel(line: str) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        snap.follow_job("glance-db-sync", [], cancel)
    assert ended.exists()


def test_a_job_that_is_followed_ends_with_an_action_that_is_cancelled(
    job: Path, tmp_path: Path
) -> None:
    ended = tmp_path / "ended"
    job.write_text(
        f"#!/bin/sh\ntrap 'echo > {ended}; exit 0' TERM\necho begins\nwhile :; do :; done\n"
    )
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit):
        snap.follow_job("glance-db-sync", [], lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert ended.exists()
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("daemon", ["sleep 20", "timeout 20 yes"])
def test_a_job_that_is_followed_is_over_when_it_ends_whatever_it_leaves_running(
    job: Path, tmp_path: Path, daemon: str
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    job.write_text(
        f"#!/bin/sh\n[ -p {fifo} ] || exit 0\n"
        f"setsid sh -c 'echo $$ > {fifo}; exec {daemon}' &\n"
        f"read pid < {fifo}\necho daemon $pid\nexit 3\n"
    )
    daemons: list[int] = []

    def tell(line: str) -> None:
        if line.startswith("daemon"):
            daemons.append(int(line.split()[1]))

    begun = time.monotonic()
    try:
        assert snap.follow_job("glance-db-sync", [], tell).code == 3
        assert time.monotonic() - begun < 10
        fifo.unlink()
        assert snap.follow_job("glance-db-sync", [], tell).code == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(daemons[0], signal.SIGKILL)


def test_what_a_job_that_is_followed_wrote_is_told_though_it_has_ended(
    job: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    job.write_text(f"#!/bin/sh\necho $$\nread line < {fifo}\nseq 1000\nprintf 'no newline: ü'\n")
    told: list[str] = []

    def tell(line: str) -> None:
        if not told:
            fifo.write_text("go\n")
            os.waitid(os.P_PID, int(line), os.WEXITED | os.WNOWAIT)
        told.append(line)

    snap.follow_job("glance-db-sync", [], tell)
    assert told[1:] == [*map(str, range(1, 1001)), "no newline: ü"]


def test_of_a_job_that_is_followed_one_runs_at_a_time(job: Path) -> None:
    job.write_text("#!/bin/sh\necho begins\n")

    def again(line: str) -> None:
        with pytest.raises(snap.JobFailed, match="an earlier run of glance-db-sync has not ended"):
            snap.follow_job("glance-db-sync", [], lambda _: None)

    # Its end keeps the lock as long as it is followed.
    assert snap.follow_job("glance-db-sync", [], again).last == ["begins"]


def test_a_job_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(snap.JobFailed, match=r"microstack\.nothing is not installed"):
        snap.run_job("nothing")
