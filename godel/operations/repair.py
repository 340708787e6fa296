"""One start and one stop of a broker without sockets, which leaves every log recovered and closed.

This is how `verify --repair`, `restore` and `import` bring data into order: by what a start does
after a crash, and nothing else. What it met and did comes as lines for the operator.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from godel.clock import Clock, Randomness
from godel.config.sources import from_flags, load
from godel.errors import ApiError
from godel.metadata.store import MetadataStore
from godel.server.node import Surroundings, running_broker
from godel.storage.data_directories import DataDirectories

WARNING = 30
"""Of the standard library's levels."""

Say = Callable[[str], object]


async def recover(
    directories: DataDirectories,
    store: MetadataStore,
    *,
    clock: Clock,
    randomness: Randomness,
    say: Say,
) -> None:
    """Check every log from its beginning, mend what can be mended, and stop in good order.

    Takes over `directories`. Leader epochs rise, as after every start that had to check.
    Raises StoreUnavailable, CorruptRecord.
    """
    directories.was_clean = False
    for directory in directories.working:
        directory.was_clean = False
        directory.is_suspect = True
        directory.positions.ends.clear()
    config = load(from_flags([("node.id", str(directories.metadata.node_id))])).config
    given = Surroundings(
        directories=directories,
        store=store,
        clock=clock,
        randomness=randomness,
        log=telling_log(say),
    )
    async with running_broker(config, given) as broker:
        for partition in broker.partitions():
            if broker.logs.exists(partition.id):
                with suppress(ApiError):  # it was reported as offline
                    partition.open()


def telling_log(say: Say) -> FilteringBoundLogger:
    """A log whose warnings and errors become lines: the event, and what belongs to it."""

    def tell(_logger: object, _level: str, event: MutableMapping[str, Any]) -> str:
        event = dict(event)
        name = str(event.pop("event")).replace("_", " ")
        facts = ", ".join(f"{key} {value}" for key, value in event.items() if value != ())
        say(f"{name}: {facts}" if facts else name)
        raise structlog.DropEvent

    log: FilteringBoundLogger = structlog.wrap_logger(
        None,
        processors=[structlog.processors.format_exc_info, tell],
        wrapper_class=structlog.make_filtering_bound_logger(WARNING),
    )
    return log
