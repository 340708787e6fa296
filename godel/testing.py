"""A broker inside your test: real sockets, a thread of its own, nothing left behind.

    with Broker() as broker:
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)

In memory unless `data` names a directory. There is no rebalance delay and nothing is synced to
disk, for a test wants neither. With `clock=ManualClock()` the test drives time: session timeouts,
long polls and retention stand still until `broker.advance(600_000)`. With `files=FaultyFiles()` the
disk may fail, and `broker.crash()` cuts the power.

Nothing global is touched: no logging configuration, signal handler or event loop policy.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import structlog
from anyio.from_thread import BlockingPortal, start_blocking_portal

from godel.clock import Clock, ManualClock, Randomness, SystemClock
from godel.config.sources import from_flags, load
from godel.metadata.memory_store import MemoryStore
from godel.server.limits import Limits
from godel.server.node import Node, Surroundings, running_node
from godel.storage.data_directories import DataDirectories
from godel.storage.faulty_files import FaultyFiles, PowerCut
from godel.storage.files import Files
from godel.storage.memory_files import MemoryFiles
from godel.storage.real_files import RealFiles

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from godel.metadata.store import MetadataStore

__all__ = ["Broker", "FaultyFiles", "ManualClock"]
"""What the changelog promises to keep."""

Result = TypeVar("Result")

DEFAULTS = {
    "listeners": "PLAINTEXT://127.0.0.1:0",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.linger.ms": "0",
    "write.caching": "true",
}
PATIENCE_MS = Limits().close_deadline_ms
MEMORY = "memory"
"""The data directory's path on a file system in memory."""


class Broker:
    """An embedded broker. `stop` and `start` keep its data; a new one begins empty.

    `settings` are Kafka's broker settings by name. `data` keeps the data in a directory on disk
    instead of in memory, or in those that the setting log.dirs names; `files` is the file system in
    memory, for one that fails. `seed` makes ids and jitter repeatable.
    """

    def __init__(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        data: Path | str | None = None,
        files: MemoryFiles | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        pairs = DEFAULTS | {key: as_text(value) for key, value in (settings or {}).items()}
        self.config = load(from_flags(pairs.items(), "godel.testing.Broker")).config
        self.clock: Clock = clock or SystemClock()
        self._data = None if data is None else Path(data)
        if data is not None and files is not None:
            raise ValueError("a broker keeps its data in `data` or in `files`, not in both")
        self._files: Files = (files or MemoryFiles()) if data is None else RealFiles()
        self._memory_store = MemoryStore()
        self._randomness = Randomness(seed)
        self._portal_context: AbstractContextManager[BlockingPortal] | None = None
        self._portal: BlockingPortal | None = None
        self._node_context: AbstractContextManager[Node] | None = None
        self._node: Node | None = None

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> Broker:
        """Serve. Raises what keeps a broker from starting: OSError, DataDirectoryError."""
        if self._node is not None:
            raise RuntimeError("the broker is running already")
        options = {"use_uvloop": sys.platform != "win32"}
        portal_context = start_blocking_portal("asyncio", options, name="godel-broker")
        portal = portal_context.__enter__()
        node_context = portal.wrap_async_context_manager(self._running())
        try:
            self._node = node_context.__enter__()
        except BaseException:
            portal_context.__exit__(None, None, None)
            raise
        self._portal_context, self._portal = portal_context, portal
        self._node_context = node_context
        return self

    def stop(self) -> None:
        """Stop in good order; the data stays for the next `start`.

        Clients have five seconds to take their answers, whatever the clock.
        """
        if self._node_context is None or self._portal_context is None:
            return
        node_context, self._node_context, self._node = self._node_context, None, None
        assert self._portal is not None
        outwaiting = self._portal.start_task_soon(self._outwait)
        try:
            node_context.__exit__(None, None, None)
        finally:
            outwaiting.cancel()
            self._portal = None
            portal_context, self._portal_context = self._portal_context, None
            portal_context.__exit__(None, None, None)

    async def _outwait(self) -> None:
        """Move time on when clients do not take their answers: the test waits for us to stop."""
        while isinstance(self.clock, ManualClock):
            await SystemClock().sleep(PATIENCE_MS)
            self.clock.advance(PATIENCE_MS)

    def crash(self, randomness: Randomness | None = None) -> None:
        """Stop as a power cut does: what was not synced is gone at the next `start`.

        Only with `files=FaultyFiles()`. With `randomness` some of what was not synced remains. The
        metadata are spared: a database keeps them, which is trusted to do so.
        """
        files = self._files
        if not isinstance(files, FaultyFiles):
            raise TypeError("crash() needs Broker(files=FaultyFiles())")
        self._files = self.run(lambda _node: files.after_crash(randomness))
        with suppress(PowerCut):  # of a disk that has its own `crash_at`
            self.stop()

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[Node]:
        directories = DataDirectories.open(
            self.config.log_dirs or (MEMORY if self._data is None else str(self._data),),
            metadata_path=self.config.metadata_log_dir,
            files=self._files,
            clock=self.clock,
            randomness=self._randomness,
            node_id=self.config.node_id,
        )
        with directories.given_back_on_failure():
            store = await self._open_store(directories)
        given = Surroundings(
            directories=directories,
            store=store,
            clock=self.clock,
            randomness=self._randomness,
            log=quiet_log(),
        )
        try:
            async with running_node(self.config, given) as node:
                yield node
        finally:
            if self._data is not None:
                await store.close()

    async def _open_store(self, directories: DataDirectories) -> MetadataStore:
        if self._data is None:
            return self._memory_store
        from godel.metadata.sqlite_store import SqliteStore  # most tests want no disk

        return await SqliteStore.open(Path(directories.metadata_file()))

    # -- what a test asks for -----------------------------------------------------------------

    @property
    def node(self) -> Node:
        """The running broker's parts, for looking at; use `run` to call them."""
        if self._node is None:
            raise RuntimeError("the broker is not running")
        return self._node

    @property
    def bootstrap_servers(self) -> str:
        """What a client is given as `bootstrap.servers`."""
        endpoint = self.node.endpoint
        return f"{endpoint.host}:{endpoint.port}"

    def run(self, function: Callable[[Node], Result]) -> Result:
        """Call a function with the node on the broker's own event loop, and wait for it."""
        if self._portal is None:
            raise RuntimeError("the broker is not running")
        return self._portal.call(function, self.node)

    def advance(self, ms: float) -> None:
        """Move the broker's time on; only with a `ManualClock`."""
        clock = self.clock
        if not isinstance(clock, ManualClock):
            raise TypeError("advance() needs Broker(clock=ManualClock())")
        self.run(lambda _node: clock.advance(ms))


def as_text(value: object) -> str:
    """A setting as it stands in a properties file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def quiet_log() -> FilteringBoundLogger:
    """Warnings and errors, to the logger `godel` of the standard library, where pytest sees them.

    It is made here and not by `structlog.configure`, which belongs to the process.
    """
    log: FilteringBoundLogger = structlog.wrap_logger(
        logging.getLogger("godel"),
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    return log
