"""What a run did and what was wrong with it, as text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from compat_tests.kill.checker import Finding
from compat_tests.kill.history import History, Outcome

SHOWN_OF_A_KIND = 5


def report(history: History, findings: Sequence[Finding]) -> str:
    lines = [*_kills(history), *_producers(history), *_groups(history), *_findings(findings)]
    return "\n".join(lines)


def _kills(history: History) -> Iterator[str]:
    kills = sorted(history.kills)
    if not kills:
        return
    starting = sum(kill.was_starting for kill in kills)
    away = sorted(kill.ready_at - kill.dead_at for kill in kills)
    yield (
        f"{len(kills)} kills, {starting} of them twice because the broker was killed again while it"
        f" started; back after {median(away):.2f} s (median), {away[-1]:.2f} s at most"
    )
    acknowledged = sorted(
        send.ended_at for send in history.sends if send.outcome is Outcome.OK and send.ended_at
    )
    lives = [(before.ready_at, after.killed_at) for before, after in pairwise(kills)]
    worked = sum(any(begin <= at <= end for at in acknowledged) for begin, end in lives)
    unknown = sum(any(map(send.was_under_way, kills)) for send in history.sends)
    yield f"acknowledgements in {worked} of {len(lives)} lives between kills"
    yield f"{unknown} records were under way while the broker died"


def _producers(history: History) -> Iterator[str]:
    outcomes: dict[str, Counter[Outcome]] = defaultdict(Counter)
    for send in history.sends:
        outcomes[send.sent.producer][send.outcome] += 1
    copies = Counter(
        record.sent for records in history.log.values() for record in records if record.sent
    )
    for name, producer in sorted(history.producers.items()):
        again = sum(count - 1 for sent, count in copies.items() if sent.producer == name)
        kind = "idempotent" if producer.idempotent else "retries" if producer.retries else "one try"
        told = ", ".join(f"{outcomes[name][each]} {each}" for each in Outcome)
        kept = sum(sent.producer == name for sent in copies)
        yield (
            f"{name} {producer.client}, acks={producer.acks}, {kind}: {told};"
            f" {kept} kept, {again} of them again"
        )
    yield f"{sum(len(records) for records in history.log.values())} records in the log"


def _groups(history: History) -> Iterator[str]:
    for group in history.groups():
        polls = sorted(
            (poll for poll in history.polls() if poll.group == group), key=lambda p: p.at
        )
        delivered = Counter((poll.partition, at) for poll in polls for at, _ in poll.records)
        commits = Counter(each.outcome for each in history.commits if each.group == group)
        seen = sum(each.group == group for each in history.observations)
        longest = max((b.at - a.at for a, b in pairwise(polls)), default=0.0)
        yield (
            f"group {group}: {len(delivered)} records delivered,"
            f" {sum(delivered.values()) - len(delivered)} of them again; commits"
            f" {commits[Outcome.OK]} ok, {commits[Outcome.INFO]} info; offsets asked for {seen}"
            f" times; longest silence {longest:.1f} s"
        )


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield "no anomaly"
        return
    kinds = Counter(finding.kind for finding in findings)
    for kind, count in kinds.items():
        yield f"{kind}: {count}"
        examples = [finding.what for finding in findings if finding.kind == kind]
        yield from (f"    {what}" for what in examples[:SHOWN_OF_A_KIND])
