"""The cloud's entry comes into the user's clouds.yaml and goes, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from microstack import clouds
from microstack.errors import Failure

ACCOUNT = clouds.Account(
    auth_url="http://127.0.0.1:5000/v3",
    username="admin",
    password="s3cret",
    project_name="admin",
    user_domain_name="Default",
    project_domain_name="Default",
    region="microstack",
)

OTHERS = """\
# my clouds
clouds:
    work:  # the one that pays
        auth: {auth_url: "https://cloud.example.org:5000"}

    # for the weekend
    home:
        region_name: attic
cache: {expiration_time: 60}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def other_clouds(text: str) -> Path:
    clouds.path().parent.mkdir(parents=True)
    clouds.path().write_text(text)
    return clouds.path()


def test_a_new_file_is_the_users_alone() -> None:
    file = clouds.write(ACCOUNT)
    assert file.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(file.read_text()) == {"clouds": {"microstack": ACCOUNT.entry()}}


def test_a_file_made_for_the_cloud_goes_with_it(home: Path) -> None:
    clouds.write(ACCOUNT)
    assert clouds.present()
    clouds.forget()
    assert not clouds.present()
    assert not list(home.iterdir())


def test_other_clouds_and_comments_stay_letter_for_letter() -> None:
    file = other_clouds(OTHERS)
    clouds.write(ACCOUNT)
    text = file.read_text()
    assert set(yaml.safe_load(text)["clouds"]) == {"work", "home", "microstack"}
    assert all(line in text for line in OTHERS.splitlines())
    clouds.forget()
    assert file.read_text() == OTHERS


@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_an_older_entry_is_replaced_where_it_stands(place: str) -> None:
    old = "    microstack:\n        auth: {password: old}\n"
    parts = OTHERS.partition("\n    # for the weekend\n")
    text = {
        "before": OTHERS.replace("clouds:\n", f"clouds:\n{old}", 1),
        "between": f"{parts[0]}\n{old}{parts[1]}{parts[2]}",
        "after": OTHERS.replace("cache:", f"{old}cache:"),
    }[place]
    file = other_clouds(text)
    clouds.write(ACCOUNT)
    assert yaml.safe_load(file.read_text())["clouds"]["microstack"] == ACCOUNT.entry()
    clouds.forget()
    assert [line for line in file.read_text().splitlines() if line] == [
        line for line in OTHERS.splitlines() if line
    ]


@pytest.mark.parametrize("text", ["", "clouds:\n", "cache: {}\n", "# nothing yet\n"])
def test_a_file_without_clouds_gets_the_first(text: str) -> None:
    file = other_clouds(text)
    clouds.write(ACCOUNT)
    assert yaml.safe_load(file.read_text())["clouds"] == {"microstack": ACCOUNT.entry()}
    assert file.read_text().startswith(text.rstrip())


@pytest.mark.parametrize("text", ["clouds: {}\n", "clouds: {a: {}}\n", "clouds: [\n", "- a\n"])
def test_what_lines_cannot_be_put_into_is_left_as_it_is(text: str) -> None:
    file = other_clouds(text)
    with pytest.raises(Failure, match=r"clouds\.yaml"):
        clouds.write(ACCOUNT)
    assert file.read_text() == text


def test_an_entry_that_is_right_is_not_written_again() -> None:
    before = clouds.write(ACCOUNT).stat()
    assert clouds.write(ACCOUNT).stat() == before


def test_the_password_is_in_no_representation() -> None:
    assert "s3cret" not in repr(ACCOUNT)


def test_an_action_result_without_a_password_is_named() -> None:
    with pytest.raises(Failure, match="did not give password"):
        clouds.Account.from_action(
            {
                "auth-url": "x",
                "username": "x",
                "project-name": "x",
                "user-domain-name": "x",
                "project-domain-name": "x",
                "region": "x",
            }
        )


def test_the_snap_keeps_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SNAP", "/snap/microstack/x1")
    monkeypatch.setenv("SNAP_DATA", str(tmp_path / "x1"))
    monkeypatch.setenv("SNAP_COMMON", str(tmp_path))
    assert clouds.path() == tmp_path / "appliance/clouds.yaml"
