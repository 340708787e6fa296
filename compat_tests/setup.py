"""Install what the client suites need, saying what is done: python -m compat_tests.setup [--all]

For the suites of `make compat`:
- the Python clients and their codecs: pyproject.toml's dependency group "compat", by pip;
- kcat: by apt-get, where that exists and we are root;
- the jars of Kafka's tools, Connect and Streams, and of a broker of Kafka 3: by Maven, into .cache/
  (or where KAFKA_LIBS and KAFKA_LIBS_OLDER say).

With --all, for every other client as well:
- kafka-python 2.0 and quixstreams, which want other versions: environments in .cache/clients;
- the Node clients: by npm, into .cache/clients (one is built from source, with node-gyp and g++);
- what the Go and Rust clients' programs are built from, by go and cargo (the suites build them);
- the jars of three versions of Kafka's Java client: by Maven, into .cache/clients.

What cannot be installed is said; its suite is then skipped, and fails on CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from compat_tests import environments
from compat_tests.java import jars
from compat_tests.java_clients import clients

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def run(*command: str) -> bool:
    print("+", " ".join(command), flush=True)
    return subprocess.run(command, check=False).returncode == 0


def python_clients() -> bool:
    # pip learned --group only in 25.1, and a fresh environment may have an older one.
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    wanted = [*groups["test"], *groups["compat"]]
    return run(sys.executable, "-m", "pip", "install", "--quiet", *wanted)


def kcat() -> bool:
    if shutil.which("kcat"):
        return True
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print("kcat is missing; as root, on Debian or Ubuntu: apt-get install kcat")
        return False
    return run("apt-get", "update", "-qq") and run(
        "apt-get", "install", "-y", "-qq", "--no-install-recommends", "kcat"
    )


def kafka_tools() -> bool:
    if jars.are_there():
        return True
    if shutil.which("mvn") is None or shutil.which("java") is None:
        print("Java or Maven is missing; Kafka's own tools cannot be tested")
        return False
    print(f"fetching the jars of Kafka's tools into {jars.folder()} with Maven", flush=True)
    try:
        jars.fetch()
    except subprocess.CalledProcessError:
        return False
    return True


def older_kafka() -> bool:
    """Apache Kafka 3, whose data are imported."""
    if jars.libraries(jars.OLDER).is_dir():
        return True
    if shutil.which("mvn") is None or shutil.which("java") is None:
        print("Java or Maven is missing; the import of Kafka's data cannot be tested")
        return False
    try:
        jars.fetch_older()
    except subprocess.CalledProcessError:
        return False
    return True


def java_client(version: str) -> bool:
    if clients.jars(version).is_dir():
        return True
    if shutil.which("mvn") is None or shutil.which("javac") is None:
        print("A JDK or Maven is missing; Kafka's Java client cannot be tested")
        return False
    try:
        clients.fetch(version)
    except subprocess.CalledProcessError:
        return False
    return True


def own_environment(client: str) -> bool:
    if environments.is_there(client):
        return True
    if client in environments.NODE_CLIENTS and not (shutil.which("node") and shutil.which("npm")):
        print(f"Node or npm is missing; {client} cannot be tested")
        return False
    try:
        environments.install(client)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"{client}: {error}")
        return False
    return True


def go_modules() -> bool:
    if shutil.which("go") is None:
        print("Go is missing; franz-go, sarama and kafka-go cannot be tested")
        return False
    folders = [str(module.parent) for module in HERE.glob("*/go.mod")]
    done = [run("go", "-C", folder, "mod", "download") for folder in folders]
    return all(done)


def rust_crates() -> bool:
    if any(shutil.which(program) is None for program in ("cargo", "gcc", "make")):
        print("cargo, gcc or make is missing; rskafka and rdkafka for Rust cannot be tested")
        return False
    fetch = ("cargo", "fetch", "--quiet", "--manifest-path")
    done = [run(*fetch, str(manifest)) for manifest in HERE.glob("*/Cargo.toml")]
    return all(done)


def main() -> int:
    done = {"Python clients": python_clients(), "kcat": kcat(), "Kafka's tools": kafka_tools()}
    done["Kafka 3"] = older_kafka()
    if "--all" in sys.argv[1:]:
        done |= other_clients()
    for what, is_there in done.items():
        print(f"{what}: {'ready' if is_there else 'missing'}")
    # Missing system programs are judged by the suites themselves: skipped here, failed on CI.
    return 0 if done["Python clients"] else 1


def other_clients() -> dict[str, bool]:
    done = {}
    for client in (*environments.PYTHON_CLIENTS, *environments.NODE_CLIENTS):
        done[client] = own_environment(client)
    for version in clients.VERSIONS:
        done[f"kafka-clients {version}"] = java_client(version)
    return done | {"Go modules": go_modules(), "Rust crates": rust_crates()}


if __name__ == "__main__":
    sys.exit(main())
