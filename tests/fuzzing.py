"""How hard the tests try that draw their examples by chance, and what is counted of them.

`HYPOTHESIS_PROFILE` chooses: `default` is for a developer's machine, `ci` repeats the same examples
every time, `fuzz` (`make fuzz SEED=...`) tries `FUZZ_FACTOR` times as many.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from hypothesis import settings

FUZZ_FACTOR = int(os.environ.get("FUZZ_FACTOR", "20"))
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default")
IS_FUZZ = PROFILE == "fuzz"
SEED = int(os.environ.get("FUZZ_SEED", "1"))
"""For tests that draw by themselves; Hypothesis has its own option."""

CRASH_STATES = "crash states checked"
KILLS = "brokers killed"
COUNTED = (CRASH_STATES, KILLS)
"""Names of what tests count with `record_property`; the sums are printed at the end of the run."""
EXAMPLES = "examples of properties"


def multiply_examples(items: Iterable[object]) -> None:
    """Properties that set a number of their own get `FUZZ_FACTOR` times as many.

    Each once, however many items it has: there is one for each of its parameters.
    """
    for function in {getattr(item, "function", None) for item in items}:
        # Hypothesis keeps a test's own settings here; there is no public way to change them later.
        own = getattr(function, "_hypothesis_internal_use_settings", None)
        if own is not None and own.max_examples < 50 * FUZZ_FACTOR:
            function.__dict__["_hypothesis_internal_use_settings"] = _more(own)
    for machine in {getattr(item, "cls", None) for item in items}:
        own = getattr(machine, "settings", None)
        if isinstance(own, settings) and own.max_examples < 50 * FUZZ_FACTOR:
            machine.settings = _more(own)  # type: ignore[union-attr] # it has settings


def _more(own: settings) -> settings:
    return settings(own, max_examples=own.max_examples * FUZZ_FACTOR, deadline=None)
