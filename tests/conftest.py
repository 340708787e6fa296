"""What every test shares: hypothesis profiles and the event loop that anyio's tests run on.

`HYPOTHESIS_PROFILE` chooses how hard the property tests try. `default` is for a developer's
machine, `ci` repeats the same examples every time, `fuzz` (`make fuzz SEED=...`) tries
`FUZZ_FACTOR` times as many examples, also of properties that set a number of their own.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

FUZZ_FACTOR = int(os.environ.get("FUZZ_FACTOR", "20"))
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default")

_UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=50,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=_UNHURRIED,
)
settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=50 * FUZZ_FACTOR,
    print_blob=True,
    suppress_health_check=_UNHURRIED,
)
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if PROFILE != "fuzz":
        return
    for item in items:
        function = getattr(item, "function", None)
        # Hypothesis keeps a test's own settings here; there is no public way to change them later.
        own = getattr(function, "_hypothesis_internal_use_settings", None)
        if own is not None and own.max_examples < 50 * FUZZ_FACTOR:
            more = settings(own, max_examples=own.max_examples * FUZZ_FACTOR, deadline=None)
            function.__dict__["_hypothesis_internal_use_settings"] = more


@pytest.fixture
def anyio_backend() -> str:
    """Async tests (`@pytest.mark.anyio`) run on asyncio, as the broker does."""
    return "asyncio"
