"""Produce, as a client sees it."""

from __future__ import annotations

import errno
import struct

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.protocol.messages.find_coordinator import FindCoordinatorRequest
from godel.protocol.messages.produce import ProduceRequest, ProduceResponse
from godel.records.builder import NewRecord
from godel.records.compression import Compression
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.testing import Broker
from tests.wire import (
    NOW_MS,
    Client,
    batch,
    numbered,
    produce_request,
    produced,
    records_of,
    values_of,
)

HOUR_MS = 3_600_000
LOG_APPEND = {"message.timestamp.type": "LogAppendTime"}


def changed(records: bytes, layout: str, at: int, *values: int) -> bytes:
    """The batch with other bytes in it; its CRC is not corrected."""
    copy = bytearray(records)
    struct.pack_into(layout, copy, at, *values)
    return bytes(copy)


def test_a_full_disk_is_not_called_a_failed_one(caplog: pytest.LogCaptureFixture) -> None:
    """Kafka's code, which is retried; in words what it is; in the broker's log where, once."""
    disk = FaultyFiles()
    with Broker(files=disk) as broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))
        disk.fail(
            lambda one: one.kind is Kind.APPEND and one.path.endswith(".log"), error=errno.ENOSPC
        )
        for _ in range(3):
            answer = client.produce("t", batch("b"))
            assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert "disk is full" in (answer.error_message or "")
        disk.faults = None
        assert client.produce("t", batch("c")).base_offset == 1
        disk.fail(lambda one: one.kind is Kind.APPEND and one.path.endswith(".log"))
        assert "disk failed" in (client.produce("t", batch("d")).error_message or "")
        disk.faults = None
    (told,) = (record.message for record in caplog.records if "disk_full" in record.message)
    assert "memory" in told


# -- what is appended ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(3, 12))
@pytest.mark.parametrize("acks", [1, -1])
def test_a_batch_gets_the_next_offsets_in_every_version(
    client: Client, version: int, acks: int
) -> None:
    client.create("t")
    first = client.produce("t", batch("a", "b"), acks=acks, version=version)
    second = client.produce("t", batch("c"), acks=acks, version=version)
    assert (first.error_code, first.base_offset, first.log_append_time_ms) == (0, 0, -1)
    assert (second.error_code, second.base_offset) == (0, 2)
    assert second.log_start_offset == (0 if version >= 5 else -1)
    assert values_of(client.fetch("t")) == ["a", "b", "c"]


@pytest.mark.parametrize("codec", list(Compression))
def test_batches_of_every_codec_come_back_as_they_were_sent(
    client: Client, codec: Compression
) -> None:
    client.create("t")
    sent = batch(
        NewRecord(b"key", b"value", [("header", b"x"), ("null", None)]),
        NewRecord(None, None),
        NewRecord(b"", b""),
        compression=codec,
    )
    assert client.produce("t", sent).error_code == 0
    records = records_of(client.fetch("t"))
    assert [(r.key, r.value) for r in records] == [(b"key", b"value"), (None, None), (b"", b"")]
    assert records[0].headers == [("header", b"x"), ("null", None)]


def test_zstd_needs_version_7(client: Client) -> None:
    client.create("t")
    sent = batch("a", compression=Compression.ZSTD)
    refused = client.produce("t", sent, version=6)
    assert refused.error_code == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    assert client.produce("t", sent, version=7).error_code == 0


def test_a_log_append_time_topic_tells_the_brokers_time_and_stores_it(client: Client) -> None:
    client.create("t", configs=LOG_APPEND)
    answer = client.produce("t", batch("a", timestamp_ms=5))
    assert (answer.error_code, answer.log_append_time_ms) == (0, NOW_MS)
    assert records_of(client.fetch("t"))[0].timestamp == NOW_MS


