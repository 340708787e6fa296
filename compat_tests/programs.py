"""Clients behind a program of their own, which the shared suite asks in JSON.

A question is an operation's name and its arguments, one JSON object; its answer {"result": ...} or
{"error": {"code", "text"}}, where the code is null when not the broker but the client gave up.
Bytes are base64, and null is null. The operations are those of client.Client.

`PROGRAM BOOTSTRAP OPERATION` answers one question, from standard input; what is slow to start is
`serving`: `PROGRAM serve BOOTSTRAP` answers question after question, one a line, each with the
operation as `op`. A group's member is `member GROUP TOPIC ASSIGNOR [INSTANCE]` and prints what
groups.py reads.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest

from compat_tests.client import BrokerError, Client, Code, GroupView, Position, Record, Step
from compat_tests.groups import MemberCommand, when_coordinator_is_up
from compat_tests.packing import record_from_json, record_to_json

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "clients"
BUILD_TIMEOUT_S = 900
OPERATION_TIMEOUT_S = 120


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
    target = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    run_build(["go", "build", "-buildvcs=false", "-o", str(target), "."], HERE / name)
    return target


def build_rust(name: str) -> Path:
    folder = CACHE / f"{name}-target"
    command = ["cargo", "build", "--quiet", "--target-dir", str(folder)]
    run_build(command, HERE / name)
    return folder / "debug" / name


def compile_java(sources: Sequence[Path], classes: Path, libraries: str, *options: str) -> None:
    """Once; other test processes may be at the same."""
    if classes.is_dir():
        return
    classes.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=classes.parent) as folder:
        mine = Path(folder) / classes.name
        command = ["javac", "-proc:none", *options, "-d", str(mine), "-cp", libraries]
        run_build([*command, *map(str, sources)], HERE)
        with contextlib.suppress(OSError):  # another was faster
            mine.rename(classes)


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


def result_of(answer: Mapping[str, Any]) -> Any:
    """BrokerError for the broker's error, AssertionError for the client's own."""
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    assert error["code"] is not None, error["text"]
    raise BrokerError(error["code"], error["text"])


class ProgramClient(Client):
    """Subclasses name the library, its language and its folder here."""

    language: ClassVar[str]
    folder: ClassVar[str]

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
        return result_of(json.loads(done.stdout))

    def member_command(self, assignor: str, *instance: str) -> MemberCommand:
        def command(bootstrap: str, group: str, topic: str) -> list[str]:
            return [str(self.program), bootstrap, "member", group, topic, assignor, *instance]

        return command

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
        return [record_from_json(fields)._replace(timestamp_ms=None) for fields in records]

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

    def list_groups(self) -> list[str]:
        return list(self.ask("list_groups"))

    def delete_group(self, group: str) -> None:
        self.ask("delete_group", group=group)

    def commit_stale(self, group: str, topic: str, generation: int) -> None:
        self.ask("commit_stale", group=group, topic=topic, at=generation)

    def delete_records(self, topic: str, before: int) -> None:
        self.ask("delete_records", topic=topic, partition=0, at=before)

    def journey(self, topic: str, partitions: int, steps: Sequence[Step]) -> list[list[Position]]:
        reads = self.ask("journey", topic=topic, partitions=partitions, steps=list(steps))
        return [[Position(*pair) for pair in read] for read in reads]

    def traveller(self, topic: str, partitions: int) -> NoReturn:
        raise NotImplementedError("the program itself goes on the journey")


class LibrarysChoice(ProgramClient):
    """Of a library that tells where its own partitioner puts a key."""

    def partitions_of(self, keys: Sequence[bytes], partitions: int) -> list[int]:
        keyed = [record_to_json(Record(None, key)) for key in keys]
        return list(self.ask("partitions_of", records=keyed, partitions=partitions))
