"""sarama: the shared scenarios through main.go, in its newest dialect and in its default one."""

from __future__ import annotations

import pytest

from compat_tests.client import Client
from compat_tests.programs import LibrarysChoice
from compat_tests.suite import ClientSuite


class Sarama(LibrarysChoice):
    name = "sarama"
    language = "go"
    folder = "sarama"
    assignors = ("range", "cooperative-sticky")
    creates_topics = False


class TestSarama(ClientSuite):
    client_class = Sarama
    commits_are_told = False  # the library commits in the background

    @pytest.mark.parametrize("version", ["1.0.0", "2.1.0", "2.8.0"])
    def test_older_versions_of_every_request(
        self, client: Client, topic: str, version: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its setting `Version` decides which versions it asks in, whatever the broker offers."""
        monkeypatch.setenv("SARAMA_VERSION", version)
        self.test_null_and_empty_keys_values_and_headers(client, topic)
        client.commit(topic, topic, 3, "three")
        assert client.committed(topic, topic) == [(3, "three")]
        assert client.watermarks(topic)[0] == 0
