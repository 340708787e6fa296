"""A broker for each page's program, with the topic that the pages use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests.brokers import BrokerProcess
from compat_tests.documentation.pages import typed


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[str]:
    """The address of a broker without topics, its data in `data` of the test's folder."""
    broker = BrokerProcess(tmp_path)
    broker.start()
    yield broker.bootstrap
    broker.stop()


@pytest.fixture
def flights(empty: str, tmp_path: Path) -> str:
    """The same, once it has the topic."""
    typed("godel topics create flights --partitions 3", empty, tmp_path)
    return empty
