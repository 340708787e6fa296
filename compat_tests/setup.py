"""Install and build what the client suites need: python -m compat_tests.setup [CLIENT...]

Without names, all but the Python clients, which are pyproject.toml's dependency group "compat":
- programs and headers of the distribution (kcat among them): by apt-get, as root;
- kafka-python 2.0 and quixstreams, which want other versions: environments in .cache/clients;
- the Node clients: by npm, into .cache/clients (two are built from source, with node-gyp and g++);
- the programs of the Go and Rust clients: built by go and cargo, which fetch what they need;
- the jars of Kafka's tools and broker, of a broker of Kafka 3, and of three versions of its client:
  by Maven, into .cache (or where KAFKA_LIBS and KAFKA_LIBS_OLDER say);
- other people's test suites: see suites/, into .cache/suites.

Two steps at a time: one waits for the network while another compiles. What cannot be had is said;
its suite is then skipped, and fails on CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from compat_tests import environments, programs
from compat_tests.java import jars
from compat_tests.java_clients import clients
from compat_tests.suites import SUITES
from compat_tests.suites.commands import CannotFetch

HERE = Path(__file__).resolve().parent
# What the distribution's packages bring: a header tells that a library is there.
SYSTEM = {
    "kcat": lambda: shutil.which("kcat"),
    "rapidjson-dev": lambda: Path("/usr/include/rapidjson/schema.h").exists(),
    "libzstd-dev": lambda: Path("/usr/include/zstd.h").exists(),
}
STEPS_AT_ONCE = 2
PAGES = {
    "documentation/test_go.py": ("franz_go", "sarama", "kafka_go"),
    "documentation/test_java.py": ("java",),
    "documentation/test_javascript.py": ("kafkajs", "confluent_js"),
    "documentation/test_rust.py": ("rdkafka_rust", "rskafka"),
}
NEEDS = {
    "cli": ("java",),  # `godel` is held against Kafka's broker
    "librdkafka": ("librdkafka", "java"),  # its tests call Kafka's shell tools
    "documentation": tuple(name for names in PAGES.values() for name in names),
    **PAGES,
}
"""Suites that need what others fetch. The pages that are not here need the Python clients only."""


class Missing(Exception):
    """What is not there and cannot be installed."""


def need(*names: str) -> None:
    for name in names:
        if shutil.which(name) is None:
            raise Missing(f"{name} is not installed")


def system_packages() -> None:
    wanted = [name for name, is_there in SYSTEM.items() if not is_there()]
    if not wanted:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Missing(f"as root, on Debian or Ubuntu: apt-get install {' '.join(wanted)}")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted)


def run(*command: str) -> None:
    print("+", *command, flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def own_environment(client: str) -> None:
    if client in environments.NODE_CLIENTS:
        need("node", "npm")
    environments.install(client)


def java_client(version: str) -> None:
    need("mvn", "javac")
    clients.fetch(version)


def kafka() -> None:
    need("mvn", "java")
    jars.fetch()
    jars.fetch_older()


def program(language: str, name: str) -> None:
    programs.BUILDERS[language](name)


def steps() -> dict[str, Callable[[], None]]:
    """Longest first."""
    found: dict[str, Callable[[], None]] = {}
    for client in (*environments.NODE_CLIENTS, *environments.PYTHON_CLIENTS):
        found[client] = partial(own_environment, client)
    for language, mark in (("rust", "Cargo.toml"), ("go", "main.go")):
        for manifest in sorted(HERE.glob(f"*/{mark}")):
            found[manifest.parent.name] = partial(program, language, manifest.parent.name)
    found["java"] = kafka
    for version in clients.VERSIONS:
        found[f"java_clients {version}"] = partial(java_client, version)
    for name, suite in SUITES.items():
        found[f"suite {name}"] = suite.fetch
    return found


def done(name: str, step: Callable[[], None]) -> None:
    began = time.monotonic()
    try:
        step()
    except subprocess.CalledProcessError as failure:
        print(f"{name}: MISSING: {failure}\n{(failure.stderr or '')[-4000:]}", flush=True)
    except (Missing, CannotFetch, programs.CannotBuild, OSError) as failure:
        print(f"{name}: MISSING: {failure}", flush=True)
    else:
        print(f"{name}: ready after {time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    names = [needed for name in sys.argv[1:] for needed in NEEDS.get(name, (name,))]
    wanted = {
        name: step
        for name, step in steps().items()
        if not names or name.partition(" ")[0] in names or name.removeprefix("suite ") in names
    }
    done("system packages", system_packages)  # others build against them
    with ThreadPoolExecutor(STEPS_AT_ONCE) as pool:
        list(pool.map(done, wanted.keys(), wanted.values()))


if __name__ == "__main__":
    main()
