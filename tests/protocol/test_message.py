"""Message classes as objects: construction, equality, repr, shared defaults."""

from __future__ import annotations

import copy
import pickle

import pytest

from godel.protocol.message import (
    Array,
    Message,
    fields_of,
    shared_default,
    since,
    zero_of,
)
from godel.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ReplicaState
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.metadata import MetadataRequest
from godel.protocol.types import INT32, STRING, int32, record_bytes
from tests.protocol.catalogue import ROOTS, structs_of


def test_positional_and_keyword_construction() -> None:
    by_position = HeartbeatRequest("g", 3, "m", None)
    by_keyword = HeartbeatRequest(group_id="g", generation_id=3, member_id="m")
    assert by_position == by_keyword
    assert by_position.generation_id == 3


def test_a_list_is_not_shared_between_messages() -> None:
    first, second = FetchRequest(), FetchRequest()
    first.topics.append(FetchTopic())
    assert second.topics == []


def test_none_and_empty_are_different() -> None:
    assert MetadataRequest(None).topics is None
    assert MetadataRequest().topics == []
    assert MetadataRequest(None) != MetadataRequest([])


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(TypeError):
        HeartbeatRequest(bogus=1)
    with pytest.raises(AttributeError):
        HeartbeatRequest().bogus = 1


def test_message_classes_do_not_inherit_fields() -> None:
    with pytest.raises(TypeError, match="inherits from Message only"):

        class Extended(ReplicaState):
            more: int32 = 0


def test_equality_is_by_class_and_value() -> None:
    class Same(Message):
        leader_id: int32 = -1

    class Other(Message):
        leader_id: int32 = -1

    assert Same(1) == Same(1)
    assert Same(1) != Same(2)
    assert Same(1) != Other(1)
    assert Same(1) != 1
    with pytest.raises(TypeError):
        hash(Same())


def test_repr_shows_what_is_not_default() -> None:
    request = FetchRequest(topics=[FetchTopic("t", partitions=[FetchPartition(3)])])
    assert repr(request) == (
        "FetchRequest(topics=[FetchTopic(topic='t', partitions=[FetchPartition(partition=3)])])"
    )


def test_a_shared_default_refuses_changes() -> None:
    request = FetchRequest()
    assert request.replica_state is FetchRequest().replica_state
    assert request.replica_state == ReplicaState()
    assert repr(request.replica_state) == "ReplicaState()"
    with pytest.raises(AttributeError, match="assign a new one"):
        request.replica_state.replica_id = 1
    request.replica_state = type(request.replica_state)(replica_id=1)
    request.replica_state.replica_epoch = 2
    assert request.replica_state == ReplicaState(1, 2)
    assert FetchRequest().replica_state == ReplicaState()


def test_messages_can_be_copied_and_pickled() -> None:
    request = FetchRequest(topics=[FetchTopic("t")])
    for copied in (copy.deepcopy(request), pickle.loads(pickle.dumps(request))):
        assert copied == request
        copied.replica_state.replica_id = 5
    assert request.replica_state.replica_id == -1


def test_every_class_can_be_made_without_arguments() -> None:
    for root in ROOTS:
        for cls in structs_of(root):
            assert cls() == cls()


def test_fields_are_resolved_with_versions_and_types() -> None:
    session_id = next(field for field in fields_of(FetchRequest) if field.name == "session_id")
    assert session_id.type is INT32
    assert (session_id.since, session_id.ignorable, session_id.default) == (7, True, 0)
    assert session_id.is_in(7)
    assert not session_id.is_in(6)
    topics = fields_of(MetadataRequest)[0]
    assert isinstance(topics.type, Array)
    assert [topics.is_nullable(version) for version in (0, 1)] == [False, True]


def test_nullable_records_and_unions_of_buffers_resolve() -> None:
    class Carrier(Message):
        records: record_bytes | None = since(1, default=None)

    (field,) = fields_of(Carrier)
    assert field.nullable_since == 0
    assert field.default is None


def test_zero_of_each_kind() -> None:
    assert zero_of(STRING) == ""
    assert zero_of(Array(INT32)) == []
    assert zero_of(ReplicaState) is shared_default(ReplicaState)


def test_a_struct_with_a_list_cannot_be_a_shared_default() -> None:
    with pytest.raises(AssertionError, match="needs its own list"):
        shared_default(FetchTopic)
