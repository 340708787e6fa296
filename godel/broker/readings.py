"""What is read off the broker when somebody asks for its metrics: sizes, offsets, lag.

Nothing is kept for it. Each function yields one row after another, so that whoever asks may let
requests in between and stop when it takes too long; what goes away meanwhile is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from godel import __version__
from godel.broker.broker import Broker
from godel.broker.partition import Partition
from godel.errors import StorageFailed
from godel.metrics import Row
from godel.records.partition_log import LogDirectory


def connect(broker: Broker) -> None:
    """Let the readings of the broker's metrics ask it."""
    metrics = broker.metrics

    def single(value: Callable[[], float]) -> Callable[[], Iterator[Row]]:
        return lambda: iter((((), value()),))

    metrics.messages_in.rows = lambda: by_topic(broker, lambda each: each.messages_in)
    metrics.batches_in.rows = lambda: by_topic(broker, lambda each: each.batches_in)
    metrics.bytes_in.rows = lambda: by_topic(broker, lambda each: each.bytes_in)
    metrics.bytes_out.rows = lambda: by_topic(broker, lambda each: each.bytes_out)
    metrics.topic_count.rows = single(lambda: len(broker.metadata.image.topics))
    metrics.partition_count.rows = single(lambda: sum(1 for _ in broker.partitions()))
    metrics.offline_partitions.rows = single(lambda: len(broker.logs.offline))
    metrics.log_size_bytes.rows = lambda: sizes(broker)
    metrics.log_start_offset.rows = lambda: offsets(broker, lambda each: each.log_start_offset)
    metrics.log_end_offset.rows = lambda: offsets(broker, lambda each: each.end_offset)
    metrics.offline_directories.rows = single(
        lambda: sum(not directory.is_working for directory in broker.logs.directories())
    )
    metrics.volume_total_bytes.rows = lambda: volumes(broker, lambda each: each.total_bytes)
    metrics.volume_usable_bytes.rows = lambda: volumes(broker, lambda each: each.usable_bytes)
    metrics.groups.rows = single(broker.groups.count)
    metrics.group_offset.rows = lambda: group_offsets(broker)
    metrics.group_lag.rows = lambda: group_lag(broker)
    metrics.fetch_sessions.rows = single(lambda: len(broker.fetch_sessions))
    metrics.active_controllers.rows = single(lambda: 1)
    metrics.build.rows = lambda: iter((((__version__, str(broker.node_id)), 1.0),))


def by_topic(broker: Broker, count: Callable[[Partition], int]) -> Iterator[Row]:
    """A count of every topic, over its partitions."""
    for topic, partitions in broker.topics_with_partitions():
        yield (topic,), sum(map(count, partitions))


def sizes(broker: Broker) -> Iterator[Row]:
    """The bytes of every partition that has ever been used."""
    for partition in tuple(broker.partitions()):
        if broker.logs.exists(partition.id):
            with suppress(StorageFailed):
                yield labels(partition), broker.logs.size_bytes(partition.id)


def offsets(broker: Broker, offset: Callable[[Partition], int]) -> Iterator[Row]:
    """An offset of every partition whose log is open."""
    for partition in tuple(broker.partitions()):
        if partition.opened_log is not None:
            yield labels(partition), offset(partition)


def volumes(broker: Broker, value: Callable[[LogDirectory], int]) -> Iterator[Row]:
    """Something of the volume of every data directory that works and has one."""
    for directory in broker.logs.directories():
        if directory.is_working and value(directory) >= 0:
            yield (directory.path,), value(directory)


def group_offsets(broker: Broker) -> Iterator[Row]:
    """What every group has committed."""
    for group, topic, index, offset in broker.groups.committed_offsets():
        yield (group, topic, str(index)), offset


def group_lag(broker: Broker) -> Iterator[Row]:
    """How far every group is behind the high watermark, where it has committed something.

    Also in a partition that nobody has touched since the start: a consumer that stands still is the
    one to be told of. No log is opened for it; where the end is not known without, there is no lag.
    """
    for group, topic, index, offset in broker.groups.committed_offsets():
        partition = broker.find_partition(topic, index)
        end = None if partition is None else visible_end(broker, partition)
        if end is not None:
            yield (group, topic, str(index)), max(0, end - offset)


def visible_end(broker: Broker, partition: Partition) -> int | None:
    """The high watermark; that of a log that is not open will be its end. None: it is not known."""
    if partition.opened_log is not None:
        return partition.high_watermark
    return broker.logs.known_end(partition.id)


def labels(partition: Partition) -> tuple[str, str]:
    return partition.id.topic, str(partition.id.partition)
