"""The table: its rows agree with the messages, with what was decided, and have tests."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from godel.handlers import APIS
from godel.protocol.api import Api

TESTS = Path(__file__).parent

DECIDED = {
    "Produce": (0, 11),
    "Fetch": (4, 18),
    "ListOffsets": (1, 11),
    "Metadata": (0, 13),
    "OffsetCommit": (2, 8),
    "OffsetFetch": (1, 8),
    "FindCoordinator": (0, 6),
    "JoinGroup": (0, 9),
    "Heartbeat": (0, 4),
    "LeaveGroup": (0, 5),
    "SyncGroup": (0, 5),
    "DescribeGroups": (0, 6),
    "ListGroups": (0, 5),
    "ApiVersions": (0, 5),
    "CreateTopics": (2, 7),
    "DeleteTopics": (1, 6),
    "InitProducerId": (0, 5),
    "OffsetForLeaderEpoch": (2, 4),
    "DescribeConfigs": (1, 4),
    "CreatePartitions": (0, 3),
    "DeleteGroups": (0, 3),
    "IncrementalAlterConfigs": (0, 1),
    "DescribeCluster": (0, 2),
    "DeleteRecords": (0, 2),
    "AlterConfigs": (0, 2),
    "AlterReplicaLogDirs": (1, 2),
    "DescribeLogDirs": (1, 5),
    "ElectLeaders": (0, 2),
    "AlterPartitionReassignments": (0, 1),
    "ListPartitionReassignments": (0, 0),
    "OffsetDelete": (0, 0),
    "DescribeClientQuotas": (0, 1),
    "AlterClientQuotas": (0, 1),
    "DescribeQuorum": (0, 2),
    "UpdateFeatures": (0, 2),
    "DescribeProducers": (0, 0),
    "ListConfigResources": (0, 1),
    "DescribeTopicPartitions": (0, 0),
}

rows = pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)


def test_keys_are_in_order_and_occur_once() -> None:
    keys = [api.key for api in APIS]
    assert keys == sorted(set(keys))


@rows
def test_a_row_agrees_with_its_messages(api: Api) -> None:
    assert api.request.__name__ == f"{api.name}Request"
    assert api.response.__name__ == f"{api.name}Response"
    assert api.request.API_KEY == api.response.API_KEY == api.key
    first, last = api.request.VERSIONS
    assert api.response.VERSIONS == (first, last)
    accepted_from = api.versions[0] if api.accepted_from is None else api.accepted_from
    assert first <= accepted_from <= api.versions[1] <= last
    assert [v for v in range(-1, last + 2) if api.accepts(v)] == list(
        range(accepted_from, api.versions[1] + 1)
    )


@rows
def test_a_row_offers_the_versions_that_were_decided(api: Api) -> None:
    assert api.versions == DECIDED[api.name]


def test_produce_is_advertised_from_0_and_accepted_from_3() -> None:
    for api in APIS:
        if api.name == "Produce":
            assert api.versions[0] == 0
            assert api.accepted_from == 3
            assert api.pipelined
        else:
            assert api.accepted_from is None
            assert not api.pipelined


@rows
def test_a_pipelined_handler_does_its_ordered_part_before_it_returns(api: Api) -> None:
    assert not (api.pipelined and inspect.iscoroutinefunction(api.handle))


@rows
def test_a_row_has_a_test_module(api: Api) -> None:
    module = inspect.getmodule(api.handle)
    assert module is not None
    name = module.__name__.rpartition(".")[2]
    assert (TESTS / f"test_{name}.py").is_file()


@rows
def test_deviations_are_said_as_the_compatibility_page_collects_them(api: Api) -> None:
    said = re.findall(r"deviat\w*.", inspect.getdoc(inspect.getmodule(api.handle)) or "", re.I)
    assert set(said) <= {"Deviation:", "Deviations:"}
