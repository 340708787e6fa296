"""How hard the tests try that draw their examples by chance, and what is counted of them.

`HYPOTHESIS_PROFILE` chooses: `default` is for a developer's machine, `ci` repeats the same examples
every time, `fuzz` (`make fuzz SEED=...`) tries `FUZZ_FACTOR` times as many.
"""

from __future__ import annotations

import os

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
