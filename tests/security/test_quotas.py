"""Client quotas, against Kafka's rules and figures of a running 4.3 broker."""

from __future__ import annotations

import pytest

from godel.security.quotas import (
    MAX_RATES,
    PRODUCER_BYTE_RATE,
    Entity,
    Quota,
    Quotas,
    Rate,
    entity,
)

KEY = PRODUCER_BYTE_RATE


def quotas(*limits: tuple[Entity, float]) -> Quotas:
    made = Quotas()
    made.replace({whose: {KEY: limit} for whose, limit in limits})
    return made


def test_the_waits_are_those_of_a_kafka_broker() -> None:
    """Requests of 2,084 bytes under a quota of 1,000 bytes a second, each sent when it may."""
    rate, now_ms = Rate(11, 1000.0), 0.0
    delays: list[int] = []
    for _ in range(8):
        rate.record(2084, now_ms)
        delays.append(int(rate.delay_ms(1000.0, now_ms)))
        now_ms += delays[-1]
    assert delays[:4] == [0, 0, 0, 0]
    measured = [421, 2097, 4102, 6102]
    assert all(abs(ours - theirs) < 120 for ours, theirs in zip(delays[4:], measured, strict=True))


def test_a_client_that_waits_as_told_keeps_to_its_quota() -> None:
    rate, now_ms, used = Rate(11, 1000.0), 0.0, 0
    while now_ms < 600_000:
        rate.record(5_000, now_ms)
        used += 5_000
        now_ms += max(rate.delay_ms(1000.0, now_ms), 1.0)
    assert used / (now_ms / 1000.0) == pytest.approx(1000.0, rel=0.05)


def test_what_was_used_is_forgotten_when_its_windows_have_passed() -> None:
    rate = Rate(11, 1000.0)
    rate.record(100_000, 0.0)
    assert rate.delay_ms(1000.0, 10_999.0) > 0
    assert not rate.is_idle(10_999.0)
    assert rate.delay_ms(1000.0, 11_000.0) == 0
    assert rate.is_idle(11_000.0)


def test_a_single_window_is_a_rate_too() -> None:
    rate = Rate(1, 1000.0)
    rate.record(2000, 0.0)
    assert rate.delay_ms(1000.0, 0.0) == 1000.0


PRECEDENCE = [
    (entity(user="u", client_id="c"), Quota(1, "u", "c")),
    (entity(user="u", client_id=None), Quota(2, "u", "c")),
    (entity(user="u"), Quota(3, "u", None)),
    (entity(user=None, client_id="c"), Quota(4, "u", "c")),
    (entity(user=None, client_id=None), Quota(5, "u", "c")),
    (entity(user=None), Quota(6, "u", None)),
    (entity(client_id="c"), Quota(7, None, "c")),
    (entity(client_id=None), Quota(8, None, "c")),
]


@pytest.mark.parametrize("first", range(len(PRECEDENCE)))
def test_the_most_particular_entity_decides(first: int) -> None:
    limits = [(whose, quota.limit) for whose, quota in PRECEDENCE[first:]]
    assert quotas(*limits).find(KEY, "u", "c") == PRECEDENCE[first][1]


def test_an_entity_without_this_quota_leaves_it_to_the_next() -> None:
    made = Quotas()
    made.replace({entity(user="u"): {"other": 1.0}, entity(client_id="c"): {KEY: 2.0}})
    assert made.find(KEY, "u", "c") == Quota(2.0, None, "c")
    assert made.find(KEY, "u", "d") is None


def test_client_ids_share_the_quota_of_their_user_but_not_that_of_client_ids() -> None:
    shared = quotas((entity(user=None), 1000.0))
    shared.use(KEY, "u", "a", amount=20_000, now_ms=0.0)
    assert shared.use(KEY, "u", "b", amount=0, now_ms=0.0) > 0
    assert shared.use(KEY, "v", "b", amount=0, now_ms=0.0) == 0
    own = quotas((entity(client_id=None), 1000.0))
    own.use(KEY, "u", "a", amount=20_000, now_ms=0.0)
    assert own.use(KEY, "u", "b", amount=0, now_ms=0.0) == 0


def test_a_changed_limit_counts_what_was_used_before() -> None:
    made = quotas((entity(client_id="c"), 1_000_000.0))
    assert made.use(KEY, "u", "c", amount=20_000, now_ms=0.0) == 0
    made.replace({entity(client_id="c"): {KEY: 1000.0}})
    assert made.use(KEY, "u", "c", amount=0, now_ms=0.0) == pytest.approx(10_000)


def test_without_quotas_nothing_is_counted() -> None:
    made = quotas((entity(client_id="c"), 1.0))
    assert made.is_on
    made.use(KEY, "u", "c", amount=20_000, now_ms=0.0)
    made.replace({})
    assert not made.is_on
    assert made.use(KEY, "u", "c", amount=20_000, now_ms=0.0) == 0


def test_all_the_windows_together_bound_what_is_given_at_once() -> None:
    made = quotas((entity(client_id="c"), 1000.0))
    assert made.most_at_once(KEY, "u", "c") == 10_000
    assert made.most_at_once(KEY, "u", "d") is None


@pytest.mark.slow
def test_clients_without_number_do_not_fill_the_memory() -> None:
    made = quotas((entity(client_id=None), 1000.0))
    for number in range(MAX_RATES + 10):
        made.use(KEY, "u", f"c{number}", amount=20_000, now_ms=0.0)
    assert len(made._rates) == MAX_RATES
    assert made.use(KEY, "u", f"c{MAX_RATES}", amount=0, now_ms=0.0) > 0, (
        "the latest are remembered"
    )
    assert made.use(KEY, "u", "c0", amount=0, now_ms=0.0) == 0, "the first was forgotten"
    made.use(KEY, "u", "new", amount=0, now_ms=11_000.0)
    assert len(made._rates) == 1, "whoever is quiet for all windows needs no memory"
