"""franz-go: the shared scenarios through main.go."""

from __future__ import annotations

from compat_tests.programs import LibrarysChoice
from compat_tests.suite import ClientSuite


class FranzGo(LibrarysChoice):
    name = "franz-go"
    language = "go"
    folder = "franz_go"
    assignors = ("range", "cooperative-sticky")
    creates_topics = False


class TestFranzGo(ClientSuite):
    client_class = FranzGo
