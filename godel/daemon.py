"""`godel-broker`: arguments -> configuration -> compose -> serve.

    godel-broker [--config FILE] [--data DIR] [--listen HOST:PORT] [--advertise HOST:PORT]
                 [--set KEY=VALUE ...]
    godel-broker config      prints every setting, its value and where it came from
    godel-broker verify      and what else an operator does to data: `operations/command_line.py`

Exit status: 0 after a stop in good order, 1 when the broker cannot run, 2 for a configuration that
cannot be used. What keeps it from running is said in one line on standard error.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from godel import __version__, descriptors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from structlog.typing import FilteringBoundLogger

    from godel.config.broker import BrokerConfig
    from godel.config.sources import Given, Loaded
    from godel.server.node import Surroundings

CANNOT_RUN, BAD_CONFIGURATION = 1, 2
OPERATIONS = ("verify", "import", "backup", "restore")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""
MAPPED_FROM_BYTES = 32 * 1024 * 1024
KEPT_FREE_BYTES = 64 * 1024 * 1024
COLLECTED_EVERY = (10_000, 10, 20)
"""Thresholds of the garbage collector, whose own are 700, 10 and 10.

Reference counts free what requests leave behind. Parked requests outlive the young generations, and
caused full collections of 50 ms, twice a second. Cycles are rare and may gather for longer.
"""
HAS_UVLOOP = sys.platform != "win32"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in OPERATIONS:
        from godel.operations import command_line

        return command_line.main(arguments)
    options = parser().parse_args(arguments)
    gc.disable()  # until all is imported, for nothing of that is garbage: 25 ms of a start
    try:
        return serve_or_print(options)
    finally:
        gc.enable()


def serve_or_print(options: argparse.Namespace) -> int:
    from godel.config.sources import ConfigError

    try:
        loaded = load_configuration(options)
    except ConfigError as error:
        for problem in error.problems:
            print(f"godel-broker: {problem}", file=sys.stderr)
        return BAD_CONFIGURATION
    except OSError as error:
        print(f"godel-broker: cannot read {error.filename}: {error.strerror}", file=sys.stderr)
        return BAD_CONFIGURATION
    if options.command == "config":
        print_configuration(loaded)
        return 0
    return run(loaded)


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="godel-broker",
        description="A Kafka broker. Without arguments: 127.0.0.1:9092, data in ./data.",
        epilog=f"Other commands, each with its own --help: {', '.join(OPERATIONS)}.",
    )
    described.add_argument("--version", action="version", version=f"godel-broker {__version__}")
    described.add_argument(
        "command",
        nargs="?",
        type=command_named,
        metavar="config",
        help="print every setting and its source",
    )
    described.add_argument("--config", metavar="FILE", help="a properties file, as Kafka's")
    described.add_argument("--data", metavar="DIR", help="the data directory (log.dirs)")
    described.add_argument("--listen", metavar="HOST:PORT", help="where to listen (listeners)")
    described.add_argument(
        "--advertise", metavar="HOST:PORT", help="what clients are told (advertised.listeners)"
    )
    described.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="any setting; repeatable"
    )
    return described


def command_named(word: str) -> str:
    """Kafka's start script takes its file without a flag; whoever does so here is told."""
    if word == "config":
        return word
    if word.endswith(".properties") or Path(word).is_file():
        raise argparse.ArgumentTypeError(f"for a file of settings: --config {word}")
    known = ", ".join(("config", *OPERATIONS))
    raise argparse.ArgumentTypeError(f"there is no {word}, only {known}")


def load_configuration(options: argparse.Namespace) -> Loaded:
    """Flags over environment over file over defaults. Raises ConfigError, OSError."""
    from godel.config.sources import from_environment, from_properties, load

    file: list[Given] = []
    if options.config is not None:
        text = Path(options.config).read_text(encoding="utf-8", errors="replace")
        file = from_properties(text, options.config)
    return load(flags(options), from_environment(os.environ), file)


def flags(options: argparse.Namespace) -> list[Given]:
    from godel.config.sources import Given, from_flags

    named = [
        (key, value, flag)
        for key, value, flag in (
            ("log.dirs", options.data, "flag --data"),
            ("listeners", options.listen, "flag --listen"),
            ("advertised.listeners", options.advertise, "flag --advertise"),
        )
        if value is not None
    ]
    pairs = [tuple(pair.partition("=")[::2]) for pair in options.set]
    return [*from_flags(pairs), *(Given(*each) for each in named)]


def print_configuration(loaded: Loaded) -> None:
    """One `key=value` a line, with the source and whether anything here follows it."""
    from godel.config.kafka_keys import why_ignored

    lines = []
    for line in loaded.listing():
        effect = "" if line.has_effect else ", no effect in this broker"
        lines.append(f"{line.key}={line.value}  # {line.source}{effect}")
    for given in loaded.ignored:
        why = why_ignored(given.key)
        lines.append(f"# {given.key}={given.value}  # {given.source}, ignored: {why}")
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end


