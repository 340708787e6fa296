"""The wheel and the source distribution: what is in them, and the commands of an installed one."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.deploy.installed import exercise
from tests.deploy.tools import (
    copy_of_clone,
    installs,
    interpreter,
    need_module,
    need_script,
    run,
)

pytestmark = [pytest.mark.slow, installs]

SUPPORTED = ("3.11", "3.12", "3.13")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(wheel, source distribution), the wheel built from the source distribution."""
    need_module("build")
    folder = tmp_path_factory.mktemp("distributions")
    source = copy_of_clone(folder / "source")
    # Without isolation: no network. The container's build (test_dockerfile.py) is isolated.
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist")
    said = run(*build, source)
    without_effect = re.findall(r"warning: no .*MANIFEST.*|warning: no .*found.*", said)
    assert not without_effect  # lines of MANIFEST.in
    (wheel,) = (folder / "dist").glob("*.whl")
    (archive,) = (folder / "dist").glob("*.tar.gz")
    return wheel, archive


def test_the_wheel_holds_the_package_and_nothing_else(distributions: tuple[Path, Path]) -> None:
    names = zipfile.ZipFile(distributions[0]).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"godel", "godel_broker"}
    assert "godel/py.typed" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".so")]


def test_the_wheel_runs_on_every_machine(distributions: tuple[Path, Path]) -> None:
    assert distributions[0].name.endswith("-py3-none-any.whl")


def test_the_source_distribution_builds_and_deploys(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[1]) as archive:
        names = archive.getnames()
    inside = {name.partition("/")[2].split("/")[0] for name in names} - {""}
    assert inside == {
        "CHANGELOG.md",
        "LICENSE",
        "MANIFEST.in",
        "PKG-INFO",
        "README.md",
        "deploy",
        "godel",
        "godel_broker.egg-info",
        "pyproject.toml",
        "setup.cfg",
    }


def test_metadata_is_complete(distributions: tuple[Path, Path]) -> None:
    run(need_script("twine"), "check", "--strict", *distributions)
    wheel = zipfile.ZipFile(distributions[0])
    (name,) = (each for each in wheel.namelist() if each.endswith("/METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == f">={SUPPORTED[0]}"
    classifiers = metadata.get_all("Classifier", [])
    minors = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    assert tuple(minors) == SUPPORTED
    assert "Typing :: Typed" in classifiers


def test_there_is_a_python_to_try_it_on() -> None:
    if not any(map(interpreter, SUPPORTED)):
        pytest.fail(f"no Python {', '.join(SUPPORTED)} here", pytrace=False)


@pytest.mark.parametrize("minor", SUPPORTED)
def test_an_empty_environment_gets_both_commands(
    distributions: tuple[Path, Path], tmp_path: Path, minor: str
) -> None:
    python = interpreter(minor)
    if python is None:
        pytest.skip(f"no Python {minor} here")
    run(python, "-m", "venv", "--without-pip", tmp_path / "environment")
    programs = tmp_path / "environment" / "bin"
    pip = (sys.executable, "-m", "pip", "--quiet", "--python", programs / "python")
    run(*pip, "install", distributions[0])
    run(*pip, "check")
    exercise(programs, tmp_path / "data")
