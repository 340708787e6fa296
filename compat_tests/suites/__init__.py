"""Other people's test suites, from their published packages, against a freshly started broker.

`python -m compat_tests.suites NAME` runs one and writes what came out to ../EXPECTED.md;
test_published.py compares with that page and fails on a regression. Each suite is a module with
`fetch()` (through the package's ordinary client, into .cache/suites) and `run()`, which yields one
Result per test. `reference/` keeps what Apache Kafka 4.3.1 gives, by name, as it was measured with
`--reference`.
"""

from types import ModuleType

from compat_tests.suites import kafka_go, kafka_python, librdkafka, node_rdkafka

# The longest first.
SUITES: dict[str, ModuleType] = {
    suite.NAME: suite for suite in (librdkafka, kafka_go, node_rdkafka, kafka_python)
}
