"""DescribeProducers (key 61): the producers that partitions remember, and what they have open.

As KIP-664 has it: everything that is not forgotten yet (producer.id.expiration.ms), whether it
still writes or not.
"""

from __future__ import annotations

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.errors import ApiError
from godel.metadata.identifiers import check_name
from godel.protocol.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)


def handle(context: RequestContext, request: DescribeProducersRequest) -> DescribeProducersResponse:
    return DescribeProducersResponse(
        topics=[
            TopicResponse(
                name=topic.name,
                partitions=[
                    describe(context.broker, topic.name, index) for index in topic.partition_indexes
                ],
            )
            for topic in request.topics
        ]
    )


def describe(broker: Broker, topic: str, index: int) -> PartitionResponse:
    try:
        check_name(topic)
        producers = broker.partition(topic, index).producers.last_entries()
    except ApiError as refusal:
        return PartitionResponse(index, refusal.code, refusal.message)
    return PartitionResponse(
        partition_index=index,
        active_producers=[
            ProducerState(
                producer_id=producer.producer_id,
                producer_epoch=producer.producer_epoch,
                last_sequence=producer.last_sequence,
                last_timestamp=producer.timestamp_ms,
                coordinator_epoch=producer.coordinator_epoch,
                current_txn_start_offset=producer.current_transaction_first_offset,
            )
            for producer in producers
        ],
    )
