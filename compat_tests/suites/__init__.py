"""Other people's test suites, from their published packages, against a freshly started broker.

`python -m compat_tests.suites NAME` runs one and writes what came out to ../EXPECTED.md; with
`--check` it compares with that page instead and fails on a regression. Each suite is a module with
`fetch()` (through the package's ordinary client, into .cache/suites) and `run()`, which yields one
Result per test. `reference/` keeps what Apache Kafka 4.3.1 gives, by name.
"""
