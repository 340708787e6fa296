"""Cuts the power after every operation of a history, and looks at what the next start makes of it.

At an operation of the disk or a step of a transaction of the metadata store, the disk is copied as
a power cut would leave it, together with the metadata and with what had been promised by then.
Every copy is started by a whole broker and checked. The history is lived once, however many copies
are taken of it; and it goes on from one of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from godel.clock import ManualClock, Randomness
from godel.metadata.memory_store import MemoryStore
from godel.storage.faulty_files import Fault, FaultyFiles, Kind, Operation
from tests.crash.history import History
from tests.crash.node import running
from tests.crash.promises import Promises
from tests.crash.reckoning import check

LATER_MS = 60_000
STEPS_PER_LIFE = 12


class CrashState(NamedTuple):
    """What a power cut left, and what had been promised."""

    where: str
    disk: FaultyFiles
    store: MemoryStore
    promises: Promises


class BrokenPromise(AssertionError):
    """Something that a client was told is not so after a crash."""


class Enumeration:
    """One generated history. `checked` counts the states."""

    def __init__(
        self,
        seed: int,
        *,
        share: float = 0.5,
        is_inline: bool = True,
        paths: Sequence[str] = ("data",),
    ) -> None:
        """`share` of the operations get a state. Without `is_inline` syncs run between requests.

        `paths`: of the data directories.
        """
        self.checked = 0
        self._seed = seed
        self._share = share
        self._is_inline = is_inline
        self._paths = paths
        self._chance = random.Random(seed)
        self._sampling = random.Random(-seed)
        self._randomness = Randomness(seed)
        self._promises = Promises()
        self._clock = ManualClock()
        self._history = History(self._chance, self._promises, self._clock)
        self._disk = FaultyFiles()
        self._store = MemoryStore()
        self._waiting: list[CrashState] = []
        self._life = 0

    async def run(self, *, states: int) -> None:
        """Live on until so many states were checked. Raises `BrokenPromise`."""
        while self.checked < states:
            await self._live()
            self._life += 1

    async def _live(self) -> None:
        self._watch()
        is_crash = self._chance.random() < 0.5
        after = None
        async with running(
            self._disk,
            self._store,
            self._clock,
            seed=self._chance.randrange(1 << 30),
            paths=self._paths,
        ) as client:
            await (self._history.resume(client) if self._life else self._history.begin(client))
            for _ in range(STEPS_PER_LIFE):
                await self._history.step(client)
                await self._check_waiting()
            if is_crash:
                after = self._after_crash("at the end of a life")
                self._let_alone()
            await self._history.answered()
        if after is not None:
            self._disk, self._store = after.disk, after.store
            self._history.promises = self._promises = after.promises
        else:
            self._keep_all()
            self._let_alone()
        await self._check_waiting()

    def _keep_all(self) -> None:
        """After a stop in good order everything is there."""
        for topic in self._promises.topics.values():
            for partition in topic.partitions:
                partition.keep(partition.end)

    # -- taking states --------------------------------------------------------------------------

    def _watch(self) -> None:
        self._disk.is_inline = self._is_inline
        self._disk.faults = self._before_operation
        self._store.interfere = self._before_transaction

    def _let_alone(self) -> None:
        self._disk.faults = None
        self._store.interfere = None

    def _before_operation(self, operation: Operation) -> Fault | None:
        if operation.kind is not Kind.READ:
            self._take(f"before {operation.number}, {operation.kind.value} {operation.path}")
        return None

    async def _before_transaction(self, step: str) -> None:
        if step.startswith("txn"):
            self._take(f"metadata {step}, before operation {self._disk.operations + 1}")

    def _take(self, where: str) -> None:
        if self._sampling.random() < self._share:
            self._waiting.append(self._after_crash(where))

    def _after_crash(self, where: str) -> CrashState:
        return CrashState(
            f"history {self._seed}, life {self._life}, {where}",
            self._disk.after_crash(self._randomness),
            self._store.copy(),
            self._promises.copy(),
        )

    # -- checking them --------------------------------------------------------------------------

    async def _check_waiting(self) -> None:
        states, self._waiting = self._waiting, []
        for state in states:
            failure = await self._failure_of(state)
            if failure is not None:
                raise BrokenPromise(f"{state.where}: {failure!r}") from failure
            self.checked += 1

    async def _failure_of(self, state: CrashState) -> Exception | None:
        clock = ManualClock(self._clock.now_ms() + LATER_MS)
        try:
            async with running(
                state.disk, state.store, clock, seed=self.checked, paths=self._paths
            ) as client:
                await check(client, state.promises)
        except Exception as failure:  # noqa: BLE001  # whatever it is, it is told where it happened
            return failure
        return None
