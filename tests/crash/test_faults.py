"""A disk that is full, or refuses, at any operation of a broker's life: what clients get to see.

The life is the same every time, and something goes wrong at another operation of it. Whatever it
is, every answer is one of Kafka's for a failed disk; what was acknowledged is read all the time and
after a restart; a full disk leaves nothing behind when there is space again, unless a sync failed.
`make fuzz` tries every operation, `make test` some.
"""

from __future__ import annotations

import errno
import random

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode, StorageFailed
from godel.metadata.memory_store import MemoryStore
from godel.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from godel.records.builder import NewRecord, build_batch
from godel.storage.faulty_files import Fault, FaultyFiles, Kind, Operation
from tests.crash.client import BY_NAME, GROUP
from tests.crash.history import TOPICS
from tests.crash.node import NodeClient, running
from tests.fuzzing import IS_FUZZ, SEED
from tests.wire import produce_request, produced

pytestmark = pytest.mark.anyio

OK, LOST = ErrorCode.NONE, ErrorCode.KAFKA_STORAGE_ERROR
NO_COORDINATOR = (
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
)
NAMES = ("durable", "compacted")
ROUNDS = 6
ABOUT, SAMPLE = 800, 30
"""So many operations there are at least, and are tried when not all of them are."""
FULL, BROKEN, TORN = "full", "broken", "torn"


