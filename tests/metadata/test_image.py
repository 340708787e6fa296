"""Images: copied on write, the same step by step as all at once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.config import BrokerConfig
from godel.metadata import records
from godel.metadata.image import ImageBuilder, MetadataImage, PartitionImage
from godel.metadata.records import CorruptRecord, PartitionRecord, TopicRecord
from godel.metadata.store import KV, Change


def put(key: bytes, value: bytes, revision: int = 1) -> Change:
    return Change(key, KV(key, value, revision, revision))


def topic(
    name: str, *, id: int = 1, epoch: int = 0, configs: Mapping[str, str] | None = None
) -> Change:
    record = TopicRecord(
        id.to_bytes(16, "big"), (PartitionRecord(1, epoch, (1,)),) * 2, configs or {}
    )
    return put(records.topic_key(name), records.encode_topic(record))


def floor(node_id: int, value: int) -> Change:
    return put(records.epoch_floor_key(node_id), records.encode_number(value))


def configs(broker: int | None, values: Mapping[str, str]) -> Change:
    return put(records.broker_config_key(broker), records.encode_configs(values))


def gone(name: str) -> Change:
    return Change(records.topic_key(name), None)


class Images:
    """A builder and the image it has come to."""

    def __init__(self) -> None:
        self.builder = ImageBuilder(1, BrokerConfig())
        self.now = self.builder.empty()

    def apply(self, *changes: Change) -> MetadataImage:
        self.now = self.builder.apply(self.now, changes, self.now.revision + 1)
        return self.now


@pytest.fixture
def images() -> Images:
    return Images()


def test_topics_are_found_by_name_and_id(images: Images) -> None:
    image = images.apply(topic("a", id=7), topic("b", id=8, configs={"retention.ms": "5"}))
    assert image.topics["a"].partitions[1] == PartitionImage(1, 1, 0, (1,))
    assert image.topic_names[(8).to_bytes(16, "big")] == "b"
    assert image.topics["b"].config.retention_ms == 5
    assert bytes(16) not in image.topic_names
    assert image.has_partition("a", 1)
    for absent in (("a", 2), ("a", -1), ("c", 0)):
        assert not image.has_partition(*absent)


def test_an_image_never_changes(images: Images) -> None:
    before = images.apply(topic("a.b", id=1))
    after = images.apply(topic("c_d", id=2), gone("a.b"))
    assert (list(before.topics), list(after.topics)) == (["a.b"], ["c_d"])
    assert (list(before.topic_names), list(after.collision_names)) == ([bytes(15) + b"\1"], ["c_d"])
    assert before.collision_names == {"a_b": "a.b"}
    assert after.revision == before.revision + 1


def test_what_did_not_change_is_shared(images: Images) -> None:
    before = images.apply(topic("a"), topic("b", id=2))
    after = images.apply(
        put(b"brokers/1", records.encode_broker(records.BrokerRecord("h", 1, None)))
    )
    assert after.topics is before.topics
    later = images.apply(topic("c", id=3))
    assert later.topics["a"] is before.topics["a"]
    assert later.brokers is after.brokers
    assert later.collision_names is before.collision_names


def test_a_topic_made_anew_has_its_new_id_only(images: Images) -> None:
    images.apply(topic("a", id=1))
    image = images.apply(gone("a"), topic("a", id=2))
    assert list(image.topic_names) == [(2).to_bytes(16, "big")]
    assert images.apply(gone("a"), gone("never")).topic_names == {}


def test_topics_without_settings_share_their_configuration(images: Images) -> None:
    image = images.apply(*(topic(f"t{number}", id=number + 1) for number in range(5)))
    assert len({id(each.config) for each in image.topics.values()}) == 1


def test_the_epoch_floor_lifts_what_is_below(images: Images) -> None:
    images.apply(topic("a", epoch=0), topic("b", id=2, epoch=5))
    image = images.apply(floor(1, 3))
    assert image.topics["a"].partitions[0].leader_epoch == 3
    assert image.topics["b"].partitions[0].leader_epoch == 5
    assert images.apply(topic("c", id=3)).topics["c"].partitions[0].leader_epoch == 3
    assert images.apply(floor(2, 9)).topics["a"].partitions[0].leader_epoch == 3


def test_the_floor_counts_whatever_comes_first(images: Images) -> None:
    image = images.apply(topic("a"), floor(1, 3))
    assert image.topics["a"].partitions[0].leader_epoch == 3


def test_live_settings_reach_the_broker_and_its_topics(images: Images) -> None:
    images.apply(topic("a"), topic("b", id=2, configs={"retention.ms": "1"}))
    image = images.apply(configs(None, {"log.retention.ms": "7", "message.max.bytes": "70"}))
    assert image.broker_config.log_retention_ms == 7
    assert image.topics["a"].config.retention_ms == 7
    assert image.topics["b"].config.retention_ms == 1
    assert image.topics["b"].config.max_message_bytes == 70
    image = images.apply(configs(1, {"log.retention.ms": "8"}))
    assert image.topics["a"].config.retention_ms == 8
    assert images.apply(configs(2, {"log.retention.ms": "9"})).broker_config.log_retention_ms == 8
    image = images.apply(Change(records.broker_config_key(1), None))
    assert image.topics["a"].config.retention_ms == 7


def test_groups_brokers_and_the_cluster(images: Images) -> None:
    assert images.now.controller_id == -1
    image = images.apply(
        put(records.group_config_key("g"), records.encode_configs({"a": "b"})),
        put(b"brokers/2", records.encode_broker(records.BrokerRecord("h", 2, "r"))),
        put(b"brokers/1", records.encode_broker(records.BrokerRecord("h", 1, None))),
        put(records.CLUSTER_KEY, records.encode_cluster("c")),
        put(b"something/else", b"?"),
        put(records.PRODUCER_IDS_KEY, b"5"),
    )
    assert (image.cluster_id, image.controller_id) == ("c", 1)
    assert image.group_overrides == {"g": {"a": "b"}}
    assert image.brokers[2] == (2, "h", 2, "r")
    image = images.apply(Change(b"brokers/1", None), Change(records.group_config_key("g"), None))
    assert (image.controller_id, image.group_overrides) == (2, {})


def test_a_corrupt_record_is_not_guessed_at(images: Images) -> None:
    with pytest.raises(CorruptRecord):
        images.apply(put(records.topic_key("a"), b"{"))


@given(st.lists(st.tuples(st.sampled_from(["a", "b.c", "d_e", "b_f"]), st.booleans()), max_size=20))
def test_step_by_step_is_as_all_at_once(steps: list[tuple[str, bool]]) -> None:
    changes = [
        topic(name, id=number + 1) if keep else gone(name)
        for number, (name, keep) in enumerate(steps)
    ]
    one_by_one, at_once = Images(), Images()
    for change in changes:
        one_by_one.apply(change)
    at_once.apply(*changes)
    for field in ("topics", "topic_names", "collision_names"):
        assert getattr(one_by_one.now, field) == getattr(at_once.now, field)
    assert set(one_by_one.now.topic_names.values()) == set(one_by_one.now.topics)
