"""A member's value, and what of it is stored."""

from __future__ import annotations

from godel.coordinator.classic_member import (
    ClassicMember,
    from_record,
    protocols_of,
    rebalance_timeout_ms,
)
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol

MEMBER = ClassicMember(
    id="m",
    instance_id="i",
    client_id="c",
    client_host="/::1",
    rebalance_timeout_ms=2,
    session_timeout_ms=1,
    protocols={"range": b"r", "sticky": b"s"},
)


def test_only_the_chosen_protocol_is_stored() -> None:
    record = MEMBER.to_record("sticky", b"mine")
    assert (record.subscription, record.assignment) == (b"s", b"mine")
    known = from_record(record, "sticky")
    assert known.protocols == {"sticky": b"s"}
    assert (known.id, known.instance_id, known.assignment) == ("m", "i", b"mine")
    assert (known.rebalance_timeout_ms, known.session_timeout_ms) == (2, 1)


def test_old_records_have_no_rebalance_timeout() -> None:
    record = MEMBER.to_record("range", b"")
    record.rebalance_timeout = -1
    assert from_record(record, "range").rebalance_timeout_ms == 1


def test_the_request_s_bytes_are_copied() -> None:
    buffer = bytearray(b"meta")
    protocol = JoinGroupRequestProtocol(name="range", metadata=memoryview(buffer))  # type: ignore[arg-type]  # as decoded
    protocols = protocols_of(JoinGroupRequest(protocols=[protocol]))
    buffer[:] = b"gone"
    assert protocols == {"range": b"meta"}


def test_of_a_protocol_named_twice_the_first_counts() -> None:
    twice = [JoinGroupRequestProtocol(name="range", metadata=m) for m in (b"1", b"2")]
    assert protocols_of(JoinGroupRequest(protocols=twice)) == {"range": b"1"}


def test_version_0_waits_for_the_session_timeout() -> None:
    assert rebalance_timeout_ms(JoinGroupRequest(session_timeout_ms=6)) == 6
    assert rebalance_timeout_ms(JoinGroupRequest(session_timeout_ms=6, rebalance_timeout_ms=9)) == 9


def test_who_waits_needs_no_heartbeat_but_a_new_member_does() -> None:
    parked = MEMBER.rejoining(JoinGroupRequest(), 4)
    assert parked.has_satisfied_heartbeat
    assert not MEMBER.has_satisfied_heartbeat
