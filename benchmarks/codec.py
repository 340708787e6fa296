"""What it costs to decode and encode representative messages, beside kio and kafka-python.

Run: python benchmarks/codec.py. Every figure is the best of several rounds of the same run; ratios
are their time over ours. kio is native code; kafka-python compiles its schemas as we do. Encoding
starts from a finished message and ends with bytes.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from typing import NamedTuple

from kio.serial import entity_reader, entity_writer
from timing import microseconds

from godel.protocol import codec
from godel.protocol.message import Message
from godel.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)
from godel.protocol.messages.headers import RequestHeader
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from godel.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)

BATCH = bytes(170)


class Case(NamedTuple):
    name: str
    message: Message
    version: int
    module: str
    """Under kafka.protocol."""


CASES = [
    Case("request header", RequestHeader(1, 12, 7, "consumer-1"), 2, ""),
    Case(
        "produce request, one partition",
        ProduceRequest(
            None,
            -1,
            30_000,
            [TopicProduceData("orders", partition_data=[PartitionProduceData(0, BATCH)])],
        ),
        9,
        "producer",
    ),
    Case(
        "produce response, one partition",
        ProduceResponse(
            [TopicProduceResponse("orders", partition_responses=[PartitionProduceResponse(0)])]
        ),
        9,
        "producer",
    ),
    Case(
        "fetch request, 100 partitions",
        FetchRequest(
            max_wait_ms=500,
            topics=[FetchTopic("orders", partitions=[FetchPartition(n, 0, n) for n in range(100)])],
        ),
        12,
        "consumer",
    ),
    Case(
        "fetch response, 100 partitions",
        FetchResponse(
            responses=[
                FetchableTopicResponse(
                    "orders", partitions=[PartitionData(n, records=BATCH) for n in range(100)]
                )
            ]
        ),
        12,
        "consumer",
    ),
    Case(
        "metadata response, 50 topics of 6 partitions",
        MetadataResponse(
            brokers=[MetadataResponseBroker(1, "localhost", 9092)],
            topics=[
                MetadataResponseTopic(
                    0,
                    f"topic-{n}",
                    partitions=[MetadataResponsePartition(0, p, 1, 0, [1], [1]) for p in range(6)],
                )
                for n in range(50)
            ],
        ),
        9,
        "metadata",
    ),
    Case("heartbeat request", HeartbeatRequest("group", 1, "member"), 4, "consumer"),
]


def kio_times(case: Case, data: bytes) -> tuple[float, float]:
    name = type(case.message).__name__
    kind = next(k for k in ("Request", "Response", "Header") if name.endswith(k))
    api = name if kind == "Header" else name.removesuffix(kind)
    api = "".join("_" + c.lower() if c.isupper() else c for c in api).lstrip("_")
    module = importlib.import_module(f"kio.schema.{api}.v{case.version}.{kind.lower()}")
    read, write = entity_reader(getattr(module, name)), entity_writer(getattr(module, name))
    message, _ = read(data, 0)
    return (
        microseconds(lambda: read(data, 0)),
        microseconds(lambda: written(write, message)),
    )


def written(write: Callable[[io.BytesIO, object], None], message: object) -> bytes:
    out = io.BytesIO()
    write(out, message)
    return out.getvalue()


def kafka_python_times(case: Case, data: bytes) -> tuple[float, float] | None:
    if not case.module:
        return None
    module = importlib.import_module(f"kafka.protocol.{case.module}")
    cls = getattr(module, type(case.message).__name__)
    message = cls.decode(data, version=case.version)
    message._header = None  # encode looks at it, but decode does not set it
    return (
        microseconds(lambda: cls.decode(data, version=case.version)),
        microseconds(lambda: message.encode(version=case.version)),
    )


def main() -> None:
    print(f"{'':<50}{'us':>8}{'kio':>14}{'kafka-python':>16}")
    for case in CASES:
        data = codec.encode(case.message, case.version)
        decode = codec.decoder(type(case.message), case.version)
        encode = codec.encoder(type(case.message), case.version)
        ours = (
            microseconds(lambda d=decode, b=data: d(b, 0)),
            microseconds(lambda e=encode, c=case: b"".join(e(c.message, bytearray()))),
        )
        kio, kafka_python = kio_times(case, data), kafka_python_times(case, data)
        for number, action in enumerate(("decode", "encode")):
            us, other = ours[number], kio[number]
            row = f"{action} {case.name} v{case.version}"
            beside = f"{other:8.2f} {other / us:4.1f}x"
            if kafka_python is not None:
                third = kafka_python[number]
                beside += f"  {third:8.2f} {third / us:4.1f}x"
            print(f"{row:<50}{us:8.2f} {beside}")


if __name__ == "__main__":
    main()
