"""Journals become a history, also those of processes that were killed."""

from __future__ import annotations

from pathlib import Path

from compat_tests.kill.checker import check
from compat_tests.kill.history import Journal, LogRecord, Outcome, read_journals
from compat_tests.kill.values import Sent


def test_journals_become_a_history(tmp_path: Path) -> None:
    producer = Journal(
        tmp_path / "p0.jsonl",
        role="producer",
        name="p0",
        client="kafka-python",
        acks="all",
        idempotent=True,
        retries=True,
    )
    for number in range(2):
        producer.note("send", record=f"p0/0/{number}")
    producer.note("ok", record="p0/0/0", offset=0)
    producer.close()
    member = Journal(tmp_path / "m1.jsonl", role="member", name="m1", group="g", client="x")
    member.note("assigned", partitions=[0])
    member.note("poll", partition=0, offsets=[0], records=["p0/0/0"])
    member.note("commit", offsets={0: 1})
    member.note("committed", outcome="ok")
    member.note("commit", offsets={0: 2})
    member.close()
    with (tmp_path / "m1.jsonl").open("a") as torn:
        torn.write('{"do":"comm')
    run = Journal(tmp_path / "run.jsonl", role="run", name="run")
    run.note("kill", killed_at=1.0, dead_at=1.1, was_starting=False)
    run.note("observe", group="g", invoked_at=2.0, offsets={0: 1})
    run.note("partition", partition=0)
    run.note("log", partition=0, offset=0, record="p0/0/0")
    run.close()

    history = read_journals(tmp_path)

    first, second = (Sent("p0", 0, number) for number in range(2))
    assert [(each.sent, each.outcome, each.offset) for each in history.sends] == [
        (first, Outcome.OK, 0),
        (second, Outcome.INFO, None),
    ]
    assert [each.outcome for each in history.commits] == [Outcome.OK, Outcome.INFO]
    assert history.log == {0: [LogRecord(0, first)]}
    assert [finding.kind for finding in check(history)] == ["unanswered"]
