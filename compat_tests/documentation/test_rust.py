"""docs/clients/rust.md, compiled as another program of the suites' crates: what they have built of
their libraries is used again.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from compat_tests.documentation.pages import at, check, program, sections
from compat_tests.programs import CACHE, HERE, CannotBuild, not_testable, run_build

PAGE = "clients/rust.md"
FOLDERS = {"rdkafka": "rdkafka_rust", "rskafka": "rskafka"}


@pytest.mark.parametrize("client", sections(PAGE))
def test_the_program_prints_what_the_page_says(client: str, flights: str, tmp_path: Path) -> None:
    shown = program(PAGE, client, "rust")
    crate, name = HERE / FOLDERS[client], f"{FOLDERS[client]}_page"
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.rs").write_text(at(flights, shown.text), encoding="utf-8")
    manifest = re.sub(
        r'(\[\[bin\]\]\nname = )".*"', rf'\1"{name}"', (crate / "Cargo.toml").read_text()
    )
    (tmp_path / "Cargo.toml").write_text(manifest)
    if (crate / "Cargo.lock").exists():
        shutil.copy(crate / "Cargo.lock", tmp_path)
    target = CACHE / f"{FOLDERS[client]}-target"
    try:
        run_build(["cargo", "build", "--quiet", "--target-dir", str(target)], tmp_path)
    except CannotBuild as failure:
        not_testable(str(failure))
    check([str(target / "debug" / name)], shown.prints)
