from __future__ import annotations

from types import SimpleNamespace
from unittest import TestCase

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import FUZZ_FACTOR, multiply_examples


def test_fuzzing_tries_more_however_a_property_is_run() -> None:
    """Of a parametrized one once for all of its items, and of a state machine, too."""

    @settings(max_examples=5)
    @given(st.none())
    def holds(_nothing: None) -> None: ...

    class Machine(TestCase):
        settings = settings(max_examples=3)

    items = [SimpleNamespace(function=holds) for _ in range(4)]
    multiply_examples([*items, *(SimpleNamespace(cls=Machine) for _ in range(2))])
    own = holds._hypothesis_internal_use_settings  # type: ignore[attr-defined] # where it keeps them
    assert (own.max_examples, own.deadline) == (5 * FUZZ_FACTOR, None)
    assert Machine.settings.max_examples == 3 * FUZZ_FACTOR
