"""The surroundings of a request, as handlers and clients meet them."""

from __future__ import annotations

import pytest

from godel.broker.context import Endpoint, RequestContext
from godel.testing import Broker


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (Endpoint("127.0.0.1", 9092), "127.0.0.1:9092"),
        (Endpoint("kafka.example", 1), "kafka.example:1"),
        (Endpoint("::1", 9092), "[::1]:9092"),
    ],
)
def test_an_endpoint_reads_as_clients_are_given_it(endpoint: Endpoint, text: str) -> None:
    assert str(endpoint) == text


def test_a_context_belongs_to_a_connection_and_tells_the_request(broker: Broker) -> None:
    node = broker.node
    context = RequestContext(node.broker, client_host="10.0.0.1", listener=node.endpoint)
    assert (context.client_id, context.version) == (None, 0)
    assert (context.client_host, context.listener) == ("10.0.0.1", node.endpoint)
