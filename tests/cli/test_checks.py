"""The checks of the doctor that need more than one broker, or a sick one."""

from __future__ import annotations

import resource

import pytest

from godel.cli import checks
from godel.cli.checks import CHECKS, WRONG_MS, Examination, examine, judge_clock
from godel.cli.findings import Finding, Grade
from godel.client.brokers import LogDirectory, Node
from godel.client.cluster import Cluster, parse_addresses
from godel.clock import Clock, ManualClock
from godel.testing import Broker
from tests.client.conftest import StandingClock

GIB = 1024**3
NODE = Node(1, "127.0.0.1", 9092, None, True)


@pytest.mark.parametrize(
    ("apart_ms", "grade", "words"),
    [
        (0, Grade.OK, "is ours, within 20 ms"),
        (900, Grade.OK, "is ours, within 900 ms"),
        (5_000, Grade.WARNING, "5.0 s ahead of ours"),
        (-5_000, Grade.WARNING, "5.0 s behind ours"),
        (2 * WRONG_MS, Grade.PROBLEM, "2.0 h ahead of ours"),
    ],
)
def test_a_clock_is_judged_by_how_far_it_is_away(apart_ms: int, grade: Grade, words: str) -> None:
    before_ms, after_ms = 1_000_000, 1_000_020
    stamp_ms = after_ms + apart_ms if apart_ms > 0 else before_ms + apart_ms
    finding = judge_clock("broker 1", stamp_ms, before_ms, after_ms)
    assert finding.grade is grade
    assert words in finding.what


@pytest.mark.parametrize(
    ("code", "usable", "grade"),
    [
        (0, 50 * GIB, Grade.OK),
        (0, 10 * GIB, Grade.WARNING),
        (0, 1 * GIB, Grade.PROBLEM),
        (0, -1, Grade.SKIPPED),
        (56, 50 * GIB, Grade.PROBLEM),
    ],
)
def test_a_log_directory_is_judged_by_what_is_free(code: int, usable: int, grade: Grade) -> None:
    total = 100 * GIB if usable >= 0 else -1
    directory = LogDirectory(1, "/disk1", code, {}, total, usable)
    assert checks._judge_directory(NODE, directory).grade is grade


def test_few_open_files_are_a_warning() -> None:
    assert checks._judge_files(1_024).grade is Grade.WARNING
    assert checks._judge_files(65_536).grade is Grade.OK
    assert checks._judge_files(resource.RLIM_INFINITY).grade is Grade.OK


def test_batches_below_what_producers_send_are_a_warning() -> None:
    sizes: dict[str, int] = {"message.max.bytes": 1000, "socket.request.max.bytes": 1_000_000}
    assert checks._judge_sizes(NODE, sizes).grade is Grade.WARNING
    assert checks._judge_sizes(NODE, {}).grade is Grade.SKIPPED


async def findings(bootstrap: str, clock: Clock, *, scratch: bool = True) -> list[Finding]:
    async with Cluster(parse_addresses(bootstrap), timeout_ms=5_000, clock=clock) as cluster:
        return [each async for each in examine(Examination(cluster, scratch))]


@pytest.mark.anyio
async def test_a_broker_whose_clock_is_ahead_is_found_out() -> None:
    with Broker(clock=ManualClock(1_700_000_600_000), seed=1) as broker:
        found = await findings(broker.bootstrap_servers, StandingClock())
    (clock,) = [each for each in found if each.check == "clock"]
    assert clock.grade is Grade.WARNING
    assert "10.0 min ahead of ours" in clock.what


@pytest.mark.anyio
async def test_an_address_that_is_advertised_wrongly_is_told_once() -> None:
    """What needs the broker's own address is left out, instead of failing for the same reason."""
    advertised = {"advertised.listeners": "PLAINTEXT://no.such.name.invalid:9092"}
    with Broker(advertised, clock=ManualClock(), seed=1) as broker:
        address = f"127.0.0.1:{broker.node.listens_on.port}"
        found = await findings(address, StandingClock())
    problems = [each for each in found if each.grade is Grade.PROBLEM]
    assert [each.check for each in problems] == ["advertised"]
    assert {each.check for each in found if each.grade is Grade.SKIPPED} == checks.ON_BROKERS


@pytest.mark.anyio
async def test_every_check_says_something(broker: Broker) -> None:
    found = await findings(broker.bootstrap_servers, StandingClock())
    assert {each.check for each in found} >= {"bootstrap", *CHECKS}
