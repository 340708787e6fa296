"""docs/clients/java.md, with the client that Kafka's own tools bring."""

from __future__ import annotations

import os
from pathlib import Path

from compat_tests.documentation.pages import at, check, program, sections
from compat_tests.java import jars
from compat_tests.java_clients.clients import JVM
from compat_tests.requirements import missing, need_program

PAGE = "clients/java.md"


def test_the_program_prints_what_the_page_says(flights: str, tmp_path: Path) -> None:
    need_program("java")
    if not jars.are_there():
        missing("Apache Kafka's client")
    (client,) = sections(PAGE)
    shown = program(PAGE, client, "java")
    source = tmp_path / "Flights.java"
    source.write_text(at(flights, shown.text), encoding="utf-8")
    check([*JVM, "-cp", f"{jars.folder()}{os.sep}*", str(source)], shown.prints)
