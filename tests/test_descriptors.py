"""Files of partitions keep their descriptors, however many clients come."""

from __future__ import annotations

import resource

import pytest

from godel import descriptors


@pytest.mark.parametrize("allowed", [64, 256, 1024, 20_000, 1_048_576])
def test_files_and_connections_leave_some_for_others(
    allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (allowed, allowed))
    left = allowed - descriptors.for_files() - descriptors.for_connections()
    assert left == min(128, allowed // 8)
    assert descriptors.for_connections() >= allowed // 3


def test_without_a_limit_there_is_none_for_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (resource.RLIM_INFINITY,) * 2)
    assert descriptors.for_files() == 4096
    assert descriptors.for_connections() > 1_000_000_000


@pytest.mark.parametrize("refusal", [None, ValueError, PermissionError])
def test_a_process_asks_for_all_that_it_may_have(
    refusal: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def setrlimit(_which: int, limits: tuple[int, int]) -> None:
        asked.append(limits)
        if refusal is not None:
            raise refusal

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 65_536))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    descriptors.allow_more()
    assert asked == [(65_536, 65_536)]
