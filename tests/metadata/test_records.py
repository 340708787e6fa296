"""Records come back as they were stored; nonsense is corrupt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.metadata import records
from godel.metadata.records import (
    BrokerRecord,
    CorruptRecord,
    PartitionRecord,
    TopicRecord,
    decode_broker,
    decode_configs,
    decode_number,
    decode_topic,
    encode_broker,
    encode_configs,
    encode_number,
    encode_topic,
)

numbers = st.integers(0, 3)
partitions = st.builds(
    PartitionRecord, numbers, numbers, st.lists(numbers, min_size=1, max_size=3).map(tuple)
)
topics = st.builds(
    TopicRecord,
    st.binary(min_size=16, max_size=16),
    st.lists(partitions, max_size=12).map(tuple),
    st.dictionaries(st.text(), st.text(), max_size=3),
)


@given(topics)
def test_a_topic_comes_back(topic: TopicRecord) -> None:
    assert decode_topic(b"topics/x", encode_topic(topic)) == topic


def test_a_thousand_equal_partitions_are_small() -> None:
    topic = TopicRecord(bytes(16), (PartitionRecord(1, 0, (1,)),) * 1000, {})
    assert len(encode_topic(topic)) < 100


def test_a_broker_comes_back() -> None:
    for broker in (BrokerRecord("h", 1, None), BrokerRecord("h", 1, "r")):
        assert decode_broker(b"", encode_broker(broker)) == broker


def test_configs_and_numbers_come_back() -> None:
    assert decode_configs(b"", encode_configs({"ä": "ö"})) == {"ä": "ö"}
    assert decode_number(b"", encode_number(7)) == 7


@given(st.binary(max_size=60))
def test_garbage_is_a_corrupt_record_with_its_key(value: bytes) -> None:
    for decode in (decode_topic, decode_broker, records.decode_cluster):
        with pytest.raises(CorruptRecord, match="the-key"):
            decode(b"the-key", value)


@pytest.mark.parametrize(
    "value",
    [
        b'{"id":"AAAAAAAAAAAAAAAAAAAAAA","partitions":[[999999999,1,0,[1]]],"configs":{}}',
        b'{"id":"AAAAAAAAAAAAAAAAAAAAAA","partitions":[[0,1,0,[1]]],"configs":{}}',
        b'{"id":"AA","partitions":[],"configs":{}}',
        b'{"id":"AAAAAAAAAAAAAAAAAAAAAA","partitions":[[1,1]],"configs":{}}',
        b'{"id":"AAAAAAAAAAAAAAAAAAAAAA","partitions":[],"configs":[]}',
        b"[]",
        b"1",
    ],
)
def test_nonsense_that_is_json_is_corrupt_too(value: bytes) -> None:
    with pytest.raises(CorruptRecord):
        decode_topic(b"topics/x", value)


def test_keys_tell_their_subject() -> None:
    assert records.name_in(records.topic_key("a.b"), records.TOPICS) == "a.b"
    assert records.number_in(records.broker_config_key(3), records.BROKER_CONFIGS) == 3
    assert records.broker_config_key(None) == records.BROKER_CONFIGS
    assert records.number_in(records.epoch_floor_key(4), records.EPOCH_FLOORS) == 4
    with pytest.raises(CorruptRecord):
        records.name_in(b"topics/\xff", records.TOPICS)
    with pytest.raises(CorruptRecord):
        records.number_in(b"brokers/x", records.BROKERS)
