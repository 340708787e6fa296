"""Reading what is not in memory: 5 GiB from the disk, once the page cache has forgotten them.

Three times each, medians: the first time a virtual disk is slow, and for every broker the limit.
"""

from __future__ import annotations

from figures import rate_rows
from measurement import Measurement
from page_cache import forget_cached

RECORD_BYTES = 10_240
COUNT = 5 * 2**30 // RECORD_BYTES
READS = 3
COLD, WARM = "consume 10 KiB, from the disk", "consume 10 KiB, from the page cache"

ROWS = [*rate_rows(COLD, with_bytes=True), *rate_rows(WARM, with_bytes=True)]


def take(bench: Measurement) -> None:
    bench.create_topics({"long": 1})
    count = bench.scaled(COUNT)
    bench.load("produce", "long", count, "-s", str(RECORD_BYTES))
    for name, before_each in ((COLD, lambda: forget(bench)), (WARM, lambda: None)):
        bench.reads(
            name,
            "long",
            count,
            times=READS,
            before_each=before_each,
            record_bytes=RECORD_BYTES,
        )


def forget(bench: Measurement) -> None:
    forget_cached(bench.folder.rglob("*.log"))
