"""What happened, as the clients saw it: the journals of all processes put together.

A journal has one JSON object a line. The first one says who writes; the others say what was done,
and `at` is the monotonic clock, which all processes of a machine share. What was begun (`invoke`)
and has no end in the journal is `info`, as what ended without an answer: it may have happened.

Terms of Jepsen: invoke, then ok (it happened), fail (it did not) or info (nobody knows).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from compat_tests.kill.values import Sent, from_text


class Outcome(StrEnum):
    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Producer(NamedTuple):
    """`retries`: the client sends a record again when the broker did not answer."""

    name: str
    client: str
    acks: str
    idempotent: bool
    retries: bool


class Kill(NamedTuple):
    """`ready_at`: when the broker answered again."""

    killed_at: float
    dead_at: float
    ready_at: float
    was_starting: bool = False


class Send(NamedTuple):
    """`ended_at` None: the client never told what became of it. `offset` None: nor where it is."""

    sent: Sent
    invoked_at: float
    ended_at: float | None
    outcome: Outcome
    offset: int | None = None

    def was_under_way(self, kill: Kill) -> bool:
        """Whether the broker died between invocation and answer."""
        is_open = self.ended_at is None or kill.killed_at <= self.ended_at
        return is_open and self.invoked_at <= kill.dead_at


class Assigned(NamedTuple):
    """A member got these partitions and begins where the group has committed."""

    group: str
    member: str
    at: float
    partitions: tuple[int, ...]


class Poll(NamedTuple):
    """Records of one partition that one poll delivered. None: nobody's record."""

    group: str
    member: str
    at: float
    partition: int
    records: tuple[tuple[int, Sent | None], ...]


class Commit(NamedTuple):
    """Offsets that a member committed, by partition."""

    group: str
    member: str
    invoked_at: float
    ended_at: float | None
    outcome: Outcome
    offsets: Mapping[int, int]


class Observation(NamedTuple):
    """A group's committed offsets, as somebody asked for them. None: the group has none."""

    group: str
    invoked_at: float
    at: float
    offsets: Mapping[int, int | None]


class LogRecord(NamedTuple):
    """What the log holds at an offset. `sent` None: nobody's record, and `excerpt` shows it."""

    offset: int
    sent: Sent | None
    excerpt: str = ""


@dataclass(slots=True)
class History:
    """All of it. `log` is what was read back after the end, by partition and in offset order."""

    producers: dict[str, Producer] = field(default_factory=dict)
    sends: list[Send] = field(default_factory=list)
    events: list[Assigned | Poll] = field(default_factory=list)
    """In the order in which each member saw them."""
    commits: list[Commit] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    log: dict[int, Sequence[LogRecord]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    """What a process said it could not go on with."""

    def polls(self) -> Iterator[Poll]:
        return (event for event in self.events if isinstance(event, Poll))

    def groups(self) -> list[str]:
        members = {event.group for event in self.events}
        return sorted(members | {each.group for each in self.observations})


class Journal:
    """Where one process writes. Each line is handed to the kernel before anything goes on."""

    def __init__(self, path: Path, **who: object) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self.note("begin", **who)

    def note(self, did: str, **what: object) -> None:
        line = json.dumps({"do": did, "at": time.monotonic(), **what}, separators=(",", ":"))
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_journals(folder: Path) -> History:
    """The history in all journals of a folder."""
    history = History()
    for path in sorted(folder.glob("*.jsonl")):
        lines = list(_whole_lines(path))
        if lines:
            add(history, lines)
    return history


def _whole_lines(path: Path) -> Iterator[dict]:
    """A process that was killed may have left half a line at the end."""
    with path.open(encoding="utf-8", errors="replace") as journal:
        for line in journal:
            if line.endswith("\n"):
                yield json.loads(line)


def add(history: History, lines: Sequence[dict]) -> None:
    """Add one process's journal."""
    who, lines = lines[0], lines[1:]
    match who["role"]:
        case "producer":
            name = who["name"]
            history.producers[name] = Producer(
                name, who["client"], who["acks"], who["idempotent"], who["retries"]
            )
            history.sends.extend(_sends(lines))
        case "member":
            history.events.extend(_events(who, lines))
            history.commits.extend(_commits(who, lines))
        case "run":
            _add_run(history, lines)
        case "observer":
            pass  # it only observes, as the run does, too
        case role:
            raise ValueError(f"a journal of a {role!r}")
    for line in lines:
        if line["do"] == "observe":
            offsets = {int(p): offset for p, offset in line["offsets"].items()}
            history.observations.append(
                Observation(line["group"], line["invoked_at"], line["at"], offsets)
            )
        elif line["do"] == "trouble":
            history.troubles.append(f"{who['name']}: {line['why']}")


def _sends(lines: Iterable[dict]) -> Iterator[Send]:
    begun: dict[str, float] = {}
    for line in lines:
        if line["do"] == "send":
            begun[line["record"]] = line["at"]
        elif line["do"] in ("ok", "fail", "info"):
            sent = from_text(line["record"])
            assert sent is not None
            invoked_at = begun.pop(line["record"])
            yield Send(sent, invoked_at, line["at"], Outcome(line["do"]), line.get("offset"))
    for text, invoked_at in begun.items():
        sent = from_text(text)
        assert sent is not None
        yield Send(sent, invoked_at, None, Outcome.INFO)


def _events(who: dict, lines: Iterable[dict]) -> Iterator[Assigned | Poll]:
    group, member = who["group"], who["name"]
    for line in lines:
        if line["do"] == "assigned":
            yield Assigned(group, member, line["at"], tuple(line["partitions"]))
        elif line["do"] == "poll":
            records = zip(line["offsets"], map(from_text, line["records"]), strict=True)
            yield Poll(group, member, line["at"], line["partition"], tuple(records))


def _commits(who: dict, lines: Iterable[dict]) -> Iterator[Commit]:
    """A member commits one thing at a time and waits for the answer."""
    group, member = who["group"], who["name"]
    begun: dict | None = None
    for line in lines:
        if line["do"] == "commit":
            begun = line
        elif line["do"] == "committed" and begun is not None:
            offsets = {int(p): offset for p, offset in begun["offsets"].items()}
            outcome = Outcome(line["outcome"])
            yield Commit(group, member, begun["at"], line["at"], outcome, offsets)
            begun = None
    if begun is not None:
        offsets = {int(p): offset for p, offset in begun["offsets"].items()}
        yield Commit(group, member, begun["at"], None, Outcome.INFO, offsets)


def _add_run(history: History, lines: Iterable[dict]) -> None:
    log: dict[int, list[LogRecord]] = {}
    for line in lines:
        if line["do"] == "kill":
            history.kills.append(
                Kill(line["killed_at"], line["dead_at"], line["at"], line["was_starting"])
            )
        elif line["do"] == "partition":
            log[line["partition"]] = []
        elif line["do"] == "log":
            log[line["partition"]].append(
                LogRecord(line["offset"], from_text(line["record"]), line.get("excerpt", ""))
            )
    history.log.update(log)
