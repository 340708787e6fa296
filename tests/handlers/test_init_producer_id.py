"""InitProducerId, as a client sees it."""

from __future__ import annotations

from typing import Any

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.protocol.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from godel.storage.faulty_files import FaultyFiles
from godel.testing import Broker
from tests.wire import Client


def init(client: Client, version: int = 5, **options: Any) -> InitProducerIdResponse:
    request = InitProducerIdRequest(**({"transactional_id": None} | options))
    response: InitProducerIdResponse = client.send(request, version)
    return response


@pytest.mark.parametrize("version", range(6))
def test_a_new_id_with_epoch_0_in_every_version(client: Client, version: int) -> None:
    first, second = init(client, version), init(client, version)
    assert (first.error_code, first.producer_epoch) == (0, 0)
    assert (second.error_code, second.producer_epoch) == (0, 0)
    assert 0 <= first.producer_id < second.producer_id


def test_a_producer_that_wants_a_new_epoch_gets_a_new_id(client: Client) -> None:
    old = init(client).producer_id
    answer = init(client, producer_id=old, producer_epoch=0)
    assert (answer.error_code, answer.producer_epoch) == (0, 0)
    assert answer.producer_id != old


@pytest.mark.parametrize(("producer_id", "epoch"), [(5, -1), (-1, 0)])
def test_half_an_identity_is_an_invalid_request(
    client: Client, producer_id: int, epoch: int
) -> None:
    answer = init(client, producer_id=producer_id, producer_epoch=epoch)
    assert (answer.error_code, answer.producer_id) == (ErrorCode.INVALID_REQUEST, -1)


@pytest.mark.parametrize("version", range(6))
@pytest.mark.parametrize("transactional_id", ["", "tx"])
def test_transactional_ids_are_refused_while_there_are_no_transactions(
    client: Client, version: int, transactional_id: str
) -> None:
    answer = init(client, version, transactional_id=transactional_id, transaction_timeout_ms=60_000)
    assert answer.error_code == ErrorCode.INVALID_REQUEST
    assert answer.producer_id == -1


@pytest.mark.parametrize("crashes", [False, True])
def test_ids_are_not_used_again_after_a_restart(crashes: bool) -> None:
    broker = Broker(clock=ManualClock(), files=FaultyFiles())
    used: set[int] = set()
    for _ in range(3):
        broker.start()
        with Client(broker) as client:
            ids = [init(client).producer_id for _ in range(10)]
        assert not used & set(ids)
        used.update(ids)
        if crashes:
            broker.crash()
        else:
            broker.stop()


def test_blocks_follow_one_another_without_a_gap_in_use(client: Client) -> None:
    for _ in range(2500):
        client.post(InitProducerIdRequest(transactional_id=None), 5)
    ids = [client.take(InitProducerIdResponse, 5).producer_id for _ in range(2500)]
    assert len(set(ids)) == 2500
