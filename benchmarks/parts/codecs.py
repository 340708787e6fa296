"""Each codec at 1 KiB. Clients compress; brokers keep what they get.

zstd where librdkafka was built beside its headers (Debian and Ubuntu: libzstd-dev).
"""

from __future__ import annotations

from driver import has_zstd
from figures import rate_rows
from measurement import Measurement

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
COUNT = 300_000

ROWS = [
    row
    for codec in CODECS
    for verb in ("produce", "consume")
    for row in rate_rows(f"{verb} 1 KiB, {codec}")
]


def take(bench: Measurement) -> None:
    bench.create_topics({"warm": 1} | dict.fromkeys(CODECS, 1))
    bench.load("produce", "warm", bench.scaled(200_000))
    count = bench.scaled(COUNT)
    for codec in CODECS:
        if codec == "zstd" and not has_zstd(bench.driver):
            continue
        bench.rate(f"produce 1 KiB, {codec}", "produce", [codec], count, "-z", codec)
        bench.rate(f"consume 1 KiB, {codec}", "consume", [codec], count)
