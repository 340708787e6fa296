"""docs/clients/go.md, compiled in the modules of the client suites."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat_tests.documentation.pages import at, check, program, sections
from compat_tests.programs import HERE, CannotBuild, not_testable, run_build

PAGE = "clients/go.md"


@pytest.mark.parametrize("client", sections(PAGE))
def test_the_program_prints_what_the_page_says(client: str, flights: str, tmp_path: Path) -> None:
    shown = program(PAGE, client, "go")
    source = tmp_path / "main.go"
    source.write_text(at(flights, shown.text), encoding="utf-8")
    module = HERE / client.replace("-", "_")
    try:
        build = ["go", "build", "-buildvcs=false", "-o", str(tmp_path / "flights"), str(source)]
        run_build(build, module)
    except CannotBuild as failure:
        not_testable(str(failure))
    check([str(tmp_path / "flights")], shown.prints)
