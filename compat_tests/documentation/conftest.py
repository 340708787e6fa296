"""A broker for each page's program, with the topic that the pages use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests.brokers import BrokerProcess

GODEL = Path(sys.executable).with_name("godel")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[str]:
    """The address of a broker without topics."""
    broker = BrokerProcess(tmp_path)
    broker.start()
    yield broker.bootstrap
    broker.stop()


@pytest.fixture
def flights(empty: str) -> str:
    """The same, once it has the topic."""
    create = [str(GODEL), "topics", "create", "flights", "--partitions", "3", "-b", empty]
    subprocess.run(create, check=True, timeout=60, capture_output=True)
    return empty
