"""Clients that do not live in this Python: a program of their own, asked in JSON lines.

The program serves the operations of client.Client, and a few more (Reader). A question is one line,
{"op": name, ...arguments}; its answer one line, {"result": ...} or {"error": {"code", "text"}}.
Bytes travel as base64; a record is [value, key, [[header, value], ...], timestamp].
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from compat_tests.client import BrokerError, Client, GroupView, Position, Record
from compat_tests.groups import when_coordinator_is_up
from compat_tests.packing import packed_record, unpacked_record

ROOT = Path(__file__).resolve().parents[1]
ANSWER_TIMEOUT_S = 90.0


class ServingProgram:
    """One process of the client; it ends with its standard input."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._errors: list[str] = []
        self._threads = [
            threading.Thread(target=self._gather_answers, daemon=True),
            threading.Thread(target=self._gather_errors, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _gather_answers(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def _gather_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, op: str, arguments: Mapping[str, object]) -> object:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=ANSWER_TIMEOUT_S)
        except queue.Empty:
            self.end()
            raise AssertionError(
                f"{op}: no answer in {ANSWER_TIMEOUT_S:g} s{self._said()}"
            ) from None
        if line is None:
            self.end()
            raise AssertionError(f"{op}: the program has ended{self._said()}")
        answer = json.loads(line)
        if "error" not in answer:
            return answer.get("result")
        if answer["error"]["code"] is None:
            raise AssertionError(f"{op}: {answer['error']['text']}{self._said()}")
        raise BrokerError(answer["error"]["code"], answer["error"]["text"])

    def _said(self) -> str:
        return "\n" + "".join(self._errors[-30:])

    def end(self) -> None:
        assert self._process.stdin is not None
        if self.is_alive:
            self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(10)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class RemoteClient(Client):
    """Subclass it with `command`; all instances share one process."""

    command: ClassVar[tuple[str, ...]]
    _programs: ClassVar[dict[tuple[tuple[str, ...], str], ServingProgram]] = {}

    def ask(self, op: str, **arguments: object):  # type: ignore[no-untyped-def]  # JSON
        key = (self.command, self.bootstrap)
        program = self._programs.get(key)
        if program is None or not program.is_alive:
            program = ServingProgram([*self.command, "serve", self.bootstrap])
            self._programs[key] = program
        return program.ask(op, arguments)

    @classmethod
    def end(cls) -> None:
        for key in [key for key in cls._programs if key[0] == cls.command]:
            cls._programs.pop(key).end()

    def create_topic(
        self,
        topic: str,
        partitions: int = 1,
        *,
        replication_factor: int = 1,
        configs: Mapping[str, str] | None = None,
    ) -> None:
        self.ask(
            "create_topic",
            topic=topic,
            partitions=partitions,
            replication_factor=replication_factor,
            configs=dict(configs or {}),
        )

    def delete_topic(self, topic: str) -> None:
        self.ask("delete_topic", topic=topic)

    def add_partitions(self, topic: str, total: int) -> None:
        self.ask("add_partitions", topic=topic, total=total)

    def topics(self) -> dict[str, int]:
        return self.ask("topics")

    def configs(self, topic: str) -> dict[str, str | None]:
        return self.ask("configs", topic=topic)

    def alter_config(self, topic: str, key: str, value: str) -> None:
        self.ask("alter_config", topic=topic, key=key, value=value)

    def produce(
        self,
        topic: str,
        records: Iterable[Record],
        *,
        partition: int | None = 0,
        codec: str = "none",
        idempotent: bool = False,
    ) -> list[Position]:
        landed = self.ask(
            "produce",
            topic=topic,
            records=[packed_record(record) for record in records],
            partition=partition,
            codec=codec,
            idempotent=idempotent,
        )
        return [Position(*at) for at in landed]

    def consume(self, topic: str, count: int, *, partition: int = 0, at: int = 0) -> list[Record]:
        found = self.ask("consume", topic=topic, count=count, partition=partition, at=at)
        return [unpacked_record(parts[:3]) for parts in found]

    def watermarks(self, topic: str, partition: int = 0) -> tuple[int, int]:
        low, high = self.ask("watermarks", topic=topic, partition=partition)
        return low, high

    def offset_for_time(self, topic: str, timestamp_ms: int) -> int | None:
        return self.ask("offset_for_time", topic=topic, timestamp_ms=timestamp_ms)

    def commit(self, group: str, topic: str, offset: int, metadata: str) -> None:
        self.ask("commit", group=group, topic=topic, offset=offset, metadata=metadata)

    def committed(
        self, group: str, topic: str, partitions: Sequence[int] = (0,)
    ) -> list[tuple[int, str] | None]:
        # Most clients' administration gives up at once while the coordinator is starting.
        found = when_coordinator_is_up(
            lambda: self.ask("committed", group=group, topic=topic, partitions=list(partitions))
        )
        return [(entry[0], entry[1]) if entry else None for entry in found]

    def describe_group(self, group: str) -> GroupView:
        state, members, assigned = self.ask("describe_group", group=group)
        return GroupView(state, members, tuple(sorted(assigned)))

    # -- beyond the shared operations -----------------------------------------------------------

    def groups(self) -> list[str]:
        return self.ask("groups")

    def delete_group(self, group: str) -> None:
        self.ask("delete_group", group=group)

    def reader(self, group: str, topic: str) -> Reader:
        """A consumer in a group that reads from the beginning and stays until it is closed."""
        self.ask("reader_open", group=group, topic=topic)
        return Reader(self)


class Reader:
    def __init__(self, client: RemoteClient) -> None:
        self._client = client

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *failure: object) -> None:
        self._client.ask("reader_close")

    def read(self, count: int) -> list[Position]:
        """The next `count` records, in the order of their coming."""
        return [Position(*at) for at in self._client.ask("reader_read", count=count)]

    def pause(self, partition: int) -> None:
        self._client.ask("reader_pause", partition=partition)

    def resume(self, partition: int) -> None:
        self._client.ask("reader_resume", partition=partition)

    def seek(self, partition: int, to: int | str) -> None:
        """To an offset, "beginning" or "end"."""
        self._client.ask("reader_seek", partition=partition, to=to)
