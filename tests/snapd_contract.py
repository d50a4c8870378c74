"""What charms ask of snapd: one suite, run against the embedded snapd and against a real one.

Whoever runs it gives the fixture `port`, which leads to a snapd with the snap `microstack`, whose
config is empty and whose service `memcached` can be started.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from charmlibs import snap as snapd
from charmlibs.snap import _client

from charmbase import snap
from workload.config.cinder import CinderConfig
from workload.config.memcached import MemcachedConfig

NAME = snap.NAME
ON = MemcachedConfig(enabled=True)


def lead_to(socket: Path, patch: pytest.MonkeyPatch) -> None:
    """Have charms, and the library below them, speak to this socket."""
    patch.setenv("SNAPD_SOCKET", str(socket))
    patch.setattr(_client, "_SOCKET_PATH", str(socket))


@pytest.mark.usefixtures("port")
class SnapdContract:
    """The contract; a subclass says with whom."""

    # -- config -------------------------------------------------------------------------------

    def test_what_was_set_is_read_back(self):
        snapd.set(NAME, {"memcached.memory": 16, "cinder": {"database": {"host": "db"}}})
        assert snapd.get(NAME, ["memcached", "cinder.database"]) == {
            "memcached": {"memory": 16},
            "cinder.database": {"host": "db"},
        }
        assert snapd.get_one(NAME, "memcached.memory") == 16

    def test_without_config_there_is_an_empty_document(self):
        assert snapd.get(NAME) == {}

    def test_an_option_without_value_is_not_found(self):
        for key in ("memcached", "memcached.port"):
            with pytest.raises(snapd.OptionNotFoundError):
                snapd.get(NAME, key)

    def test_what_is_unset_is_not_found_nor_is_what_it_leaves_empty(self):
        snapd.set(NAME, {"memcached.memory": 16, "memcached.port": 11212})
        snapd.set(NAME, {"memcached.port": None})
        assert snapd.get_one(NAME, "memcached") == {"memory": 16}
        snapd.unset(NAME, "memcached")
        with pytest.raises(snapd.OptionNotFoundError):
            snapd.get(NAME, "memcached")

    def test_a_mapping_replaces_what_was_there(self):
        snapd.set(NAME, {"memcached.memory": 16})
        snapd.set(NAME, {"memcached": {"port": 11212}})
        assert snapd.get_one(NAME, "memcached") == {"port": 11212}

    @pytest.mark.parametrize("key", ["memcached.Port", "memcached..port", "memcached.memory.size"])
    def test_a_key_that_cannot_be_is_refused(self, key: str):
        snapd.set(NAME, {"memcached.memory": 16})
        with pytest.raises(snapd.APIError, match=r"invalid option name|is not a map"):
            snapd.set(NAME, {key: 1})
        assert snapd.get_one(NAME, "memcached") == {"memory": 16}

    # -- the port -------------------------------------------------------------------------------

    def test_a_component_without_section_has_none(self):
        assert snap.current("memcached") == {}

    def test_each_component_sets_and_unsets_its_own_keys_alone(self):
        snap.configure("memcached", MemcachedConfig(memory=16))
        snap.configure("cinder", CinderConfig(debug=True))
        assert snap.configure("memcached", MemcachedConfig(memory=17)) == {"memory"}
        assert snap.current("cinder")["debug"] is True
        snap.clear("memcached")
        assert snap.current("memcached") == {}
        assert snap.current("cinder")["debug"] is True

    def test_what_is_set_already_is_not_written_again(self):
        assert snap.configure("memcached", ON)
        assert snap.configure("memcached", ON) == frozenset()

    def test_a_refused_value_is_told_with_key_and_reason_and_nothing_is_set(self):
        snap.configure("memcached", MemcachedConfig(memory=16))
        with pytest.raises(snapd.ChangeError, match=r"memcached\.memory: .*greater than"):
            snapd.set(NAME, {"memcached.memory": 1, "memcached.port": 11212})
        assert snap.current("memcached")["memory"] == 16
        assert snap.current("memcached")["port"] == 11211

    # -- services -------------------------------------------------------------------------------

    def test_a_service_runs_as_soon_as_its_config_is_complete_and_until_it_is_not(self):
        assert snap.inactive(("memcached",)) == ["memcached"]
        snap.configure("memcached", ON)
        assert snap.inactive(("memcached",)) == []
        snap.clear("memcached")
        assert snap.inactive(("memcached",)) == ["memcached"]

    def test_services_are_stopped_started_and_restarted_by_name(self):
        snap.configure("memcached", ON)
        snapd.stop(NAME, "memcached")
        assert snap.inactive(("memcached",)) == ["memcached"]
        snapd.start(NAME, "memcached")
        assert snap.inactive(("memcached",)) == []
        snapd.restart(NAME, "memcached")
        assert snap.inactive(("memcached",)) == []

    def test_a_service_that_a_user_disabled_stays_so_when_config_changes(self):
        snap.configure("memcached", ON)
        snapd.stop(NAME, "memcached", disable=True)
        snap.configure("memcached", MemcachedConfig(enabled=True, memory=16))
        assert snap.inactive(("memcached",)) == ["memcached"]

    def test_an_unknown_service_is_named(self):
        with pytest.raises(snapd.AppNotFoundError, match=r"no service .*memcache"):
            snapd.start(NAME, "memcache")

    # -- the snap ---------------------------------------------------------------------------------

    def test_the_snap_that_is_there_is_left_as_it_is(self):
        before = snapd.list_one(NAME)
        snap.install("latest/edge")
        after = snapd.list_one(NAME)
        assert (after.version, after.revision) == (before.version, before.revision)

    def test_a_snap_that_is_not_there_is_not_installed(self):
        for call in (
            lambda: snapd.get("lxd"),
            lambda: snapd.set("lxd", {"a": 1}),
            lambda: snapd.start("lxd", "daemon"),
            lambda: snapd.list_one("lxd"),
        ):
            with pytest.raises(snapd.NotInstalledError):
                call()
