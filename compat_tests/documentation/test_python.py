"""docs/clients/python.md."""

from __future__ import annotations

import sys

import pytest

from compat_tests.documentation.pages import at, check, program, sections
from compat_tests.requirements import need_module

PAGE = "clients/python.md"


@pytest.mark.parametrize("client", sections(PAGE))
def test_the_program_prints_what_the_page_says(client: str, flights: str) -> None:
    need_module({"kafka-python": "kafka"}.get(client, client.replace("-", "_")))
    shown = program(PAGE, client, "python")
    check([sys.executable, "-W", "ignore", "-c", at(flights, shown.text)], shown.prints)
