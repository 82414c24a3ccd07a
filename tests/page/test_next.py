"""A bare application of Next.js with the parts of the page, from npm, where that is asked for."""

import os
import shutil
from pathlib import Path

import pytest

from tests.page.client import run
from tests.page.packaged import MATERIAL, build

QUIET = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a file, as applications install it."""
    place = tmp_path_factory.mktemp("packed")
    built = build(place / "package")
    name = run(["npm", "pack", "--silent", "--pack-destination", str(place)], cwd=built)
    return place / name.strip().splitlines()[-1]


@pytest.mark.timeout(1200)
def test_an_application_of_next_builds_with_it(packed: Path, tmp_path: Path) -> None:
    place = tmp_path / "app"
    shutil.copytree(MATERIAL / "next_app", place)
    run(["npm", "install", *QUIET, str(packed)], cwd=place)
    environment = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", "CI": "true"}
    run(["node_modules/.bin/next", "build"], cwd=place, environment=environment)
    assert 'class="chatd' in (place / "out" / "index.html").read_text()


@pytest.mark.timeout(600)
def test_the_oldest_react_that_it_names_renders_it(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    react = ("react@18.2", "react-dom@18.2")
    run(["npm", "install", *QUIET, *react, str(packed)], cwd=tmp_path)
    shutil.copy(MATERIAL / "package" / "render.mjs", tmp_path)
    assert '<div class="chatd' in run(["node", "render.mjs"], cwd=tmp_path)