class Life:
    """One broker's life on a disk that fails at one operation, or from one operation on."""

    def __init__(self, at: int | None = None, how: str = FULL, *, is_cut_off: bool = False) -> None:
        """`is_cut_off`: it ends with a power cut, not with a stop in good order."""
        self.disk = FaultyFiles()
        self.store = MemoryStore()
        self.clock = ManualClock()
        self.acknowledged: dict[str, dict[int, bytes]] = {name: {} for name in NAMES}
        self.deleted = 0
        """Below it somebody has begun to delete records of the first topic."""
        self.committed: set[int] = set()
        self.hit: set[Kind] = set()
        self._at = at
        self._how = how
        self._is_cut_off = is_cut_off
        self._sent = 0
        self._begin = 0

    # -- the disk -------------------------------------------------------------------------------

    @property
    def operations(self) -> int:
        """Those that may fail."""
        return self.disk.operations - self._begin

    def break_disk(self) -> None:
        self._begin = self.disk.operations
        if self._at is not None:
            self.disk.faults = self._fault

    def _fault(self, operation: Operation) -> Fault | None:
        assert self._at is not None
        number = operation.number - self._begin
        if operation.kind is Kind.READ or number < self._at:
            return None
        if self._how == FULL:  # until there is space again
            if operation.kind is Kind.APPEND or number == self._at:
                self.hit.add(operation.kind)
                return Fault(errno.ENOSPC)
        elif number == self._at:
            self.hit.add(operation.kind)
            return Fault(errno.EIO, 30 if self._how == TORN else 0)
        return None

    @property
    def may_be_fenced(self) -> bool:
        return self._how != FULL or bool(self.hit & {Kind.SYNC, Kind.SYNC_FOLDER})

    # -- what clients do ------------------------------------------------------------------------

    async def run(self) -> None:
        """Begin on a sound disk, go on with one that fails, start again on a sound one."""
        left = self.disk
        try:
            async with running(self.disk, self.store, self.clock, seed=1) as client:
                for name in NAMES:
                    await client.create(name, 1, TOPICS[name].configs)
                await client.find_coordinator()
                await self.produce(client)
                self.break_disk()
                for number in range(ROUNDS):
                    await self.round(client, number)
                    if self._is_cut_off and self.hit and self._how != FULL:
                        break  # while it matters: later on records are deleted
                self.disk.faults = None
                if not self.may_be_fenced:
                    await self.everything_works(client)
                if self._is_cut_off:
                    left = self.disk.after_crash()
        except StorageFailed:  # not even a small file can be written: the broker has stopped
            if self._how == FULL:
                raise
        self.disk = left
        self.disk.faults = None
        self.disk.release_locks()
        self.clock.advance(1)
        async with running(self.disk, self.store, self.clock, seed=2) as client:
            await self.check(client)
            await self.everything_works(client)

    async def round(self, client: NodeClient, number: int) -> None:
        await self.produce(client)
        await self.check(client)
        if number == 3:
            await self.delete_records(client)
        self.clock.advance(1001)  # the segments are closed with the next batch
        await self.produce(client)
        await self.commit(client, number)
        await client.checkpoint()
        await client.maintain()
        await client.compact()
        await client.turns(5)
        await self.check(client)

    async def produce(self, client: NodeClient) -> dict[str, ErrorCode]:
        codes = {}
        for name in NAMES:
            self._sent += 1
            value = b"%d" % self._sent
            batch = build_batch([NewRecord(value, value)], timestamp_ms=self.clock.now_ms())
            request = produce_request({(name, 0): batch}, acks=-1)
            answer = produced(await client.ask(request))
            codes[name] = ErrorCode(answer.error_code)
            assert codes[name] in (OK, LOST), answer
            if codes[name] is OK:
                self.acknowledged[name][answer.base_offset] = value
        return codes

    async def delete_records(self, client: NodeClient) -> None:
        self.deleted = max(self.acknowledged["durable"])
        wanted = [DeleteRecordsPartition(partition_index=0, offset=self.deleted)]
        topics = [DeleteRecordsTopic(name="durable", partitions=wanted)]
        (topic,) = (await client.ask(DeleteRecordsRequest(topics=topics))).topics
        assert topic.partitions[0].error_code in (OK, LOST)

    async def commit(self, client: NodeClient, offset: int) -> ErrorCode:
        wanted = [OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)]
        request = OffsetCommitRequest(
            group_id=GROUP,
            generation_id_or_member_epoch=-1,
            member_id="",
            topics=[OffsetCommitRequestTopic(name="durable", partitions=wanted)],
        )
        (topic,) = (await client.ask(request, BY_NAME)).topics
        code = ErrorCode(topic.partitions[0].error_code)
        assert code is OK or code in NO_COORDINATOR, code
        if code is OK:
            self.committed = set()
        self.committed.add(offset)  # what is refused may be there after a restart
        return code

    # -- what they see --------------------------------------------------------------------------

    async def check(self, client: NodeClient) -> None:
        """Everything that was acknowledged is read, and nothing in its place."""
        for name in NAMES:
            stored = await client.stored(name, 0)
            found = {offset: record.value for offset, record in stored.records}
            assert stored.start <= self.deleted or name != "durable" or self.retained(stored.start)
            for offset, value in self.acknowledged[name].items():
                if offset >= stored.start:
                    assert found.get(offset) == value, (name, offset, value, found)

    def retained(self, start: int) -> bool:
        """Retention may go up to the last closed segment; it never takes the newest records."""
        return start <= max(self.acknowledged["durable"])

    async def everything_works(self, client: NodeClient) -> None:
        assert set((await self.produce(client)).values()) == {OK}
        for _ in range(5):  # a coordinator that could not write is loaded anew
            await client.find_coordinator()
            if await self.commit(client, 100) is OK:
                break
            await client.turns(20)
        else:
            raise AssertionError("no offset can be committed")
        assert (await client.committed())["durable", 0] == 100
        await self.check(client)


async def count() -> int:
    """How many operations there are in the part of a life that may go wrong."""
    life = Life()
    await life.run()
    return life.operations


@pytest.mark.parametrize("how", [FULL, BROKEN, TORN])
async def test_a_disk_that_fails_loses_nothing(how: str) -> None:
    await failing(random.Random(SEED).randrange(1, ABOUT), how)


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.parametrize("how", [FULL, BROKEN, TORN])
async def test_a_disk_that_fails_at_any_operation_loses_nothing(how: str) -> None:
    operations = range(1, await count() + 1)
    assert len(operations) >= ABOUT
    chosen = operations if IS_FUZZ else random.Random(SEED).sample(operations, SAMPLE)
    for at in chosen:
        await failing(at, how)


async def failing(at: int, how: str) -> None:
    life = Life(at, how, is_cut_off=at % 2 == 1)
    try:
        await life.run()
    except BaseException as failure:
        failure.add_note(f"{how} at operation {at}: {sorted(kind.value for kind in life.hit)}")
        raise
