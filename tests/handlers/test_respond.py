"""The same error in every slot: each API, at each version, says it about all that was asked."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest

from godel.errors import ErrorCode
from godel.handlers.respond import error_response
from godel.protocol import codec, messages
from godel.protocol.message import Array, Message, fields_of
from godel.protocol.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from godel.protocol.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from godel.protocol.messages.find_coordinator import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from godel.protocol.messages.metadata import MetadataRequest, MetadataResponse
from godel.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)

CODE = ErrorCode.UNKNOWN_SERVER_ERROR


def pairs() -> list[tuple[type[Message], type[Message]]]:
    found = []
    for info in pkgutil.iter_modules(messages.__path__):
        module = importlib.import_module(f"{messages.__name__}.{info.name}")
        for name, request in vars(module).items():
            response = getattr(module, f"{name.removesuffix('Request')}Response", None)
            if name.endswith("Request") and hasattr(response, "VERSIONS"):
                found.append((request, response))
    return found


def filled(cls: type[Message], version: int) -> Message:
    """A message with two entries in each array and something in each field."""
    values: dict[str, Any] = {}
    for field in fields_of(cls):
        if not field.is_in(version):
            continue
        if isinstance(field.type, Array):
            element = field.type.element
            if isinstance(element, type):
                values[field.name] = [filled(element, version) for _ in range(2)]
            elif isinstance(element.zero, str):
                values[field.name] = ["a", "b"]
            else:
                values[field.name] = [1, 2]
        elif isinstance(field.default, str):
            values[field.name] = "text"
    return cls(**values)


def codes(message: Message, version: int) -> list[int]:
    found = []
    for field in fields_of(type(message)):
        if not field.is_in(version):
            continue
        value = getattr(message, field.name)
        if field.name == "error_code":
            found.append(value)
        elif isinstance(value, list):
            for one in value:
                found += codes(one, version) if isinstance(one, Message) else []
    return found


@pytest.mark.parametrize(("request_class", "response_class"), pairs(), ids=lambda cls: cls.__name__)
def test_every_api_can_say_that_it_failed(
    request_class: type[Message], response_class: type[Message]
) -> None:
    first, last = request_class.VERSIONS
    for version in range(first, last + 1):
        asked = filled(request_class, version)
        response = error_response(asked, response_class, version, code=CODE)
        assert response is not None, f"version {version}"
        decoded = codec.decode(response_class, codec.encode(response, version), version)
        assert set(codes(decoded, version)) == {CODE}, f"version {version}"


def test_every_partition_is_told() -> None:
    request = ProduceRequest(
        topic_data=[
            TopicProduceData(name="a", partition_data=[PartitionProduceData(index=4)]),
            TopicProduceData(
                name="b",
                partition_data=[PartitionProduceData(index=1), PartitionProduceData(index=2)],
            ),
        ]
    )
    response = error_response(request, ProduceResponse, 8, code=CODE, message="broken")
    assert isinstance(response, ProduceResponse)
    told = [
        (topic.name, one.index, one.error_code, one.error_message)
        for topic in response.responses
        for one in topic.partition_responses
    ]
    assert told == [("a", 4, -1, "broken"), ("b", 1, -1, "broken"), ("b", 2, -1, "broken")]


def test_bare_names_are_told() -> None:
    request = DescribeGroupsRequest(groups=["one", "two"])
    response = error_response(request, DescribeGroupsResponse, 3, code=CODE)
    assert isinstance(response, DescribeGroupsResponse)
    assert [(group.group_id, group.error_code) for group in response.groups] == [
        ("one", -1),
        ("two", -1),
    ]


def test_where_the_error_stands_follows_the_version() -> None:
    request = FindCoordinatorRequest(coordinator_keys=["group"], key="group")
    old = error_response(request, FindCoordinatorResponse, 3, code=CODE)
    new = error_response(request, FindCoordinatorResponse, 4, code=CODE)
    assert isinstance(old, FindCoordinatorResponse)
    assert isinstance(new, FindCoordinatorResponse)
    assert (old.error_code, old.coordinators) == (CODE, [])
    assert [(one.key, one.error_code) for one in new.coordinators] == [("group", CODE)]


def test_a_fetch_before_version_7_tells_each_partition() -> None:
    request = FetchRequest(topics=[FetchTopic(topic="a", partitions=[FetchPartition(partition=3)])])
    response = error_response(request, FetchResponse, 6, code=CODE)
    assert isinstance(response, FetchResponse)
    (topic,) = response.responses
    assert (topic.topic, topic.partitions[0].partition_index) == ("a", 3)
    assert topic.partitions[0].error_code == CODE


def test_nothing_asked_leaves_nowhere_to_say_it() -> None:
    assert error_response(ProduceRequest(), ProduceResponse, 9, code=CODE) is None
    assert error_response(MetadataRequest(topics=None), MetadataResponse, 12, code=CODE) is None
