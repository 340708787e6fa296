"""What an operator does to a data directory, as subcommands of `godel-broker`.

    godel-broker verify DATA [--repair] [--output json]
    godel-broker import DIR... --data DATA
    godel-broker backup DATA --to BACKUP
    godel-broker restore BACKUP --data DATA

Exit status: 0 everything is sound, 1 problems were found (and remain), 2 it could not be done. The
answer goes to standard output, progress and what went wrong to standard error.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio

from godel.clock import Randomness, SystemClock
from godel.config.sources import load
from godel.metadata.image import ImageBuilder, MetadataImage
from godel.metadata.publisher import read_image
from godel.metadata.records import CorruptRecord
from godel.metadata.sqlite_store import SqliteStore, StoreUnusable
from godel.metadata.store import StoreUnavailable
from godel.operations.backup import copy_data, copy_database
from godel.operations.broker_directories import Identity, data_paths, identity_of
from godel.operations.findings import Tally
from godel.operations.kafka_import import import_kafka
from godel.operations.progress import Progress, size_text
from godel.operations.repair import recover, telling_log
from godel.operations.verification import data_bytes, verify
from godel.storage import layout
from godel.storage.data_directories import DataDirectories
from godel.storage.data_directory import DataDirectoryError
from godel.storage.files import join
from godel.storage.real_files import RealFiles

DEFAULT_DATA = "./data"
SOUND, PROBLEMS, COULD_NOT_RUN = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run a subcommand; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        status: int = anyio.run(options.run, options)
    except (OSError, DataDirectoryError, StoreUnusable, StoreUnavailable, CorruptRecord) as failure:
        print(f"godel-broker: {failure}", file=sys.stderr)
        return COULD_NOT_RUN
    return status


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(prog="godel-broker")
    commands = described.add_subparsers(dest="command", required=True)
    verifying = commands.add_parser(
        "verify",
        help="check a stopped broker's data",
        description="Check every batch, index, snapshot and checkpoint of a stopped broker.",
    )
    verifying.add_argument(
        "data", metavar="DATA", help="the data directory; of several that with the metadata"
    )
    verifying.add_argument(
        "--repair", action="store_true", help="first do what a start after a crash does"
    )
    verifying.add_argument("--output", choices=["text", "json"], default="text")
    verifying.set_defaults(run=run_verify)
    importing = commands.add_parser(
        "import",
        help="take over the data of Apache Kafka",
        description="Copy the data of a stopped Apache Kafka (3 or 4) into a new data directory.",
    )
    importing.add_argument("sources", metavar="DIR", nargs="+", help="Kafka's log.dirs")
    importing.add_argument(
        "--data", metavar="DATA", default=DEFAULT_DATA, help="the new directory (./data)"
    )
    importing.set_defaults(run=run_import)
    backing_up = commands.add_parser(
        "backup",
        help="copy a broker's data",
        description="Copy a broker's data, while it runs or not, into a new directory.",
    )
    backing_up.add_argument(
        "data", metavar="DATA", help="the data directory; of several that with the metadata"
    )
    backing_up.add_argument("--to", metavar="BACKUP", required=True, help="the new directory")
    backing_up.set_defaults(run=run_backup)
    restoring = commands.add_parser(
        "restore",
        help="make a data directory from a backup",
        description="Copy a backup into a new data directory, from which a broker can be started.",
    )
    restoring.add_argument("backup", metavar="BACKUP", help="what `backup` has made")
    restoring.add_argument(
        "--data", metavar="DATA", default=DEFAULT_DATA, help="the new directory (./data)"
    )
    restoring.set_defaults(run=run_restore)
    return described


def progress(title: str) -> Progress:
    return Progress(
        title,
        write=_write_error,
        is_terminal=sys.stderr.isatty(),
        clock=SystemClock(),
    )


def _write_error(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


# -- verify ----------------------------------------------------------------------------------------


async def run_verify(options: argparse.Namespace) -> int:
    files, path, told = RealFiles(), str(options.data), progress("checked")
    if options.repair:
        directories = open_directories(path)
        with directories.given_back_on_failure():
            store = await SqliteStore.open(metadata_path(path))
        try:
            await recover(
                directories,
                store,
                clock=SystemClock(),
                randomness=Randomness(),
                say=lambda line: told.say(f"repair: {line}"),
            )
        finally:
            await store.close()
    tally = Tally()
    async with stopped(files, path) as image:
        paths = data_paths(files, path)
        told.expect(sum(data_bytes(files, one) for one in paths))
        verify(files, paths, image, tally=tally, on_progress=told.advance)
    told.clear()
    print_json(tally) if options.output == "json" else print_text(tally)
    return SOUND if tally.is_sound else PROBLEMS


def open_directories(path: str) -> DataDirectories:
    files = RealFiles()
    return DataDirectories.open(
        data_paths(files, path), files=files, clock=SystemClock(), randomness=Randomness()
    )


def metadata_path(path: str) -> Path:
    """Of the metadata file, which must be there: opening it would make an empty one."""
    found = Path(path, layout.METADATA_SQLITE)
    if not found.exists():
        raise DataDirectoryError(
            f"{found} is missing; of several data directories name the one that has it, or restore "
            "it from a backup"
        )
    return found


@asynccontextmanager
async def stopped(files: RealFiles, path: str) -> AsyncIterator[MetadataImage]:
    """Keep brokers off the directories as long as the block lasts; what their metadata say."""
    with ExitStack() as locks:
        for one in data_paths(files, path):
            if not files.exists(one):
                continue
            try:
                locks.callback(files.lock(join(one, layout.LOCK)).close)
            except BlockingIOError:
                told = f"{one} is in use by a broker; stop that one first"
                raise DataDirectoryError(told) from None
        builder = ImageBuilder(identity_of(files, path).node_id, load([]).config)
        store = await SqliteStore.open(metadata_path(path))
        try:
            yield await read_image(store, builder)
        finally:
            await store.close()


# -- import ----------------------------------------------------------------------------------------


async def run_import(options: argparse.Namespace) -> int:
    told, tally, target = progress("copied"), Tally(), str(options.data)
    identity = await import_kafka(
        RealFiles(),
        options.sources,
        target,
        lambda: SqliteStore.open(Path(target, layout.METADATA_SQLITE)),
        tally=tally,
        clock=SystemClock(),
        randomness=Randomness(),
        log=telling_log(lambda _line: None),  # it is in the findings
        expect=told.expect,
        on_progress=told.advance,
    )
    status = conclude(tally, told)
    say_start(target, identity)
    print(
        "what Kafka's server.properties says, such as log.retention.hours, is not imported: give "
        "that file with --config",
        file=sys.stderr,
    )
    return status


def say_start(path: str, identity: Identity) -> None:
    node = "" if identity.node_id == 1 else f" --set node.id={identity.node_id}"
    print(f"start it with: godel-broker --data {shlex.quote(path)}{node}", file=sys.stderr)


# -- backup and restore ----------------------------------------------------------------------------


async def run_backup(options: argparse.Namespace) -> int:
    status, _ = await run_copy(str(options.data), str(options.to), is_restored=False)
    return status


async def run_restore(options: argparse.Namespace) -> int:
    target = str(options.data)
    status, identity = await run_copy(str(options.backup), target, is_restored=True)
    say_start(target, identity)
    return status


async def run_copy(source: str, target: str, *, is_restored: bool) -> tuple[int, Identity]:
    files, told, tally = RealFiles(), progress("copied"), Tally()

    async def copy_store() -> SqliteStore:
        copy = join(target, layout.METADATA_SQLITE)
        copy_database(files, str(metadata_path(source)), copy)
        return await SqliteStore.open(Path(copy))

    identity = await copy_data(
        files,
        source,
        target,
        copy_store,
        is_restored=is_restored,
        tally=tally,
        clock=SystemClock(),
        log=telling_log(lambda _line: None),  # it is in the findings
        expect=told.expect,
        on_progress=told.advance,
    )
    return conclude(tally, told), identity


def conclude(tally: Tally, told: Progress) -> int:
    """Print what became of a copy; the exit status."""
    told.clear()
    for finding in tally.findings:
        print(finding)
    print(f"{tally.partitions} partitions, {size_text(tally.size_bytes)}: {verdict(tally)}")
    return SOUND if tally.is_sound else PROBLEMS


# -- what was found --------------------------------------------------------------------------------


def print_text(tally: Tally) -> None:
    for finding in tally.findings:
        print(finding)
    print(
        f"{tally.partitions} partitions, {tally.segments} segments, {tally.batches} batches, "
        f"{size_text(tally.size_bytes)}: {verdict(tally)}"
    )


def verdict(tally: Tally) -> str:
    problems = sum(1 for _ in tally.problems())
    return f"{problems} problems" if problems else "sound"


def print_json(tally: Tally) -> None:
    counts = {
        name: getattr(tally, name) for name in ("partitions", "segments", "batches", "size_bytes")
    }
    findings = [finding._asdict() for finding in tally.findings]
    print(json.dumps({"sound": tally.is_sound, **counts, "findings": findings}, indent=2))
