"""How fast long logs recover: python benchmarks/recovery.py [--gib 10]

Against `cat` of the same files and the CRC alone, in one thread and two, from the disk (as root,
who may have the page cache forget) and from the page cache. Compare within one run: what else the
machine does shows in all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from page_cache import forget_cached
from timing import timed

from godel.clock import SystemClock
from godel.records.builder import NewRecord, build_batch
from godel.records.crc import crc32c
from godel.storage.log_config import LogConfig
from godel.storage.real_files import RealFiles
from godel.storage.recovery_run import UncleanLog, recover_logs
from godel.types import TopicPartition

MIB, GIB = 1 << 20, 1 << 30
READ_BYTES = 8 * MIB


def row(name: str, figure: str) -> None:
    print(f"| {name} | {figure} |", flush=True)


def write_log(folder: Path, value_bytes: int, size_bytes: int) -> None:
    """A segment of one-record batches with this much data."""
    folder.mkdir(parents=True)
    batch = build_batch([NewRecord(None, os.urandom(value_bytes), timestamp_ms=1)], timestamp_ms=1)
    rest = batch[8:]
    with (folder / f"{0:020d}.log").open("wb") as file:
        for offset in range(size_bytes // len(batch)):
            file.write(struct.pack(">q", offset) + rest)
        file.flush()
        os.fsync(file.fileno())


def cat(paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb", buffering=0) as file:
            space = bytearray(READ_BYTES)
            while file.readinto(space):
                pass


def recover(folders: list[Path], threads: int) -> None:
    logs = [
        UncleanLog(TopicPartition("t", number), str(folder), LogConfig(), 0, 0, None)
        for number, folder in enumerate(folders)
    ]
    log = structlog.get_logger()
    done = asyncio.run(
        recover_logs(RealFiles(), logs, threads=threads, clock=SystemClock(), log=log)
    )
    assert all(one.failure is None and one.report and one.report.cut is None for one in done)


def forget_indexes(folders: list[Path]) -> None:
    for folder in folders:
        for path in [*folder.glob("*.index"), *folder.glob("*.timeindex")]:
            path.unlink()


def measure(root: Path, size_bytes: int) -> None:
    for name, value_bytes in (("1 MiB", MIB - 100), ("16 KiB", 16 * 1024), ("1 KiB", 1024)):
        count = max(4, -(-size_bytes // GIB))  # a segment has at most 2 GiB
        folders = [root / f"scan-{value_bytes}-{number}" for number in range(count)]
        for folder in folders:
            write_log(folder, value_bytes, size_bytes // len(folders))
        paths = [next(folder.glob("*.log")) for folder in folders]
        actions: list[tuple[str, Callable[[], None]]] = [
            ("cat", lambda paths=paths: cat(paths)),
            ("recovery, 1 thread", lambda folders=folders: recover(folders, 1)),
            ("recovery, 2 threads", lambda folders=folders: recover(folders, 2)),
        ]
        for label, action in actions:
            figures = []
            for is_cold in (True, False):
                forget_indexes(folders)
                if is_cold:
                    forget_cached(paths)
                cpu = time.process_time()
                took = timed(action)
                cpu = time.process_time() - cpu
                figures.append(f"{size_bytes / took / GIB:.2f}")
            row(
                f"{name} batches: {label}",
                f"{figures[0]} cold, {figures[1]} warm GiB/s "
                f"({size_bytes / cpu / GIB:.2f} per CPU s)",
            )
        for folder in folders:
            shutil.rmtree(folder)
    block = os.urandom(MIB)
    took = timed(lambda: [crc32c(block) for _ in range(1024)])
    row("CRC alone, 1 thread", f"{1 / took:.2f} GiB/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=2, help="how much data the logs have")
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="recovery.", dir=options.folder))
    print("| what | figure |\n|---|---|")
    try:
        measure(root, int(options.gib * GIB))
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