def run(loaded: Loaded) -> int:
    """Serve until SIGTERM or SIGINT. Heavy imports come only now, for a broker that will run."""
    import anyio

    descriptors.allow_more()
    keep_freed_memory()
    gc.set_threshold(*COLLECTED_EVERY)
    log = configure_logging()
    tell_what_is_not_followed(loaded, log)
    try:
        anyio.run(serve, loaded.config, log, backend_options={"use_uvloop": HAS_UVLOOP})
    except tuple(known_failures()) as failure:
        print(f"godel-broker: {explanation(failure)}", file=sys.stderr)
        return CANNOT_RUN
    return 0


def tell_what_is_not_followed(loaded: Loaded, log: FilteringBoundLogger) -> None:
    """What of a configuration written for Apache Kafka nothing here follows, a line per reason."""
    for reason, keys in loaded.ignored_by_reason().items():
        log.info("settings_ignored", keys=", ".join(keys), reason=reason)
    if keys := loaded.without_effect():
        log.info("settings_without_effect", keys=", ".join(keys), reason="kept and shown only")


def explanation(failure: Exception) -> str:
    """The text of a failure, without the number that the system has for it."""
    if isinstance(failure, OSError) and failure.strerror and failure.filename is None:
        return failure.strerror
    return str(failure)


def known_failures() -> list[type[Exception]]:
    """What an operator can mend, with a text that says how. Anything else is a bug: traceback."""
    from godel.errors import StorageFailed
    from godel.metadata.records import CorruptRecord
    from godel.metadata.sqlite_store import StoreUnusable
    from godel.metadata.store import StoreUnavailable
    from godel.storage.data_directory import DataDirectoryError

    return [
        OSError,
        DataDirectoryError,
        StorageFailed,
        StoreUnusable,
        StoreUnavailable,
        CorruptRecord,
    ]


async def serve(config: BrokerConfig, log: FilteringBoundLogger) -> None:
    """Run the broker until a signal asks it to stop."""
    import anyio

    from godel.server.node import running_node

    gc.freeze()  # modules stay: no collection need walk through them again
    gc.enable()
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with surroundings(config, log) as given, running_node(config, given) as node:
            gc.freeze()  # topics and partitions stay, too
            log.info(
                "broker_ready",
                listens_on=str(node.listens_on),
                advertised=str(node.endpoint),
                data=", ".join(given.directories.paths),
                node_id=config.node_id,
                cluster_id=given.directories.cluster_id,
                acks_all="page cache" if config.write_caching else "synced to disk",
                metrics=f"http://{node.monitor}/metrics" if node.monitor else "off",
            )
            if node.endpoint.host != node.listens_on.host and not config.advertised_listeners:
                log.warning(
                    "host_name_advertised",
                    host=node.endpoint.host,
                    reason="clients are told this machine's name: the broker listens everywhere",
                    change_with="--advertise HOST:PORT",
                )
            async for number in signals:
                log.info("broker_stopping", signal=signal.Signals(number).name)
                break
    log.info("broker_stopped")


@asynccontextmanager
async def surroundings(
    config: BrokerConfig, log: FilteringBoundLogger
) -> AsyncIterator[Surroundings]:
    """The real file system, clock and metadata file."""
    from godel.clock import Randomness, SystemClock
    from godel.metadata.sqlite_store import SqliteStore
    from godel.server.node import Surroundings
    from godel.storage.data_directories import DataDirectories
    from godel.storage.real_files import RealFiles

    clock, randomness = SystemClock(), Randomness()
    directories = DataDirectories.open(
        config.data_directories,
        metadata_path=config.metadata_log_dir,
        files=RealFiles(),
        clock=clock,
        randomness=randomness,
        node_id=config.node_id,
    )
    with directories.given_back_on_failure():
        store = await SqliteStore.open(Path(directories.metadata_file()))
    try:
        yield Surroundings(
            directories=directories, store=store, clock=clock, randomness=randomness, log=log
        )
    finally:
        await store.close()


def keep_freed_memory() -> None:
    """Ask glibc to keep some freed memory instead of giving it back to the kernel each time.

    A Fetch answer is read into a fresh buffer of up to some megabytes. By default glibc maps each
    of them anew, and the page faults cost more than reading and sending together (three times the
    CPU in the consume rows of `benchmarks/broker.py`). Bounded by `KEPT_FREE_BYTES`.
    """
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES)


def configure_logging() -> FilteringBoundLogger:
    """Events to standard error: readable on a terminal, JSON lines otherwise."""
    import logging

    with hidden("rich"):
        import structlog

    render = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    log: FilteringBoundLogger = structlog.get_logger()
    return log


@contextmanager
def hidden(module: str) -> Iterator[None]:
    """Let imports find no such module, unless it has been imported already.

    structlog imports rich wherever it is installed, for tracebacks that nobody here asks for: 4 MiB
    and 40 ms in a process that starts in 200.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # Python's way to say that it is not there
    try:
        yield
    finally:
        del sys.modules[module]


if __name__ == "__main__":
    sys.exit(main())
