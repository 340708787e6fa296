"""A consumer group of real processes: members join, leave, are killed, and the broker restarts.

A member prints what happens to it, one JSON object a line: {"read": [[partition, offset], ...]}
when the client handed records over, {"committed": true} when the commit of all that it read is
acknowledged, and {"committed": false} when it failed and the records may be another member's.
Clients that commit on their own (kcat, Kafka's console consumer) only read.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from compat_tests.brokers import Broker
from compat_tests.client import BrokerError, Client, GroupView, Position, Record
from compat_tests.waiting import DEADLINE_S, eventually

ROOT = Path(__file__).resolve().parents[1]
PARTITIONS = 6
PER_PARTITION = 100
COORDINATOR_STARTS = (14, 15, 16)  # loading, not available, not here: all mean "ask again"

Answer = TypeVar("Answer")

MemberCommand = Callable[[str, str, str], Sequence[str]]  # bootstrap, group, topic
ParseLine = Callable[[str], "list[Position] | bool | None"]  # read, committed or not, or neither


def parse_json(line: str) -> list[Position] | bool | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if "read" in event:
        return [Position(*pair) for pair in event["read"]]
    return event.get("committed")


class Member:
    """A member's process and what it has printed."""

    def __init__(self, command: Sequence[str], parse: ParseLine = parse_json) -> None:
        self.read: list[Position] = []
        self.committed: list[Position] = []
        self.errors: list[str] = []
        self.was_ended = False
        self._parse = parse
        self._pending: list[Position] = []
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._threads = [
            threading.Thread(target=self._follow, daemon=True),
            threading.Thread(target=self._gather_errors, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            match self._parse(line):
                case True:
                    self.committed.extend(self._pending)
                    self._pending.clear()
                case False:
                    self._pending.clear()
                case list() as positions:
                    self.read.extend(positions)
                    for position in positions:
                        self._take(position)

    def _take(self, position: Position) -> None:
        """A client whose commit failed goes back; what it reads again was not done before."""
        partition, offset = position
        self._pending = [
            at for at in self._pending if at.partition != partition or at.offset < offset
        ]
        self._pending.append(position)

    def _gather_errors(self) -> None:
        assert self._process.stderr is not None
        self.errors.extend(self._process.stderr)

    def leave(self) -> None:
        """End politely: the client commits, says goodbye to the group, and exits."""
        self.was_ended = True
        self._process.send_signal(signal.SIGTERM)
        self._finish()

    def kill(self) -> None:
        self.was_ended = True
        self._process.kill()
        self._finish()

    def _finish(self) -> None:
        self._process.wait(DEADLINE_S)
        for thread in self._threads:
            thread.join(10)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None


def when_coordinator_is_up(ask: Callable[[], Answer]) -> Answer:
    """The answer, asked for again while the group's coordinator is still starting."""

    def answered() -> tuple[Answer] | None:
        try:
            return (ask(),)
        except BrokerError as error:
            if error.code in COORDINATOR_STARTS:
                return None
            raise

    return eventually(answered, "an answer from the group's coordinator")[0]


class _Story:
    def __init__(
        self, client: Client, group: str, topic: str, command: MemberCommand, parse: ParseLine
    ) -> None:
        self.client, self.group, self.topic = client, group, topic
        self.command, self.parse = command, parse
        self.members: list[Member] = []
        self.produced = 0

    def member(self) -> Member:
        command = self.command(self.client.bootstrap, self.group, self.topic)
        self.members.append(Member(command, self.parse))
        return self.members[-1]

    def produce(self) -> None:
        """The same number of records to each partition."""
        for partition in range(PARTITIONS):
            records = [Record(b"%d" % i) for i in range(PER_PARTITION)]
            self.client.produce(self.topic, records, partition=partition)
        self.produced += PER_PARTITION

    def expected(self) -> set[Position]:
        return {Position(p, o) for p in range(PARTITIONS) for o in range(self.produced)}

    def settle(self, members: int) -> GroupView:
        """Wait for a stable group of so many, with each partition given to exactly one of them."""

        def look() -> GroupView:
            return when_coordinator_is_up(lambda: self.client.describe_group(self.group))

        def is_settled(view: GroupView) -> bool:
            settled = view.state == "Stable" and view.members == members
            return settled and view.assigned == tuple(range(PARTITIONS))

        try:
            return eventually(look, f"a stable group of {members}", until=is_settled)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.said()}") from None

    def read_all(self) -> None:
        def all_read() -> bool:
            for member in self.members:
                assert member.is_alive or member.was_ended, "".join(member.errors[-20:])
            return not self.missing()

        try:
            eventually(all_read, f"all {len(self.expected())} records read")
        except AssertionError as late:
            missing = sorted(self.missing())[:10]
            raise AssertionError(f"{late}; missing {missing}\n{self.said()}") from None

    def said(self) -> str:
        """The last lines of what the members had to complain about, and who has gone."""
        lines = []
        for number, member in enumerate(self.members, 1):
            is_gone = not member.is_alive and not member.was_ended
            lines.append(f"member {number}{', which has ended by itself' if is_gone else ''}:\n")
            lines += member.errors[-20:]
        return "".join(lines)

    def missing(self) -> set[Position]:
        seen = {position for member in self.members for position in member.read}
        return self.expected() - seen

    def finish(self) -> None:
        for member in self.members:
            if member.is_alive:
                member.leave()


def group_story(
    client: Client,
    broker: Broker,
    fresh_name: Callable[[str], str],
    command: MemberCommand,
    *,
    commits_are_told: bool,
    parse: ParseLine = parse_json,
    in_hand: int = 0,
) -> None:
    """Members come, go and die while records flow; nothing is lost and nothing is done twice.

    `in_hand`: as many records may be, because the client commits what it had in hand when the
    group rebalanced although the partition is another member's by then.
    """
    topic, group = fresh_name("grouped"), fresh_name("group")
    client.create_topic(topic, PARTITIONS)
    story = _Story(client, group, topic, command, parse)
    try:
        killed = _tell(story, broker)
        _end(story)
    finally:
        story.finish()
    _check(story, killed, commits_are_told=commits_are_told, in_hand=in_hand)


def _tell(story: _Story, broker: Broker) -> Member:
    story.produce()
    first, second = story.member(), story.member()
    story.settle(2)
    story.read_all()

    third = story.member()
    story.produce()  # while the group rebalances
    story.settle(3)
    story.read_all()

    second.leave()
    story.produce()
    story.settle(2)
    story.read_all()

    first.kill()
    story.produce()  # a share of it waits for the dead member's session to end
    story.settle(1)
    story.read_all()

    if broker.owned:
        broker.restart()
    story.produce()
    story.read_all()
    assert third.is_alive
    return first


def _end(story: _Story) -> None:
    """All leave; what they committed is what a new member starts from."""
    story.finish()
    committed = when_coordinator_is_up(
        lambda: story.client.committed(story.group, story.topic, range(PARTITIONS))
    )
    assert [entry and entry[0] for entry in committed] == [story.produced] * PARTITIONS
    late = story.member()
    story.settle(1)
    story.produce()
    story.read_all()
    first_of_each = {p: min(o for q, o in late.read if q == p) for p in range(PARTITIONS)}
    assert set(first_of_each.values()) == {story.produced - PER_PARTITION}, "read again or skipped"


def _check(story: _Story, killed: Member, *, commits_are_told: bool, in_hand: int) -> None:
    read = Counter(position for member in story.members for position in member.read)
    assert set(read) == story.expected()
    if commits_are_told:
        _check_commits(story, in_hand)
        return
    # Clients that commit on their own may read again what the killed one had read, and what
    # they themselves had read when the restarting broker did not take their commit.
    again = {position for position, times in read.items() if times > 1}
    for member in story.members:
        own = Counter(member.read)
        again -= {position for position in again if own[position] == read[position]}
    assert again <= set(killed.read), f"read again: {sorted(again - set(killed.read))[:10]}"


def _check_commits(story: _Story, in_hand: int) -> None:
    done = Counter(position for member in story.members for position in member.committed)
    twice = {position for position, times in done.items() if times > 1}
    assert len(twice) <= in_hand, f"committed twice: {sorted(twice)[:10]}"
    for number, member in enumerate(story.members):
        for partition in range(PARTITIONS):
            offsets = [o for p, o in member.committed if p == partition]
            assert offsets == sorted(offsets), f"member {number}, partition {partition}"
