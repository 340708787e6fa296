"""The segment store against the plain file under it: appends, reads, syncs and group commit.

Run: python benchmarks/storage.py [folder]. Each row is held against the bare system calls of the
same run, so the ratios mean something on any machine; "cached" rows never sync, "durable" rows do.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time

from timing import best_of, timed

from godel.clock import SystemClock
from godel.records.batch import parse_header
from godel.records.builder import build_batch
from godel.storage.files import join
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.log_config import LogConfig
from godel.storage.real_files import RealFiles
from godel.types import in_memory

MIB = 1 << 20
CHUNK_BYTES = MIB
SMALL = build_batch([(None, b"x" * 100)], timestamp_ms=1)
LARGE = build_batch([(None, b"x" * 1000)] * 16, timestamp_ms=1)


def open_log(folder: str, files: RealFiles, flusher: Flusher, *, cached: bool) -> Log:
    config = LogConfig(write_caching=cached)
    return Log.open(folder, files=files, flusher=flusher, clock=SystemClock(), config=config)


def plain_writes(path: str, batch: bytes, count: int) -> float:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    parts = (batch[:16], memoryview(batch)[16:])

    def write() -> None:
        for _ in range(count):
            os.writev(descriptor, parts)

    took = timed(write)
    os.close(descriptor)
    return took


def bench_append(folder: str, name: str, batch: bytes, count: int) -> None:
    files = RealFiles()
    header = parse_header(batch)
    log = open_log(join(folder, f"{name}-0"), files, Flusher(files), cached=True)

    def append() -> None:
        for _ in range(count):
            log.append(header, batch, 0)

    ours, plain = [], []
    for number in range(3):
        plain.append(plain_writes(join(folder, f"{name}.{number}.plain"), batch, count))
        ours.append(timed(append))
    took, bare = min(ours), min(plain)
    rate = count * len(batch) / took / 1e6
    print(
        f"append {len(batch):>6} B cached   {took / count * 1e6:8.2f} us a batch "
        f"{rate:8.0f} MB/s   writev alone {bare / count * 1e6:6.2f} us   x{took / bare:.2f}"
    )
    bench_read(name, log)
    log.close()


def bench_read(name: str, log: Log) -> None:
    end = log.end_offset
    path = log.segments[0].file.path
    size_bytes = os.path.getsize(path)
    descriptor = os.open(path, os.O_RDONLY)
    chunks = size_bytes // CHUNK_BYTES

    def plain() -> None:
        for number in range(chunks):
            os.pread(descriptor, CHUNK_BYTES, number * CHUNK_BYTES)

    def ours() -> None:
        offset = 0
        while offset < end:
            found = log.read(offset, CHUNK_BYTES, upper_bound=end, at_least_one=True)
            assert found is not None
            offset = next_offset(in_memory(found.pieces[0]))

    bare = best_of(3, plain) / chunks
    took = best_of(3, ours) / chunks
    print(
        f"read   {name:>6}   cached   {took * 1e6:8.0f} us a MiB   {MIB / took / 1e9:8.2f} GB/s   "
        f"pread alone {bare * 1e6:6.0f} us   x{took / bare:.2f}"
    )
    os.close(descriptor)


def next_offset(data: bytes) -> int:
    """What a consumer would ask for next: known from the size, as all batches here are alike."""
    first = parse_header(data)
    return first.base_offset + len(data) // first.size_bytes * (first.last_offset_delta + 1)


def bench_sync(folder: str, count: int = 200) -> float:
    descriptor = os.open(join(folder, "sync"), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    took = []
    for _ in range(count):
        os.write(descriptor, SMALL)
        took.append(timed(lambda: os.fdatasync(descriptor)))
    os.close(descriptor)
    took.sort()
    median, slow = took[count // 2], took[count * 99 // 100]
    print(f"fdatasync           p50 {median * 1e6:8.0f} us   p99 {slow * 1e6:8.0f} us")
    return median


async def bench_group_commit(folder: str, writers: int, sync_s: float, seconds: float = 2) -> None:
    files = RealFiles()
    flusher = Flusher(files)
    header = parse_header(SMALL)
    log = open_log(join(folder, f"group-{writers}"), files, flusher, cached=False)
    deadline = time.perf_counter() + seconds
    acknowledged, took = 0, []

    async def write() -> None:
        nonlocal acknowledged
        while time.perf_counter() < deadline:
            started = time.perf_counter()
            waiting = log.committed(log.append(header, SMALL, 0) + 1)
            if waiting is not None:
                await waiting
            took.append(time.perf_counter() - started)
            acknowledged += 1

    await asyncio.gather(*(write() for _ in range(writers)))
    took.sort()
    rate = acknowledged / seconds
    print(
        f"group commit {writers:>4} writers durable {rate:8.0f} batches/s, "
        f"{flusher.rounds / seconds:6.0f} rounds/s, p50 {took[len(took) // 2] * 1e6:6.0f} us, "
        f"p99 {took[len(took) * 99 // 100] * 1e6:6.0f} us   x{rate * sync_s:.1f} of one a sync"
    )
    log.close()
    await flusher.close()


def bench_open(folder: str, count: int = 1000) -> None:
    files = RealFiles()
    flusher = Flusher(files)
    header = parse_header(SMALL)
    for number in range(count):
        log = open_log(join(folder, f"open-{number}"), files, flusher, cached=True)
        log.append(header, SMALL, 0)
        log.abandon("measured")

    def reopen() -> None:
        for number in range(count):
            Log.open(
                join(folder, f"open-{number}"),
                files=files,
                flusher=flusher,
                clock=SystemClock(),
                config=LogConfig(),
                was_clean=True,
                recovery_point=1,
            )

    print(f"open a log after a clean stop      {timed(reopen) / count * 1e6:8.0f} us")


def main() -> None:
    folder = tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else None)
    try:
        bench_append(folder, "small", SMALL, 200_000)
        bench_append(folder, "large", LARGE, 8_000)
        sync_s = bench_sync(folder)
        for writers in (1, 16, 256):
            asyncio.run(bench_group_commit(folder, writers, sync_s))
        bench_open(folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
