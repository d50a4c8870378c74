"""When the built-in guest image is built: once for each recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from microstack import guest_image
from microstack.errors import Failure

RECIPE = """\
import sys, parts
{more}
open(sys.argv[2], "w").write(parts.CONTENT)
"""


def recipe(checkout: Path, more: str = "") -> None:
    """Write a recipe of two modules; running it makes Python keep the second one compiled."""
    folder = checkout / "snap/guest-image"
    folder.mkdir(parents=True)
    (folder / "build.py").write_text(RECIPE.format(more=more))
    (folder / "parts.py").write_text("CONTENT = 'image'")


def test_an_image_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_image, "CACHE", tmp_path)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    recipe(tmp_path)
    steps: list[str] = []
    first = guest_image.ensure(tmp_path, steps.append)
    assert first.read_text() == "image"
    assert guest_image.ensure(tmp_path, steps.append) == first
    assert steps == ["building the guest image"]


def test_a_recipe_that_fails_says_why_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_image, "CACHE", tmp_path)
    recipe(tmp_path, more="sys.exit('error: no network\\nnor this\\nnor that')")
    with pytest.raises(Failure, match=r"guest image: no network \.\.\. and 2 lines more$"):
        guest_image.ensure(tmp_path, lambda _: None)
