"""Clients in other languages: one small program for each, built once, driven by the shared suite.

`PROGRAM BOOTSTRAP OPERATION` reads the operation's arguments from stdin, one JSON object, and
prints {"result": ...} or, when the broker refused, {"error": code, "text": ...}. Bytes are base64,
and null is null. `PROGRAM BOOTSTRAP member GROUP TOPIC ASSIGNOR [INSTANCE]` is a group's member
and prints what groups.py reads. The operations are those of client.Client, and Journey's.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest

from compat_tests.client import BrokerError, Client, Code, GroupView, Headers, Position, Record
from compat_tests.groups import Program, parse_json, when_coordinator_is_up

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "clients"
BUILD_TIMEOUT_S = 900
OPERATION_TIMEOUT_S = 60

Steps = Sequence[Mapping[str, object]]


class CannotBuild(Exception):
    """Why there is no program: no compiler, no way to fetch the library, or an error in it."""


def run_build(command: Sequence[str], folder: Path, **environment: str) -> None:
    if shutil.which(command[0]) is None:
        raise CannotBuild(f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotBuild(f"{' '.join(command)}: not done in {BUILD_TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise CannotBuild(f"{' '.join(command)}:\n{done.stderr[-4000:]}")


def build_go(name: str) -> Path:
    """One package at a time: the broker under test shares the processors with the build."""
    target = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    run_build(["go", "build", "-p", "1", "-buildvcs=false", "-o", str(target), "."], HERE / name)
    return target


def build_rust(name: str) -> Path:
    folder = CACHE / f"{name}-target"
    command = ["cargo", "build", "--release", "--quiet", "-j", "1", "--target-dir", str(folder)]
    run_build(command, HERE / name)
    return folder / "release" / name


BUILDERS = {"go": build_go, "rust": build_rust}


@functools.cache
def built(language: str, name: str) -> Path | CannotBuild:
    """Once for all tests of a run, also when it fails."""
    try:
        return BUILDERS[language](name)
    except CannotBuild as failure:
        return failure


def not_testable(what: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{what} (on CI nothing may be missing)", pytrace=False)
    pytest.skip(what)


def program_of(language: str, name: str) -> Path:
    program = built(language, name)
    if isinstance(program, CannotBuild):
        not_testable(f"cannot build compat_tests/{name}: {program}")
    return program


def to_text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def to_bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def record_to_json(record: Record) -> dict[str, object]:
    return {
        "value": to_text(record.value),
        "key": to_text(record.key),
        "headers": [{"key": key, "value": to_text(value)} for key, value in record.headers],
        "timestamp_ms": record.timestamp_ms,
    }


def record_from_json(fields: Mapping[str, Any]) -> Record:
    headers: Headers = tuple((h["key"], to_bytes(h["value"])) for h in fields["headers"] or ())
    return Record(to_bytes(fields["value"]), to_bytes(fields["key"]), headers)


class ProgramClient(Client):
    """A client library behind a program; subclasses name it and say what it cannot do."""

    language: ClassVar[str]
    folder: ClassVar[str]
    codecs: ClassVar[tuple[str, ...]] = ("none", "gzip", "snappy", "lz4", "zstd")
    lacks: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap)
        self.program = program_of(self.language, self.folder)

    def ask(self, operation: str, **arguments: object) -> Any:
        done = subprocess.run(
            [str(self.program), self.bootstrap, operation],
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            timeout=OPERATION_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{operation} of {self.name}: {done.stderr[-2000:]}"
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise BrokerError(answer["error"], answer["text"])
        return answer["result"]

    def member_program(self, assignor: str, *instance: str) -> Program:
        def command(bootstrap: str, group: str, topic: str) -> list[str]:
            return [str(self.program), bootstrap, "member", group, topic, assignor, *instance]

        return Program(command, parse_json)

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
        self.ask("add_partitions", topic=topic, partitions=total)

    def topics(self) -> dict[str, int]:
        return dict(self.ask("topics"))

    def configs(self, topic: str) -> dict[str, str | None]:
        return dict(self.ask("configs", topic=topic))

    def alter_config(self, topic: str, key: str, value: str) -> None:
        self.ask("alter_config", topic=topic, configs={key: value})

    def produce(
        self,
        topic: str,
        records: Iterable[Record],
        *,
        partition: int | None = 0,
        codec: str = "none",
        idempotent: bool = False,
    ) -> list[Position]:
        positions = self.ask(
            "produce",
            topic=topic,
            records=[record_to_json(record) for record in records],
            partition=partition,
            codec=codec,
            idempotent=idempotent,
        )
        return [Position(*pair) for pair in positions]

    def consume(self, topic: str, count: int, *, partition: int = 0, at: int = 0) -> list[Record]:
        records = self.ask("consume", topic=topic, count=count, partition=partition, at=at)
        return [record_from_json(fields) for fields in records]

    def watermarks(self, topic: str, partition: int = 0) -> tuple[int, int]:
        first, end = self.ask("watermarks", topic=topic, partition=partition)
        return first, end

    def offset_for_time(self, topic: str, timestamp_ms: int) -> int | None:
        offset: int = self.ask("offset_for_time", topic=topic, timestamp_ms=timestamp_ms)
        return None if offset < 0 else offset

    def commit(self, group: str, topic: str, offset: int, metadata: str) -> None:
        when_coordinator_is_up(
            lambda: self.ask("commit", group=group, topic=topic, at=offset, metadata=metadata)
        )

    def committed(
        self, group: str, topic: str, partitions: Sequence[int] = (0,)
    ) -> list[tuple[int, str] | None]:
        asked = {"group": group, "topic": topic, "list": list(partitions)}
        found = when_coordinator_is_up(lambda: self.ask("committed", **asked))
        return [(at["offset"], at["metadata"]) if at["offset"] >= 0 else None for at in found]

    def describe_group(self, group: str) -> GroupView:
        try:
            view = when_coordinator_is_up(lambda: self.ask("describe_group", group=group))
        except BrokerError as error:
            if error.code != Code.GROUP_ID_NOT_FOUND:
                raise
            return GroupView("Dead", 0, ())  # as the request's versions before 6 tell it
        return GroupView(view["state"], view["members"], tuple(sorted(view["assigned"] or ())))

    # -- beyond what every client shares ----------------------------------------------------------

    def list_groups(self) -> list[str]:
        return list(self.ask("list_groups"))

    def delete_group(self, group: str) -> None:
        self.ask("delete_group", group=group)

    def commit_stale(self, group: str, topic: str, generation: int) -> None:
        """As the group's only member, in a generation that is not the group's."""
        self.ask("commit_stale", group=group, topic=topic, at=generation)

    def delete_records(self, topic: str, before: int) -> None:
        self.ask("delete_records", topic=topic, partition=0, at=before)

    def partitions_of(self, keys: Sequence[bytes], partitions: int) -> list[int]:
        """What the client's own partitioner says, without a broker."""
        keyed = [record_to_json(Record(None, key)) for key in keys]
        return list(self.ask("partitions_of", records=keyed, partitions=partitions))

    def journey(self, topic: str, partitions: int, steps: Steps) -> list[list[Position]]:
        """One consumer from the beginning of all partitions, going through `steps`.

        {"do": "read", "count": n} adds to the answer what came; seek (to), seek_beginning,
        seek_end, seek_time (to) move partition 0; pause and resume (partition) stop and go on;
        produce (partition, count) adds records through a producer of its own.
        """
        reads = self.ask("journey", topic=topic, partitions=partitions, steps=list(steps))
        return [[Position(*pair) for pair in read] for read in reads]