def test_one_refused_partition_does_not_touch_the_others(client: Client) -> None:
    client.create("t", partitions=2)
    request = produce_request(
        {
            ("t", 0): batch("good"),
            ("t", 1): changed(batch("bad"), ">B", 70, 0xFF),
            ("t", 2): batch("no such partition"),
            ("missing", 0): batch("no such topic"),
        }
    )
    response = client.send(request)
    codes = {
        (topic.name, partition.index): partition.error_code
        for topic in response.responses
        for partition in topic.partition_responses
    }
    assert codes == {
        ("t", 0): 0,
        ("t", 1): ErrorCode.CORRUPT_MESSAGE,
        ("t", 2): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ("missing", 0): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
    assert values_of(client.fetch("t", partition=0)) == ["good"]
    assert client.fetch("t", partition=1).high_watermark == 0


def test_a_request_without_topics_is_answered(client: Client) -> None:
    assert client.send(ProduceRequest(acks=1)).responses == []


def test_a_version_outside_3_to_11_closes_the_connection(broker: Broker) -> None:
    for head in ("0000 0002", "0000 000c"):
        with Client(broker) as client:
            client.socket.sendall(bytes.fromhex(f"0000000a {head} 00000001 ffff"))
            assert client.is_closed()


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("acks", [2, -2, 32767])
def test_acks_other_than_0_1_all_are_refused_for_every_partition(client: Client, acks: int) -> None:
    client.create("t", partitions=2)
    batches = {("t", 0): batch("a"), ("t", 1): batch("b"), ("missing", 0): batch("c")}
    response = client.send(produce_request(batches, acks=acks))
    codes = [p.error_code for topic in response.responses for p in topic.partition_responses]
    assert codes == [ErrorCode.INVALID_REQUIRED_ACKS] * 3
    assert client.fetch("t").high_watermark == 0


def test_acks_all_needs_min_insync_replicas_and_acks_1_does_not(client: Client) -> None:
    client.create("t", configs={"min.insync.replicas": 2})
    refused = client.produce("t", batch("a"), acks=-1)
    assert refused.error_code == ErrorCode.NOT_ENOUGH_REPLICAS
    assert client.produce("t", batch("b"), acks=1).base_offset == 0


INVALID = ErrorCode.INVALID_RECORD
ONE = batch("a")


@pytest.mark.parametrize(
    ("records", "code"),
    [
        pytest.param(None, INVALID, id="null"),
        pytest.param(b"", INVALID, id="empty"),
        pytest.param(ONE + ONE, INVALID, id="two batches"),
        pytest.param(ONE[:40], INVALID, id="cut off in the header"),
        pytest.param(ONE[:-1], INVALID, id="cut off in the records"),
        pytest.param(changed(ONE, ">b", 16, 1), INVALID, id="magic 1"),
        pytest.param(changed(ONE, ">b", 16, 3), INVALID, id="magic 3"),
        pytest.param(changed(ONE, ">B", len(ONE) - 1, 0x7F), ErrorCode.CORRUPT_MESSAGE, id="crc"),
        pytest.param(batch("a", base_offset=7), INVALID, id="base offset"),
        pytest.param(batch(), INVALID, id="no records"),
        pytest.param(batch("a", is_control=True), INVALID, id="control"),
        pytest.param(batch("a", producer_id=1, producer_epoch=0), INVALID, id="no sequence"),
    ],
)
def test_a_batch_that_is_none_is_refused(
    client: Client, records: bytes | None, code: ErrorCode
) -> None:
    client.create("t")
    answer = client.produce("t", records)
    assert answer.error_code == code
    assert (answer.base_offset, answer.log_append_time_ms, answer.log_start_offset) == (-1, -1, -1)
    assert client.fetch("t").high_watermark == 0


def test_a_batch_above_max_message_bytes_is_too_large(client: Client) -> None:
    fitting = batch("x" * 500)
    client.create("t", configs={"max.message.bytes": len(fitting)})
    assert client.produce("t", fitting).error_code == 0
    refused = client.produce("t", batch("x" * 501))
    assert refused.error_code == ErrorCode.MESSAGE_TOO_LARGE


def test_a_batch_above_segment_bytes_is_too_large_a_list(client: Client) -> None:
    client.create("t", configs={"segment.bytes": 1 << 20, "max.message.bytes": 1 << 22})
    refused = client.produce("t", batch("x" * (1 << 20)))
    assert refused.error_code == ErrorCode.RECORD_LIST_TOO_LARGE


def test_a_timestamp_more_than_an_hour_ahead_rejects_the_whole_batch_and_names_the_record(
    client: Client,
) -> None:
    client.create("t")
    sent = batch(
        NewRecord(None, b"good"),
        NewRecord(None, b"early", timestamp_ms=NOW_MS + HOUR_MS),
        NewRecord(None, b"bad", timestamp_ms=NOW_MS + HOUR_MS + 1),
    )
    answer = client.produce("t", sent, version=8)
    assert answer.error_code == ErrorCode.INVALID_TIMESTAMP
    assert [error.batch_index for error in answer.record_errors] == [2]
    assert answer.record_errors[0].batch_index_error_message
    assert answer.error_message
    assert client.produce("t", sent, version=7).error_code == ErrorCode.INVALID_TIMESTAMP
    assert client.fetch("t").high_watermark == 0


def test_an_old_timestamp_is_refused_only_where_the_topic_says_so(client: Client) -> None:
    client.create("any")
    client.create("recent", configs={"message.timestamp.before.max.ms": 1000})
    assert client.produce("any", batch("a", timestamp_ms=0)).error_code == 0
    old = client.produce("recent", batch("a", timestamp_ms=NOW_MS - 1001))
    assert old.error_code == ErrorCode.INVALID_TIMESTAMP
    assert client.produce("recent", batch("a", timestamp_ms=NOW_MS - 1000)).error_code == 0
    assert client.produce("recent", batch("a", timestamp_ms=-1)).error_code == 0, "none is exempt"


def test_log_append_time_is_the_brokers_to_set(client: Client) -> None:
    client.create("create")
    client.create("append", configs=LOG_APPEND)
    claimed = batch("a", has_log_append_time=True, timestamp_ms=NOW_MS - 5)
    assert client.produce("append", claimed).error_code == ErrorCode.INVALID_TIMESTAMP
    assert client.produce("create", claimed).log_append_time_ms == -1, "as Kafka: not believed"
    assert records_of(client.fetch("create"))[0].timestamp == NOW_MS - 5
    far = batch("a", timestamp_ms=NOW_MS + 100 * HOUR_MS)
    assert client.produce("append", far).error_code == 0, "the range is not checked there"


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_record_without_key_is_refused_on_a_compacted_topic(client: Client, policy: str) -> None:
    client.create("t", configs={"cleanup.policy": policy})
    sent = batch(NewRecord(b"k", b"v"), NewRecord(None, b"v"), NewRecord(b"", b"v"))
    answer = client.produce("t", sent)
    assert answer.error_code == ErrorCode.INVALID_RECORD
    assert [error.batch_index for error in answer.record_errors] == [1]
    assert client.produce("t", batch(NewRecord(b"", b"v"))).error_code == 0


def test_internal_topics_are_written_by_the_admin_client_only(
    broker: Broker, client: Client
) -> None:
    client.send(FindCoordinatorRequest(key_type=0, coordinator_keys=["group"]))
    records = batch(NewRecord(b"", b""))
    refused = client.produce("__consumer_offsets", records)
    assert refused.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
    absent = client.produce("__transaction_state", records)
    assert absent.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
    with Client(broker, client_id="__admin_client") as admin:
        assert admin.produce("__consumer_offsets", records).error_code == 0


@pytest.mark.parametrize("acks", [1, -1])
def test_transactions_are_refused_while_there_are_none(client: Client, acks: int) -> None:
    client.create("t")
    request = produce_request({("t", 0): batch("a")}, acks=acks, transactional_id="tx")
    assert produced(client.send(request)).error_code == ErrorCode.INVALID_TXN_STATE
    inside = numbered("a", producer_id=1, sequence=0, is_transactional=True)
    assert client.produce("t", inside, acks=acks).error_code == ErrorCode.INVALID_TXN_STATE
    nobodys = batch("a", is_transactional=True)
    assert client.produce("t", nobodys, acks=acks).error_code == ErrorCode.INVALID_TXN_STATE
    assert client.fetch("t").high_watermark == 0


# -- acks=0 ----------------------------------------------------------------------------------------


def test_acks_0_has_no_answer_and_keeps_the_order(client: Client) -> None:
    client.create("t")
    for value in ("a", "b"):
        client.post(produce_request({("t", 0): batch(value)}, acks=0))
    assert client.produce("t", batch("c"), acks=1).base_offset == 2
    assert values_of(client.fetch("t")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("topic", "records"),
    [("missing", batch("a")), ("t", b""), ("t", batch("a", is_control=True))],
)
def test_an_acks_0_produce_that_fails_closes_the_connection(
    broker: Broker, client: Client, topic: str, records: bytes
) -> None:
    client.create("t")
    client.post(produce_request({(topic, 0): records}, acks=0))
    assert client.is_closed()
    with Client(broker) as other:
        assert other.produce("t", batch("a")).base_offset == 0


def test_a_transactional_acks_0_produce_closes_the_connection(client: Client) -> None:
    client.post(produce_request({("t", 0): batch("a")}, acks=0, transactional_id="tx"))
    assert client.is_closed()


# -- order -----------------------------------------------------------------------------------------


def test_pipelined_requests_are_appended_and_answered_in_the_order_they_came(
    client: Client,
) -> None:
    client.create("t")
    sent = [
        client.post(
            produce_request(
                {("t", 0): numbered(str(n), producer_id=9, sequence=n)}, acks=(-1, 1)[n % 2]
            )
        )
        for n in range(20)
    ]
    for n, correlation_id in enumerate(sent):
        answer = produced(client.take(ProduceResponse))
        assert client.taken_correlation_id == correlation_id
        assert (answer.error_code, answer.base_offset) == (0, n)
    assert values_of(client.fetch("t")) == [str(n) for n in range(20)]


def test_a_negative_correlation_id_and_no_client_id_are_answered(broker: Broker) -> None:
    with Client(broker, client_id=None) as client:
        client.create("t")
        client._correlation_id = -5
        assert client.produce("t", batch("a")).error_code == 0
        assert client.taken_correlation_id == -4


# -- idempotence -----------------------------------------------------------------------------------


def test_a_duplicate_of_one_of_the_last_five_batches_gets_its_first_answer(client: Client) -> None:
    client.create("t")
    batches = [numbered("a", "b", producer_id=7, sequence=2 * n) for n in range(6)]
    assert [client.produce("t", sent).base_offset for sent in batches] == [0, 2, 4, 6, 8, 10]
    for n in range(1, 6):
        again = client.produce("t", batches[n])
        assert (again.error_code, again.base_offset) == (0, 2 * n)
    sixth = client.produce("t", batches[0])
    assert sixth.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert client.fetch("t").high_watermark == 12


def test_sequences_without_gap_and_new_epochs_from_0(client: Client) -> None:
    client.create("t")

    def code(sequence: int, epoch: int, *values: str) -> int:
        sent = numbered(*(values or ("a",)), producer_id=7, sequence=sequence, epoch=epoch)
        return client.produce("t", sent).error_code

    assert code(41, 3) == 0, "an unknown producer may begin anywhere"
    assert code(43, 3) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert code(42, 3) == 0
    assert code(42, 3, "a", "b") == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, "not the same batch"
    assert code(1, 4) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert code(0, 4) == 0
    assert code(43, 3) == ErrorCode.INVALID_PRODUCER_EPOCH


def test_sequences_wrap_at_the_largest_integer(client: Client) -> None:
    client.create("t")
    last = numbered("a", "b", producer_id=7, sequence=2**31 - 2)
    assert client.produce("t", last).base_offset == 0
    assert client.produce("t", numbered("c", producer_id=7, sequence=0)).base_offset == 2


def test_each_partition_counts_for_itself(client: Client) -> None:
    client.create("t", partitions=2)
    sent = numbered("a", producer_id=7, sequence=0)
    for partition in (0, 1):
        assert client.produce("t", sent, partition=partition).base_offset == 0


def test_a_silent_producer_is_forgotten_after_its_time() -> None:
    settings = {"producer.id.expiration.ms": 600_000, "log.retention.check.interval.ms": 60_000}
    with Broker(settings, clock=ManualClock()) as broker, Client(broker) as client:
        client.create("t")
        assert client.produce("t", numbered("a", producer_id=7, sequence=0)).error_code == 0
        gap = numbered("b", producer_id=7, sequence=5)
        for _ in range(8):
            broker.advance(60_000)
        assert client.produce("t", gap).error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        for _ in range(4):
            broker.advance(60_000)
        assert client.produce("t", gap).error_code == 0


def test_errors_are_counted_by_partition(broker: Broker, client: Client) -> None:
    client.create("t")
    both = {("t", 0): batch("a"), ("t", 1): batch("b"), ("nowhere", 0): batch("c")}
    client.send(produce_request(both))
    client.send(produce_request(both, acks=7))
    errors = broker.node.broker.metrics.request_errors
    assert errors.of("Produce", "UNKNOWN_TOPIC_OR_PARTITION").value == 2
    assert errors.of("Produce", "INVALID_REQUIRED_ACKS").value == 3
    assert sum(value for (api, _), value in errors.rows() if api == "Produce") == 5
