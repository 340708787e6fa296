"""franz-go: the shared scenarios through main.go."""

from __future__ import annotations

from compat_tests.program_suite import ProgramSuite
from compat_tests.programs import ProgramClient


class FranzGo(ProgramClient):
    name = "franz-go"
    language = "go"
    folder = "franz_go"


class TestFranzGo(ProgramSuite):
    client_class = FranzGo
    assignors = ("range", "cooperative-sticky")
